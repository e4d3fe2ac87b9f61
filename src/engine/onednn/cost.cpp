// The model's numbers, from 101 layers on Zen 4 (AVX-512, 3.65 GHz, 2 threads), oneDNN 3.7.2, 2026-11-21.
// 117 GF/s a core is the f32 peak. Where it errs most: many phases with few channels (k4s4 48 to 48: 4 times too low).
#include "src/engine/onednn/cost.h"

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>

namespace ctconv::onednn {
namespace {

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

constexpr double kBestShare = 0.95;  // of the peak

// Reading x and w, `passes` times y, and the reorders.
double moving_seconds(const Problem& p, int32_t threads, double passes, double reorder_bytes) {
  const double lanes = std::min<double>(threads, 4);  // threads that memory can feed
  const double y_bytes = static_cast<double>(p.out_elements()) * static_cast<double>(size_of(p.types.y));
  const double reorders = reorder_bytes > 0 ? 4e-6 + reorder_bytes / (20e9 * lanes) : 0;
  return 6e-6 + (moved_bytes(p) + (passes - 1) * y_bytes) / (13e9 * lanes) + reorders;
}

}  // namespace

double least_seconds(const Problem& p, int32_t threads, double reorder_bytes) {
  const double rate = kBestShare * core_peak() * threads * (size_of(p.types.x) == 2 ? 2 : 1);
  return moving_seconds(p, threads, 1, reorder_bytes) + useful_flop(p) / rate;
}

double estimated_seconds(const Problem& p, const Implementation& by, int32_t threads, double reorder_bytes) {
  using Method = Implementation::Method;
  const double peak = core_peak() * threads;
  const bool depthwise = p.ci == 1 && p.co == 1 && p.groups > 1;
  const auto& w = p.axis[2];
  double rate = 0, passes = 1;  // passes: times y goes through memory
  if (by.method == Method::kGemm) {
    rate = (p.groups > 1 ? 0.0035 : 0.09) * peak;  // built without generated GEMM kernels; 0.3 to 0.6 with them
    passes = 2;
  } else if (by.method == Method::kDepthwise) {
    rate = 0.35 * peak;
  } else if (by.method == Method::kBrgemm) {
    rate = kBestShare * peak * filled(p.co) * std::min(1.0, 0.6 + 0.4 * static_cast<double>(p.ci) / 16);
    if (depthwise) rate = peak / 16;
    // Along w it multiplies padding too: o*k/s taps instead of i*k.
    rate /= std::max(1.0, static_cast<double>(w.o) / (static_cast<double>(w.s) * static_cast<double>(w.i)));
    if (size_of(p.types.x) == 2) rate *= 2;
  } else {
    rate = depthwise ? 0.03 * peak : 0.8 * peak * filled(p.co);
  }
  if (by.backward_convolution) {  // bias and activation apart: ours in f32, else oneDNN's passes of plain C++
    const bool act = p.epilogue.activation.kind != Activation::kNone;
    passes += p.types.x == Dtype::kF32 ? (p.epilogue.bias || act ? 2 : 0) : (p.epilogue.bias ? 12 : 0) + (act ? 60 : 0);
  }
  return moving_seconds(p, threads, passes, reorder_bytes) + useful_flop(p) / rate;
}

}  // namespace ctconv::onednn
