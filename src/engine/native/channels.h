// Form "channels": vector lanes run over packed output channels, rows are output positions.
//
//   For many channels: any positions fill the rows, so narrow images, borders and batches of tiny images waste nothing.
//   x (in place where its channels lie innermost, else copied so) -> M x V blocks in slabs of input channels -> tile
//   -> y
//   Only taps that meet a real input element are multiplied: positions are cut into boxes of equal tap sets.
//   Nothing is padded.
//   Weights: [group][combo][block][ci][taps][V*N]; a combo is one (d, h) phase and one or all (merged) w phases.
//   Lanes of a block: (c, f) or, with y's channels innermost, (f, c): runs of lanes are contiguous in y.
//   Refuses: weights with Inf or NaN (pack answers false), although padding cannot meet them here.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/channels_routines.h"
#include "src/engine/native/kit.h"
#include "src/plan/engine.h"

namespace ctconv::native {

template <class T>
class ChannelsKernel final : public Kernel {
 public:
  // merge: all w phases in the lanes. Null where the phases cannot be merged or the form cannot serve the problem.
  static std::unique_ptr<ChannelsKernel> plan(const Problem& p, const PlanContext& context, const Moves<T>& moves,
                                              bool merge);

  std::string form() const override;
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return seconds_; }
  size_t scratch_bytes() const override;
  size_t packed_bytes() const override;
  std::string packing() const override;
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override;
  Status run(const Operands& memory, const Runner& runner) const override;

 private:
  struct Combo {
    int32_t d = 0, h = 0, w = 0;  // phases; w: the first of phases_w_
    int64_t taps = 0;
    int64_t weight = 0;  // offset inside the group's packed weights
    int64_t w_tap = 0;   // where its taps begin in w_taps_
  };
  struct Block {
    int32_t row0 = 0, vectors = 0, valid = 0;  // valid: lanes that compute something
  };
  struct Range {
    int64_t begin = 0, end = 0;
    int64_t size() const { return end - begin; }
  };
  using Box = std::array<Range, 4>;  // n (within the images at hand), u along d, h, w
  struct Work;                       // one worker's memory

  // In lanes the phases lie by remainder, else they are numbered as the axis does.
  const Phase& w_phase(int64_t i) const { return merged_ ? axes_[2].by_f(i) : axes_[2].phases[static_cast<size_t>(i)]; }
  void make_combos();
  void make_blocks();
  void make_tasks(const PlanContext& context);
  void estimate();
  Box box_of(int64_t tile, int64_t images) const;
  Range range_of(const Combo& c, size_t axis) const;  // u range of a combo
  const T* own_copy(const Operands& m, T* worker) const;
  void task(const Operands& m, const T* x, const T* bias, int64_t n0, int64_t images, int64_t index,
            T* scratch) const;
  void finish(const Operands& m, int64_t n0, int64_t g, size_t bundle, const Block& block, const Box& tile, T* sums,
              T* spare) const;
  void finish_runs(const Operands& m, int64_t n0, int64_t g, const Combo& combo, const Block& block, const Box& tile,
                   const T* sums) const;

  Problem p_;
  Moves<T> moves_;
  ChannelsRoutines<T> routines_;
  std::array<AxisPhases, 3> axes_;
  RowStore<T> store_;
  bool in_place_ = false;
  bool merged_ = false;
  bool inner_ = false;          // y's channels innermost: lanes are (f, c)
  bool runs_ = false;           // lanes lie in y as runs; otherwise tiles are transposed and stored as rows
  bool direct_ = false;         // blocks write y themselves
  bool own_copy_ = false;       // every worker copies x for itself: cheaper than reading what another core wrote
  bool weights_outer_ = false;  // a task's neighbour has the same weights, not the same x
  bool stream_ = false;         // y is too large for the cache and made of whole lines
  int64_t f_ = 1;               // w phases per combo
  int64_t rows_ = 1;            // co * f
  int64_t run_ = 1;             // rows that follow each other in y
  int64_t padded_rows_ = 1;
  int64_t pitch_ = 1;                  // from one position of the copy to the next
  std::array<int64_t, 5> x_stride_{};  // n, g, d, h, w of what the kernels read
  std::vector<Combo> combos_;
  std::vector<int64_t> w_taps_;  // places of the taps in the raw weight, per combo
  std::vector<Block> blocks_;
  std::vector<std::array<size_t, 2>> bundles_;  // combos finished together
  int64_t group_weights_ = 0;
  std::array<std::vector<std::vector<Stretch>>, 3> stretches_;  // per axis and phase (w: per combo)
  std::array<int64_t, 4> step_{}, count_{};                     // tile size and number of tiles along n, d, h, w
  int64_t tile_positions_ = 1;
  int64_t images_ = 1;
  int64_t room_ = 0, spare_at_ = 0, worker_elements_ = 0;
  int64_t copy_elements_ = 0, copy_at_ = 0;  // copy_at_: of a worker's own copy in its memory, behind a line of flags
  int64_t max_taps_ = 1;
  int32_t threads_ = 1;
  double seconds_ = 0;
};

}  // namespace ctconv::native
