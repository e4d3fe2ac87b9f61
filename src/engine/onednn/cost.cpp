// The model's numbers. Measured on Zen 4 (AVX-512, 3.65 GHz, 2 threads), oneDNN 3.7.2; 117 GF/s a core is the f32 peak.
#include "src/engine/onednn/cost.h"

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>

namespace ctconv::onednn {
namespace {

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// f32 flop a second of one core.
double core_peak() {
  static const double peak = [] {
    const auto isa = dnnl::get_effective_cpu_isa();
    const bool wide = isa != dnnl::cpu_isa::sse41 && isa != dnnl::cpu_isa::avx && isa != dnnl::cpu_isa::avx2 &&
                      isa != dnnl::cpu_isa::avx2_vnni && isa != dnnl::cpu_isa::avx2_vnni_2;
    return wide ? 117e9 : 58e9;
  }();
  return peak;
}

// Share of lanes that hold a channel when channels are padded to a block of 16.
double filled(int64_t channels) {
  return static_cast<double>(channels) / static_cast<double>((channels + 15) / 16 * 16);
}

}  // namespace

double estimated_seconds(const Problem& p, const std::string& implementation, int32_t threads, double reorder_bytes) {
  const double peak = core_peak() * threads;
  const bool narrow = size_of(p.dtype) == 2;
  const bool depthwise = p.groups > 1 && p.ci == 1 && p.co == 1;
  double rate = 0, passes = 1;  // passes: times y goes through memory
  if (has(implementation, "dw")) {
    rate = 0.025 * peak;  // jit_dw as backward data: 5 to 6 GF/s of 234
  } else if (has(implementation, "brg")) {
    rate =
        0.93 * peak * (depthwise ? 1.0 / 16 : filled(p.co) * std::min(1.0, 0.2 + 0.8 * static_cast<double>(p.ci) / 16));
    if (narrow) rate *= 2;
  } else if (has(implementation, "gemm")) {
    rate = 0.15 * peak;  // without generated GEMM kernels; 0.3 to 0.6 with them
    passes = 3;
  } else {
    rate = depthwise ? 0.012 * peak : 0.5 * peak * filled(p.co);
  }
  if (has(implementation, "conv:any")) {
    // Bias and activation are a separate pass of plain C++.
    passes += p.bias ? 2 : 1;
    if (p.act.kind != Epilogue::kNone) passes += 20;
  }
  const double bandwidth = 10e9 * std::min<double>(threads, 4);
  const double y_bytes = static_cast<double>(p.out_elements()) * static_cast<double>(size_of(p.dtype));
  const double bytes = moved_bytes(p) + (passes - 1) * y_bytes;
  const double reorders = reorder_bytes / (9e9 * std::min<double>(threads, 4)) + (reorder_bytes > 0 ? 4e-6 : 0);
  return 6e-6 + std::max(useful_flop(p) / rate, bytes / bandwidth) + reorders;
}

}  // namespace ctconv::onednn
