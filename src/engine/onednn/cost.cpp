// SPDX-License-Identifier: Apache-2.0
// The model's numbers, from 101 layers on Zen 4 (AVX-512, 2 threads), oneDNN 3.7.2, 2026-11-21 and 2026-11-27: cycles,
// and shares of this machine's peak and bandwidth.
#include "src/engine/onednn/cost.h"

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>

#include "src/machine/machine.h"

namespace ctconv::onednn {
namespace {

// Shares of the peak.
constexpr double kBestShare = 0.95;  // of brgemm on full blocks
constexpr double kGemmShare = 0.09,
                 kGroupedGemmShare = 0.0035;  // built without generated kernels; 0.3 to 0.6 with them
constexpr double kDepthwiseShare = 0.35;
constexpr double kJitShare = 0.8, kJitDepthwiseShare = 0.03;
constexpr double kBrgemmDepthwiseShare = 1.0 / 144;
constexpr double kHalfTypes = 2;  // times the f32 rate for 16-bit types

constexpr int64_t kBlock = 16;  // channels are padded to a multiple
// Of brgemm's rate with next to no input channels and a stride; all of it from a block on.
constexpr double kLeastOfFewInputs = 0.6;

// Passes over y beside the first: of GEMM, which adds columns up; of bias and activation apart from the convolution.
constexpr double kGemmPasses = 1;
constexpr double kOurEpiloguePasses = 2, kBiasPasses = 80, kActivationPasses = 60;  // ours in f32; oneDNN's plain C++

// Brgemm calls its kernel for each row of y, phase of w and block of output channels, dearer with groups; where it cuts
// short rows of many phases for several threads (da2s.k4s4, fcn32s.dense, waveglow.up), for each position.
constexpr double kKernelCallCycles = 200, kGroupCallCycles = 550, kShortPhaseCycles = 600;
constexpr double kRowTapCycles = 150;  // of such a call, for each tap of d and h in a phase (seed3.doc, seed4.ex1)
constexpr int64_t kCallChannels = 64, kManyPhases = 4, kShortPhase = 128;

// Making a primitive: each tap of a long row is code of its own, for each block of input channels (waveglow.up 0.5 s,
// istft.conv 7 s). It counts as a part of so many calls.
constexpr int64_t kLongKernel = 16;
constexpr double kTapMakingCycles = 0.4e6, kMakingCalls = 100;

// Of what one core writes past the caches; as many bytes as some second-level caches hold count less.
constexpr double kMovedShare = 13.0 / 27, kNearBytes = 1.0 / 3, kNearCaches = 6;
constexpr double kCallCycles = 22e3, kReorderCycles = 14.6e3;  // 6 and 4 microseconds at 3.65 GHz
// An element of 32 or 16 bits reordered, and what is added where they are larger than so many second-level caches.
constexpr double kReorderedCycles = 2.0, kReorderedHalfCycles = 1.4, kFarReorderedCycles = 0.6, kFarReorders = 16;

// Bytes of the vectors oneDNN uses here, which ONEDNN_MAX_CPU_ISA may narrow.
int64_t vector_bytes() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return 16;
    case dnnl::cpu_isa::avx:
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx2_vnni_2:
      return 32;
    default:
      return 64;
  }
}

// f32 flop a second of one core.
double core_peak() {
  const Machine& m = machine();
  const double narrower = static_cast<double>(vector_bytes()) / static_cast<double>(m.vector_bytes);
  return m.peak(sizeof(float)) * std::min(1.0, narrower);
}

// Share of lanes that hold a channel when channels are padded to a block.
double filled(int64_t channels) {
  return static_cast<double>(channels) / static_cast<double>((channels + kBlock - 1) / kBlock * kBlock);
}

// Elements transposed by all threads, read and written once.
double reorder_seconds(const Problem& p, int32_t threads, double bytes) {
  if (bytes <= 0) return 0;
  const Machine& m = machine();
  const size_t size = size_of(p.types.x);
  const double elements = bytes / (2 * static_cast<double>(size));
  const double far = std::min(1.0, bytes / (kFarReorders * static_cast<double>(std::max(m.l2, m.l1))));
  const double one = (size == 2 ? kReorderedHalfCycles : kReorderedCycles) + kFarReorderedCycles * far;
  const double cycles = elements * one / threads;
  return m.seconds(kReorderCycles) + std::max(m.seconds(cycles), bytes / m.bandwidth(threads));
}

// Reading x and w, `passes` times y, and the reorders.
double moving_seconds(const Problem& p, int32_t threads, double passes, double reorder_bytes) {
  const Machine& m = machine();
  const double y_bytes = static_cast<double>(p.out_elements()) * static_cast<double>(size_of(p.types.y));
  const double moved = std::min(kMovedShare * m.bandwidth(1) * threads, m.bandwidth(threads));
  const double bytes = moved_bytes(p) + (passes - 1) * y_bytes;
  const double near = std::min(bytes, kNearCaches * static_cast<double>(std::max(m.l2, m.l1)));
  return m.seconds(kCallCycles) + (bytes - (1 - kNearBytes) * near) / moved +
         reorder_seconds(p, threads, reorder_bytes);
}

double type_factor(const Problem& p) { return size_of(p.types.x) == 2 ? kHalfTypes : 1; }

bool is_depthwise(const Problem& p) { return p.ci == 1 && p.co == 1 && p.groups > 1; }

// Share of the peak that brgemm has with full rows.
double brgemm_share(const Problem& p) {
  if (is_depthwise(p)) return kBrgemmDepthwiseShare;
  const bool dense = p.axis[0].s == 1 && p.axis[1].s == 1 && p.axis[2].s == 1;
  const double least = dense ? 1 : kLeastOfFewInputs;
  const double few_inputs = least + (1 - least) * static_cast<double>(p.ci) / kBlock;
  return kBestShare * filled(p.co) * std::min(1.0, few_inputs);
}

double brgemm_rate(const Problem& p, double peak) {
  double rate = brgemm_share(p) * peak;
  // Along w it multiplies padding too: o*k/s taps instead of i*k.
  const auto& w = p.axis[2];
  rate /= std::max(1.0, static_cast<double>(w.o) / (static_cast<double>(w.s) * static_cast<double>(w.i)));
  return rate * type_factor(p);
}

// Of brgemm's kernels, beside what they multiply.
double brgemm_calls_seconds(const Problem& p, int32_t threads) {
  const Axis& w = p.axis[2];
  const double blocks = static_cast<double>((p.co + kCallChannels - 1) / kCallChannels);
  const double rows = static_cast<double>(p.n * p.groups * p.axis[0].o * p.axis[1].o) * blocks;
  const auto taps = [](const Axis& a) { return static_cast<double>((a.k + a.s - 1) / a.s); };
  const double call =
      (p.groups > 1 ? kGroupCallCycles : kKernelCallCycles) + kRowTapCycles * taps(p.axis[0]) * taps(p.axis[1]);
  double cycles = rows * static_cast<double>(std::min(w.s, w.o)) * call;
  if (threads > 1 && w.s >= kManyPhases && w.i <= kShortPhase) {
    cycles += rows * static_cast<double>(w.o) * kShortPhaseCycles;
  }
  return machine().seconds(cycles / threads);
}

// Passes of bias and activation where they are not part of the convolution.
double epilogue_passes(const Problem& p) {
  const bool act = p.epilogue.activation.kind != Activation::kNone, bias = p.epilogue.bias;
  if (p.types.x == Dtype::kF32) return bias || act ? kOurEpiloguePasses : 0;
  return (bias ? kBiasPasses : 0) + (act ? kActivationPasses : 0);
}

}  // namespace

double making_seconds(const Problem& p) {
  const int64_t k = p.axis[2].k, blocks = (p.ci + kBlock - 1) / kBlock;
  return k <= kLongKernel ? 0 : machine().seconds(static_cast<double>(k * blocks) * kTapMakingCycles);
}

double least_seconds(const Problem& p, int32_t threads, double reorder_bytes) {
  const bool narrow = size_of(p.types.x) == 2;
  double share = is_depthwise(p) ? kDepthwiseShare : std::max(brgemm_share(p), kGemmShare);
  if (narrow) share = brgemm_share(p);  // nothing else is taken there
  const double rate = share * core_peak() * threads * type_factor(p);
  return moving_seconds(p, threads, 1, reorder_bytes) + useful_flop(p) / rate +
         (narrow ? brgemm_calls_seconds(p, threads) : 0) + making_seconds(p) / kMakingCalls;
}

double estimated_seconds(const Problem& p, const Implementation& by, int32_t threads, double reorder_bytes) {
  using Method = Implementation::Method;
  const double peak = core_peak() * threads;
  double rate = 0, passes = 1, calls = 0;  // passes: times y goes through memory
  if (by.method == Method::kGemm) {
    rate = (p.groups > 1 ? kGroupedGemmShare : kGemmShare) * peak;
    passes += kGemmPasses;
  } else if (by.method == Method::kDepthwise) {
    rate = kDepthwiseShare * peak;
  } else if (by.method == Method::kBrgemm) {
    rate = brgemm_rate(p, peak);
    calls = brgemm_calls_seconds(p, threads);
  } else {
    rate = is_depthwise(p) ? kJitDepthwiseShare * peak : kJitShare * peak * filled(p.co);
  }
  if (by.backward_convolution) passes += epilogue_passes(p);
  return moving_seconds(p, threads, passes, reorder_bytes) + useful_flop(p) / rate + calls;
}

}  // namespace ctconv::onednn
