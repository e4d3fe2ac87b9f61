// SPDX-License-Identifier: Apache-2.0
// The parts of ctconv_gpu_run and what they share. See main.cpp.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/backend/cuda/cuda_module.h"
#include "tests/cuda/layers.h"

namespace ctconv::cuda::testing {

// One row of cuda/choose.cpp as the tests see it. A new row there is one line in kernel_rows().
struct KernelRow {
  const char* name;
  bool reference_bits;  // random problems are held to == with the scalar chain, else to == on small integers
  enum { kAny, kStride, kDepthwise } shapes;  // what random problems draw: anything, kernel = stride, depthwise
  const char*
      behaviour_layer;  // runs part behaviour in strict f32, channels-first; null: another row has its host path
  bool timed;           // part bench
};
inline const std::vector<KernelRow>& kernel_rows() {
  static const std::vector<KernelRow> rows{
      {"cell", true, KernelRow::kAny, "dw.k4s2", true},
      {"pixel", true, KernelRow::kDepthwise, nullptr, true},
      {"shuffle-tensor", false, KernelRow::kStride, nullptr, true},
      {"shuffle", true, KernelRow::kStride, "unet3d.k2s2.deep", true},
      {"gemm-tensor", false, KernelRow::kAny, nullptr, true},
      {"fold", false, KernelRow::kAny, "dcgan.last", true},
      {"fold-tensor", false, KernelRow::kAny, nullptr, true},
      {"gemm-split", false, KernelRow::kAny, "dcgan.512", true},
      {"gemm", true, KernelRow::kAny, "dcgan.512", true},
      {"cudnn", false, KernelRow::kAny, "dcgan.512", true},
      {"direct", true, KernelRow::kAny, "seed4.ex1", false},
  };
  return rows;
}

// The context is gone (a fault on the device): nothing more can run in this process.
struct ContextLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Run {
  const CudaModule* module = nullptr;
  int32_t ordinal = 0;
  std::vector<Layer> layers;
  std::string only;    // substring of layer ids, empty: all
  bool quick = false;  // small shapes: for compute-sanitizer
  uint64_t seed = 1;
  int64_t slice = 0, slices = 1;                    // this process takes items slice, slice + slices, ...
  double deadline = 1e30;                           // seconds after the start
  std::vector<std::string> types, orders, choices;  // empty: all
  double sample_ms = 5;
  int samples = 5;
  int rounds = 120;
  std::string out;
  nlohmann::json report;  // grows by what each part found
  int failures = 0;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }
  bool late() const { return seconds() > deadline; }
  bool mine(int64_t item) const { return item % slices == slice; }
  bool wanted(const Layer& l) const { return only.empty() || l.id.find(only) != std::string::npos; }
  static bool listed(const std::vector<std::string>& list, const std::string& name);
  bool type(const char* name) const { return listed(types, name); }
  bool order(bool last) const { return listed(orders, last ? "last" : "first"); }
  bool choice(const char* name) const { return listed(choices, name); }

  void check(bool good, const std::string& what);
  // Runs f; what it throws fails the case `name`. A lost context ends the part: ContextLost.
  void survive(const std::string& name, const std::function<void()>& f);
  void save();  // the report so far, in place of the last one
};

inline const char* dtype_name(int32_t t) {
  return t == CTCONV_CUDA_F32 ? "f32" : t == CTCONV_CUDA_F16 ? "f16" : t == CTCONV_CUDA_BF16 ? "bf16" : "f64";
}

void run_constants(Run& run);  // the first part, if at all: before any plan
void run_ceilings(Run& run);
void run_correct(Run& run);    // every layer x type x order x kernel against f64 on the CPU
void run_random(Run& run);     // random geometry, strides, rims, tails: exact kernels by ==, others on small integers
void run_gradients(Run& run);  // dx, dw, db and the passes: random problems, every layer
void run_behaviour(Run& run);  // streams, threads, graph capture, workspace limit, saved plans, lifetime, errors
void run_bench(Run& run);

}  // namespace ctconv::cuda::testing
