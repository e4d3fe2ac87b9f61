// ctconv_gpu_run: everything that needs a device, in one program.
//
//   ctconv_gpu_run PART... --module libctconv_cuda.so --layers bench/layers.json [--out report.json] [--only SUBSTRING]
//                  [--quick] [--seed N] [--device N]      PART: ceilings correct random behaviour bench
//   exit status 0: all checks held; 1: some failed; 77: no usable device, nothing was run (said on stdout)
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {

void Run::check(bool good, const std::string& what) {
  report["checks"] = report.value("checks", int64_t{0}) + 1;
  if (good) return;
  ++failures;
  report["failed"].push_back(what);
  std::printf("FAILED: %s\n", what.c_str());
  std::fflush(stdout);
}

int main_of(int argc, char** argv) {
  Run run;
  std::string module_path, layers_path, out;
  std::vector<std::string> parts;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (a == "--module") {
      module_path = value();
    } else if (a == "--layers") {
      layers_path = value();
    } else if (a == "--out") {
      out = value();
    } else if (a == "--only") {
      run.only = value();
    } else if (a == "--seed") {
      run.seed = std::strtoull(value().c_str(), nullptr, 10);
    } else if (a == "--device") {
      run.ordinal = std::atoi(value().c_str());
    } else if (a == "--quick") {
      run.quick = true;
    } else {
      parts.push_back(a);
    }
  }
  ctconv_cuda_table table;
  must(open_cuda_module(module_path, "", &table), "module");
  const CudaModule module(table);
  run.module = &module;
  if (const Status device = module.check_device(run.ordinal); !device.ok()) {
    std::printf("NOT RUN: %s (status %d)\n", device.detail().message.c_str(), static_cast<int>(device.code()));
    return 77;
  }
  must(cudaSetDevice(run.ordinal), "device");
  run.layers = read_layers(layers_path);
  run.report["device"] = module.device_text(run.ordinal).value();
  run.report["seed"] = run.seed;
  std::printf("%s, seed %llu\n", run.report["device"].get<std::string>().c_str(),
              static_cast<unsigned long long>(run.seed));
  const std::pair<const char*, void (*)(Run&)> all[] = {{"ceilings", run_ceilings},
                                                        {"correct", run_correct},
                                                        {"random", run_random},
                                                        {"behaviour", run_behaviour},
                                                        {"bench", run_bench}};
  for (const std::string& part : parts) {
    bool known = false;
    for (const auto& [name, function] : all) {
      if (part != name) continue;
      known = true;
      try {
        function(run);
      } catch (const std::exception& e) {
        run.check(false, part + " stopped: " + e.what());
      }
    }
    run.check(known, "unknown part " + part);
  }
  if (!out.empty()) std::ofstream(out) << run.report.dump(1) << "\n";
  std::printf("%lld checks, %d failed\n", static_cast<long long>(run.report.value("checks", int64_t{0})), run.failures);
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
