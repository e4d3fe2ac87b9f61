// SPDX-License-Identifier: Apache-2.0
// ctconv_gpu_run: everything that needs a device, in one program.
//
//   ctconv_gpu_run PART... --module libctconv_cuda.so --layers bench/layers.json [--out report.json] [--seed N]
//                  [--device N] [--slice I/N] [--deadline SECONDS] [--quick]     PART: constants ceilings correct
//                  random gradients
//                  [--only SUBSTRING of layer ids] [--types f32,tf32,f16,bf16,f64] [--orders first,last]   behaviour
//                  bench
//                  [--choices auto,measured,cell,...,cudnn] [--own: every kernel but cudnn, and not auto]
//                  [--rounds N of random] [--samples N] [--sample-ms M]
//   --slice I/N: every N-th layer or round from the I-th, so that N processes share the work
//   --deadline: stops cleanly after so many seconds and says what was not reached
//   The report is whole on disk after each layer. A fault that kills the context ends the process with its case's name.
//   exit status 0: all checks held; 1: some failed; 2: unknown argument; 3: context lost; 77: no usable device, nothing
//   was run (said on stdout)
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

char g_case[256] = "the start";  // for the signal handler

void on_signal(int number) {
  const char* const text[] = {"\nFAILED: stopped by a signal in: ", g_case, "\n"};
  for (const char* t : text) {
    if (write(STDOUT_FILENO, t, std::strlen(t)) < 0) break;
  }
  _exit(128 + number);
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items;
  std::stringstream in(list);
  for (std::string item; std::getline(in, item, ',');) items.push_back(item);
  return items;
}

struct Arguments {
  std::string module_path, layers_path;
  std::vector<std::string> parts;
};

// False: not understood, said.
bool parse(int argc, char** argv, Run& run, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto is = [&](const char* name) { return a == name && i + 1 < argc; };
    int slice = 0, slices = 1;
    if (is("--module")) {
      out.module_path = argv[++i];
    } else if (is("--layers")) {
      out.layers_path = argv[++i];
    } else if (is("--out")) {
      run.out = argv[++i];
    } else if (is("--only")) {
      run.only = argv[++i];
    } else if (is("--seed")) {
      run.seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (is("--device")) {
      run.ordinal = std::atoi(argv[++i]);
    } else if (is("--deadline")) {
      run.deadline = std::atof(argv[++i]);
    } else if (is("--types")) {
      run.types = split(argv[++i]);
    } else if (is("--orders")) {
      run.orders = split(argv[++i]);
    } else if (is("--choices")) {
      run.choices = split(argv[++i]);
    } else if (is("--rounds")) {
      run.rounds = std::atoi(argv[++i]);
    } else if (is("--samples")) {
      run.samples = std::max(1, std::atoi(argv[++i]));
    } else if (is("--sample-ms")) {
      run.sample_ms = std::atof(argv[++i]);
    } else if (is("--slice") && std::sscanf(argv[i + 1], "%d/%d", &slice, &slices) == 2 && slice >= 0 &&
               slice < slices) {
      run.slice = slice;
      run.slices = slices;
      ++i;
    } else if (a == "--own") {
      for (const KernelRow& row : kernel_rows()) {
        if (std::strcmp(row.name, "cudnn") != 0) run.choices.emplace_back(row.name);
      }
      for (const char* name : {"weights-direct", "weights-gemm", "pass"}) run.choices.emplace_back(name);
    } else if (a == "--quick") {
      run.quick = true;
    } else if (a.rfind("--", 0) == 0) {
      std::printf("unknown or incomplete argument %s\n", a.c_str());
      return false;
    } else {
      out.parts.push_back(a);
    }
  }
  return true;
}

}  // namespace

bool Run::listed(const std::vector<std::string>& list, const std::string& name) {
  return list.empty() || std::find(list.begin(), list.end(), name) != list.end();
}

void Run::check(bool good, const std::string& what) {
  report["checks"] = report.value("checks", int64_t{0}) + 1;
  if (good) return;
  ++failures;
  report["failed"].push_back(what);
  std::printf("FAILED: %s\n", what.c_str());
  std::fflush(stdout);
}

void Run::survive(const std::string& name, const std::function<void()>& f) {
  std::snprintf(g_case, sizeof(g_case), "%s", name.c_str());
  try {
    f();
    return;
  } catch (const std::exception& e) {
    check(false, name + ": " + e.what());
  }
  cudaGetLastError();  // one that does not stick
  const cudaError_t now = cudaDeviceSynchronize();
  save();
  if (now != cudaSuccess) throw ContextLost("context lost in " + name + ": " + cudaGetErrorString(now));
}

void Run::save() {
  if (out.empty()) return;
  report["seconds"] = seconds();
  const std::string whole = out + ".part";
  {
    std::ofstream file(whole);
    file << report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    if (!file.flush()) {
      std::printf("FAILED: cannot write %s\n", whole.c_str());
      ++failures;
      return;
    }
  }
  if (std::rename(whole.c_str(), out.c_str()) != 0) std::printf("FAILED: cannot rename %s\n", whole.c_str());
}

int main_of(int argc, char** argv) {
  Run run;
  Arguments arguments;
  if (!parse(argc, argv, run, arguments)) return 2;
  for (const int s : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS, SIGILL, SIGTERM}) std::signal(s, on_signal);
  ctconv_cuda_table table;
  must(open_cuda_module(arguments.module_path, "", &table), "module");
  const CudaModule module(table);
  run.module = &module;
  if (const Status device = module.check_device(run.ordinal); !device.ok()) {
    std::printf("NOT RUN: %s (status %d)\n", device.detail().message.c_str(), static_cast<int>(device.code()));
    return 77;
  }
  must(cudaSetDevice(run.ordinal), "device");
  run.layers = read_layers(arguments.layers_path);
  auto text = module.device_text(run.ordinal);
  must(text.ok() ? Status() : text.take_status(), "device text");
  run.report["device"] = *text;
  run.report["seed"] = run.seed;
  run.report["slice"] = {run.slice, run.slices};
  run.report["checks"] = 0;
  run.report["failed"] = nlohmann::json::array();
  std::printf("%s, seed %llu, slice %lld/%lld\n", text->c_str(), static_cast<unsigned long long>(run.seed),
              static_cast<long long>(run.slice), static_cast<long long>(run.slices));
  const std::pair<const char*, void (*)(Run&)> all[] = {
      {"constants", run_constants}, {"ceilings", run_ceilings},   {"correct", run_correct}, {"random", run_random},
      {"gradients", run_gradients}, {"behaviour", run_behaviour}, {"bench", run_bench}};
  bool lost = false;
  for (const std::string& part : arguments.parts) {
    bool known = false;
    for (const auto& [name, function] : all) {
      if (part != name || lost) continue;
      known = true;
      std::snprintf(g_case, sizeof(g_case), "%s", name);
      try {
        function(run);
      } catch (const ContextLost& e) {
        lost = true;
        run.report["lost"] = e.what();
        std::printf("FAILED: %s\n", e.what());
      } catch (const std::exception& e) {
        run.check(false, part + " stopped: " + e.what());
      }
      run.report["parts"].push_back({{"part", part}, {"until_seconds", run.seconds()}});
    }
    run.check(known || lost, "unknown part " + part);
  }
  run.save();
  std::printf("%lld checks, %d failed, %.1f s\n", static_cast<long long>(run.report.value("checks", int64_t{0})),
              run.failures, run.seconds());
  std::fflush(stdout);
  if (lost) _exit(3);  // destructors would only repeat the fault
  return run.failures ? 1 : 0;
}

}  // namespace ctconv::cuda::testing

int main(int argc, char** argv) {
  try {
    return ctconv::cuda::testing::main_of(argc, argv);
  } catch (const std::exception& e) {
    std::printf("FAILED: %s\n", e.what());
    return 1;
  }
}
