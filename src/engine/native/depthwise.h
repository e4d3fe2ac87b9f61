// Form "depthwise": one input and one output channel per group, channels innermost in x and y: lanes run over channels.
//
//   x (in place, or widened) -> per output row and phase: positions x taps of vector multiply-adds -> y
//   Only taps that meet a real input element are multiplied. Weights: [phase][tap][channel].
//   Refuses (null): fewer channels than lanes, other layouts, more than one channel in a group.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/geometry.h"
#include "src/engine/native/simd.h"
#include "src/plan/engine.h"

namespace ctconv::native {

template <class T>
class DepthwiseKernel final : public Kernel {
 public:
  static std::unique_ptr<DepthwiseKernel> plan(const Problem& p, const PlanContext& context, const Simd<T>& simd);

  std::string form() const override;
  double estimated_seconds() const override { return seconds_; }
  size_t scratch_bytes() const override;
  size_t packed_bytes() const override;
  std::string packing() const override;
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override;
  Status run(const CallMemory& memory, const Runner& runner) const override;

 private:
  void task(const CallMemory& m, const T* x, const T* bias, int64_t index, T* scratch) const;

  Problem p_;
  Simd<T> simd_;
  std::array<AxisPhases, 3> axes_;
  std::array<std::vector<std::vector<Stretch>>, 3> stretches_;  // per axis and phase
  std::vector<int64_t> weight_;                                 // per phase triple: offset of its taps
  int64_t weights_ = 0, max_taps_ = 1;
  bool in_place_ = false;
  std::array<int64_t, 4> x_stride_{};  // n, d, h, w of what the kernels read
  int64_t chunk_ = 1, chunks_ = 1;     // outputs of a row per task, in whole groups of phases
  int64_t worker_elements_ = 0;
  int32_t threads_ = 1;
  double seconds_ = 0;
};

}  // namespace ctconv::native
