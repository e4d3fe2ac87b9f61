// Form "rows": one input and one output channel per group, rows of y contiguous: lanes run over positions.
//
//   x of one channel -> padded plane of one worker -> per output row: all phases in registers, interleaved -> y, once
//   Weights: [group][(d, h) phases][w phase][tap].
//   Refuses (null): more than one channel in a group, 16-bit types, rows that are not contiguous or miss a phase,
//   strides along w that have no interleaving store; weights with Inf or NaN, which padding could meet (pack: false).
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/kit.h"
#include "src/engine/native/rows_routines.h"
#include "src/plan/engine.h"

namespace ctconv::native {

template <class T>
class RowsKernel final : public Kernel {
 public:
  static std::unique_ptr<RowsKernel> plan(const Problem& p, const PlanContext& context, const Moves<T>& moves);

  std::string form() const override;
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return seconds_; }
  size_t scratch_bytes() const override;
  size_t packed_bytes() const override;
  std::string packing() const override;
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override;
  Status run(const Operands& memory, const Runner& runner) const override;

 private:
  bool streams() const { return room_ > p_.axis[2].o; }  // the stage then holds several rows
  struct Combo {                                         // one (d, h) phase
    std::vector<int32_t> begin;
    std::vector<int64_t> x_tap, w_tap;  // places in the plane and in the raw weight
    int64_t weight = 0;
  };
  void channel(const Operands& m, int64_t index, T* plane) const;

  Problem p_, one_;  // one_: a single channel of it
  Moves<T> moves_;
  RowsRoutines<T> routines_;
  std::array<AxisPhases, 3> axes_;
  PlaneGrid grid_;
  std::vector<Combo> combos_;
  int64_t weights_ = 0;  // packed elements per group
  int64_t room_ = 0;     // values staged for streaming stores; 0: rows go straight to y
  int64_t places_ = 1;   // planes at a time: no more than channels, so that many threads need no more than x does
  int64_t worker_elements_ = 0;
  int32_t threads_ = 1;
  double seconds_ = 0;
};

}  // namespace ctconv::native
