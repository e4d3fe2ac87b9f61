// The parts of ctconv_gpu_run and what they share. See main.cpp.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "capi/cuda_module.h"
#include "tests/cuda/layers.h"

namespace ctconv::cuda::testing {

struct Run {
  const CudaModule* module = nullptr;
  int32_t ordinal = 0;
  std::vector<Layer> layers;
  std::string only;    // substring of layer ids, empty: all
  bool quick = false;  // small shapes: for compute-sanitizer
  uint64_t seed = 1;
  nlohmann::json report;  // grows by what each part found
  int failures = 0;

  bool wanted(const Layer& l) const { return only.empty() || l.id.find(only) != std::string::npos; }
  void check(bool good, const std::string& what);
};

inline const std::vector<const char*>& kernel_names() {
  static const std::vector<const char*> names{"cell", "pixel", "shuffle-tensor", "shuffle", "cudnn", "direct"};
  return names;
}
inline const char* dtype_name(int32_t t) {
  return t == CTCONV_CUDA_F32 ? "f32" : t == CTCONV_CUDA_F16 ? "f16" : t == CTCONV_CUDA_BF16 ? "bf16" : "f64";
}

void run_ceilings(Run& run);
void run_correct(Run& run);  // every layer x type x layout x kernel against f64 on the CPU
void run_random(Run& run);   // random geometry, strides, rims, tails: exact kernels by ==, cuDNN by bound
void run_behaviour(
    Run& run);  // streams, threads, graph capture, alignment, workspace limit, saved plans, lifetime, errors
void run_bench(Run& run);

}  // namespace ctconv::cuda::testing
