// Form "depthwise": one input and one output channel per group, channels innermost in x and y: lanes run over channels.
//
//   x (in place, or widened) -> per output row and phase: positions x taps of vector multiply-adds -> y
//   Only taps that meet a real input element are multiplied. Weights: [phase][tap][channel].
//   16-bit types: each task widens what it reads into a panel of its worker, so that no call needs a copy of x. A task
//   is then a block of channels too, which bounds the panel.
//   Refuses (null): fewer channels than lanes, other layouts, more than one channel in a group, too large tables.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/depthwise_routines.h"
#include "src/engine/native/kit.h"
#include "src/plan/engine.h"

namespace ctconv::native {

template <class T>
class DepthwiseKernel final : public Kernel {
 public:
  static std::unique_ptr<DepthwiseKernel> plan(const Problem& p, const PlanContext& context, const Moves<T>& moves);

  std::string form() const override;
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return seconds_; }
  size_t scratch_bytes() const override;
  size_t packed_bytes() const override;
  std::string packing() const override;
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override;
  Status run(const Operands& memory, const Runner& runner) const override;

 private:
  struct Row;  // where one task works: an output row, a chunk of it, a block of channels
  void make_chunks();
  void estimate();
  void task(const Operands& m, const T* bias, int64_t index, T* scratch) const;
  void widen(const Operands& m, const Row& row, T* panel) const;
  void phase(const Operands& m, const T* bias, const Row& row, const T* x, int64_t f, const Stretch& l, int64_t* taps,
             T* wide) const;

  Problem p_;
  Moves<T> moves_;
  DepthwiseRoutines<T> routines_;
  std::array<AxisPhases, 3> axes_;
  std::array<std::vector<std::vector<Stretch>>, 3> stretches_;  // per axis and phase
  std::vector<int64_t> weight_;                                 // per phase triple: offset of its taps
  int64_t weights_ = 0, max_taps_ = 1;
  bool in_place_ = false;
  int64_t chunk_ = 1, chunks_ = 1;  // positions of a row per task, all their phases
  int64_t blocks_ = 1;              // of channels
  int64_t panel_row_ = 0;           // elements of one input row in a panel
  int64_t panel_elements_ = 0, wide_elements_ = 0, worker_elements_ = 0;
  int32_t threads_ = 1;
  double seconds_ = 0;
};

}  // namespace ctconv::native
