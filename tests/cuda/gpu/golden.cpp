// SPDX-License-Identifier: Apache-2.0
// ctconv_gpu_golden: the golden values of all dialects through the C API of libctconv, tensors in device memory.
//
//   ctconv_gpu_golden --data golden_values.jsonl [--out report.json] [--deadline SECONDS] [--slice I/N: every N-th
//                     record] [--no-cudnn: engine cudnn is not asked]
//   in:  CTCONV_CUDA_MODULE and CTCONV_CUDNN_PATH as for every program
//   out: each record with weights at create from the host, from the device, and with the call; engines auto and cudnn,
//        with TF32, with reference bits. Golden data is small integers: every order of sums is exact, so values are
//        held to ==, and the guards around y must stay whole.
//        Not equal: the largest difference in ulp of sum |x w| + |b| (the same op on the CPU over absolute values)
//   exit status 0: all equal; 1: some failed; 77: no usable device
#include <ctconv/ctconv.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/dialect/case.h"

namespace ctconv::cuda::testing {
namespace {

using test::Dense;
using test::Json;
using test::JsonValue;
using test::Shape;

enum class Weights { kHost, kDevice, kCall };

struct Mode {
  const char* name;
  const char* engine;  // null: default
  Weights weights;
  bool tf32, reproducible;
};
constexpr Mode kModes[] = {{"auto, weights from the host", nullptr, Weights::kHost, false, false},
                           {"auto, weights from the device", nullptr, Weights::kDevice, false, false},
                           {"auto, weights in the call", nullptr, Weights::kCall, false, false},
                           {"auto with TF32", "cuda", Weights::kHost, true, false},
                           {"reference bits", "cuda", Weights::kCall, false, true},
                           {"cudnn, weights from the host", "cudnn", Weights::kHost, false, false},
                           {"cudnn, weights in the call", "cudnn", Weights::kCall, false, false}};

struct Tally {
  std::map<std::string, int> equal, refused, failed, kernels;
  double worst_ulp = 0;
  Json failures = Json::array();
};

Shape shape_of(const Json& json) {
  Shape s;
  for (const auto& v : json) s.push_back(v.get<int64_t>());
  return s;
}

// Element i is ((a*i + b) mod m) - c, as the golden file says.
Dense made(Shape shape, int64_t a, int64_t b, int64_t m, int64_t c, bool absolute) {
  Dense t(std::move(shape), "float32");
  auto* p = reinterpret_cast<float*>(t.bytes.data());
  for (int64_t i = 0; i < t.count(); ++i) {
    const auto v = static_cast<float>((a * i + b) % m - c);
    p[i] = absolute ? std::fabs(v) : v;
  }
  return t;
}

struct Tensors {
  Dense x, w, b;
  bool bias;
  Tensors(const Json& record, bool absolute)
      : x(made(shape_of(record["input_shape"]), 7, 3, 13, 6, absolute)),
        w(made(shape_of(record["weight_shape"]), 5, 1, 11, 5, absolute)),
        bias(!record["bias_shape"].is_null()) {
    if (bias) b = made(shape_of(record["bias_shape"]), 3, 2, 7, 3, absolute);
  }
};

struct Answer {
  ctconv_status status = CTCONV_OK;
  std::string message, kernel;
  std::vector<float> y;
  Shape shape;
  bool guards = true;
};

struct Handles {
  ctconv_desc* desc = nullptr;
  ctconv_op* op = nullptr;
  ~Handles() {
    ctconv_destroy(op);
    ctconv_desc_destroy(desc);
  }
};

std::string kernel_of(const std::string& described) {
  const size_t at = described.find("\nform: ");
  if (at == std::string::npos) return "?";
  const std::string form = described.substr(at + 7, described.find('\n', at + 7) - at - 7);
  return form.substr(0, form.find_first_of(" ,:;"));
}

// Device copies; the guards of y are looked at.
struct OnDevice {
  Guarded x, w, b, y;
};

Answer answer_of(const Json& record, const Tensors& t, const Mode* mode, OnDevice& m) {
  Answer a;
  ctconv_error error = CTCONV_ERROR_INIT;
  Handles h;
  const auto failed = [&](const char* step, ctconv_status s) {
    a.status = s;
    a.message = std::string(step) + ": " + ctconv_status_name(s) + ": " + error.message;
    return s != CTCONV_OK;
  };
  if (failed("desc", ctconv_desc_create(record["dialect"].get<std::string>().c_str(), &h.desc, &error))) return a;
  for (const auto& [name, json] : record["args"].items()) {
    if (failed("set", ctconv_desc_set(h.desc, name.c_str(), JsonValue(json).get()))) return a;
  }
  ctconv_tensor x = t.x.record(), w = t.w.record(), b{};
  if (t.bias) b = t.b.record();
  const auto move = [](Guarded& to, const Dense& from, ctconv_tensor& record_of) {
    to.resize(from.bytes.size());
    to.write(from.bytes.data());
    record_of.data = to.data();
    record_of.device_type = CTCONV_DEVICE_CUDA;
  };
  ctconv_options options = CTCONV_OPTIONS_INIT;
  const bool in_call = mode && mode->weights == Weights::kCall;
  if (mode) {
    options.device = "cuda";
    options.engine = mode->engine;
    options.allow_tf32 = mode->tf32;
    options.reproducible = mode->reproducible;
    move(m.x, t.x, x);
    if (mode->weights != Weights::kHost) {
      move(m.w, t.w, w);
      if (t.bias) move(m.b, t.b, b);
    }
  } else {
    options.engine = "reference";
  }
  ctconv_tensor* bias = t.bias ? &b : nullptr;
  if (failed("create",
             ctconv_create(h.desc, in_call ? nullptr : &w, in_call ? nullptr : bias, &options, &h.op, &error)))
    return a;
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x;
  if (in_call) {
    call.weight = &w;
    call.bias = bias;
  }
  std::unique_ptr<JsonValue> size;
  if (record.contains("call") && record["call"].is_object() && record["call"].contains("output_size")) {
    size = std::make_unique<JsonValue>(record["call"]["output_size"]);
    call.output_size = size->get();
  }
  ctconv_spec spec{};
  if (failed("output_spec", ctconv_output_spec(h.op, &call, &spec, &error))) return a;
  a.shape = Shape(spec.shape, spec.shape + spec.ndim);
  Dense y(a.shape, "float32");
  ctconv_tensor y_record = y.record();
  if (mode) {
    m.y.resize(y.bytes.size());
    y_record.data = m.y.data();
    y_record.device_type = CTCONV_DEVICE_CUDA;
  }
  call.y = &y_record;
  if (failed("execute", ctconv_execute(h.op, &call, &error))) return a;
  if (mode) {
    must(cudaDeviceSynchronize(), "execute");
    a.y = m.y.read<float>();
    a.guards = m.y.guards_whole();
    char text[4096] = "";
    if (ctconv_describe(h.op, &call, text, sizeof(text), nullptr, &error) == CTCONV_OK) a.kernel = kernel_of(text);
  } else {
    a.y.resize(static_cast<size_t>(y.count()));
    std::memcpy(a.y.data(), y.bytes.data(), y.bytes.size());
  }
  return a;
}

// Largest |got - want| in units of 2^-23 (sum |x w| + |b|).
double worst_ulp(const Json& record, const std::vector<float>& got, OnDevice& m) {
  const Answer scale = answer_of(record, Tensors(record, true), nullptr, m);
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double want = record["output"][i].get<double>();
    const double unit = 0x1p-23 * std::max(1.0, i < scale.y.size() ? static_cast<double>(scale.y[i]) : 1.0);
    const double error = std::fabs(static_cast<double>(got[i]) - want) / unit;
    worst = std::isfinite(error) ? std::max(worst, error) : INFINITY;
  }
  return worst;
}

void one(const Json& record, int line, const Mode& mode, OnDevice& m, Tally& tally) {
  const auto fault = [&](const std::string& text) {
    ++tally.failed[mode.name];
    std::string what =
        "line " + std::to_string(line) + " " + record["dialect"].get<std::string>() + " " + mode.name + ": " + text;
    std::printf("FAILED: %s\n", what.c_str());
    tally.failures.push_back(what + "; args " + record["args"].dump());
  };
  const Answer a = answer_of(record, Tensors(record, false), &mode, m);
  if (a.status == CTCONV_ERR_UNSUPPORTED_ENGINE || a.status == CTCONV_ERR_DEVICE_NO_PLAN) {
    ++tally.refused[mode.name];
    if (mode.engine == nullptr || std::strcmp(mode.engine, "cudnn") != 0) fault(a.message);
    return;
  }
  if (a.status != CTCONV_OK) return fault(a.message);
  ++tally.kernels[a.kernel];
  if (a.shape != shape_of(record["output_shape"])) return fault("another shape, " + a.kernel);
  if (!a.guards) return fault("wrote outside y, " + a.kernel);
  const Json& want = record["output"];
  size_t different = 0;
  for (size_t i = 0; i < a.y.size(); ++i) different += a.y[i] != want[i].get<float>();
  if (different == 0 && a.y.size() == want.size()) {
    ++tally.equal[mode.name];
    return;
  }
  const double ulp = worst_ulp(record, a.y, m);
  tally.worst_ulp = std::max(tally.worst_ulp, ulp);
  fault(std::to_string(different) + " of " + std::to_string(a.y.size()) + " differ, at most " + std::to_string(ulp) +
        " ulp of sum |x w|" + (ulp <= 4 ? " (within 4: rounding)" : "") + ", " + a.kernel);
}

int main_of(int argc, char** argv) {
  std::string data, out;
  double deadline = 1e30;
  int slice = 0, slices = 1;
  bool cudnn = true;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--data" && i + 1 < argc) {
      data = argv[++i];
    } else if (a == "--out" && i + 1 < argc) {
      out = argv[++i];
    } else if (a == "--deadline" && i + 1 < argc) {
      deadline = std::atof(argv[++i]);
    } else if (a == "--no-cudnn") {
      cudnn = false;
    } else if (a == "--slice" && i + 1 < argc && std::sscanf(argv[i + 1], "%d/%d", &slice, &slices) == 2 &&
               slice >= 0 && slice < slices) {
      ++i;
    } else {
      std::printf("unknown or incomplete argument %s\n", a.c_str());
      return 2;
    }
  }
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    std::printf("NOT RUN: %s\n", error == cudaSuccess ? "no visible device" : cudaGetErrorString(error));
    return 77;
  }
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  Tally tally;
  OnDevice memory;
  std::ifstream in(data);
  int line = 0, records = 0;
  bool late = false;
  for (std::string text; !late && std::getline(in, text);) {
    if (line++ % slices != slice) continue;
    const Json record = Json::parse(text);
    ++records;
    for (const Mode& mode : kModes) {
      if (!cudnn && mode.engine && std::strcmp(mode.engine, "cudnn") == 0) continue;
      try {
        one(record, line, mode, memory, tally);
      } catch (const std::exception& e) {
        ++tally.failed[mode.name];
        std::printf("FAILED: line %d %s: %s\n", line, mode.name, e.what());
        tally.failures.push_back("line " + std::to_string(line) + " " + mode.name + ": " + e.what());
        if (cudaDeviceSynchronize() != cudaSuccess) late = true;  // the context is lost
      }
    }
    late = late || seconds() > deadline;
  }
  int failed = 0, equal = 0;
  for (const Mode& mode : kModes) {
    std::printf("golden, %-32s %d equal, %d refused, %d failed\n", mode.name, tally.equal[mode.name],
                tally.refused[mode.name], tally.failed[mode.name]);
    failed += tally.failed[mode.name];
    equal += tally.equal[mode.name];
  }
  for (const auto& [kernel, count] : tally.kernels) std::printf("golden, kernel %-16s %d\n", kernel.c_str(), count);
  const bool whole = line == 167 && !late;
  if (!whole) std::printf("FAILED: stopped after line %d of 167\n", line);
  std::printf("%d comparisons equal, %d failed, %.1f s\n", equal, failed, seconds());
  if (!out.empty()) {
    const Json report = {{"records", records},         {"equal", tally.equal},     {"refused", tally.refused},
                         {"failed", tally.failed},     {"kernels", tally.kernels}, {"worst_ulp", tally.worst_ulp},
                         {"failures", tally.failures}, {"seconds", seconds()}};
    std::ofstream(out) << report.dump(1) << "\n";
  }
  return failed != 0 || !whole ? 1 : 0;
}

}  // namespace
}  // namespace ctconv::cuda::testing

int main(int argc, char** argv) {
  try {
    return ctconv::cuda::testing::main_of(argc, argv);
  } catch (const std::exception& e) {
    std::printf("FAILED: %s\n", e.what());
    return 1;
  }
}
