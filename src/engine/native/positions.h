// Form "positions": vector lanes run over flattened output positions, rows are output channels and phases.
//
//   For channels-first layers with few products per output (few channels or taps), and for few output channels.
//   x -> padded planes (or in place where no tap can leave the input) -> M x V blocks -> rows of one unit -> y, once
//   Unit: the rows finished together, `channels` output channels times all phases they are interleaved with.
//   Weights: [group][unit][block][ci][taps][M], zero-free: a block holds phases of one tap list only.
//   Refuses: weights with Inf or NaN where padding could meet them (pack answers false).
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "src/engine/native/kit.h"
#include "src/engine/native/positions_routines.h"
#include "src/plan/engine.h"

namespace ctconv::native {

template <class T>
class PositionsKernel final : public Kernel {
 public:
  // Null where the form cannot serve the problem within the limit.
  static std::unique_ptr<PositionsKernel> plan(const Problem& p, const PlanContext& context, const Moves<T>& moves);

  std::string form() const override;
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return seconds_; }
  size_t scratch_bytes() const override;
  size_t packed_bytes() const override;
  std::string packing() const override;
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override;
  Status run(const Operands& memory, const Runner& runner) const override;

 private:
  struct TapList {  // one per combination of the axes' tap lists
    int64_t d_taps = 1, d_v0 = 0, hw_taps = 1;
    std::vector<int64_t> x_tap, w_tap;  // places in the planes and in the raw weight
  };
  struct Block {
    int32_t list = 0, rows = 0;
    int32_t row = 0;     // first entry of rows_ and row_c_
    int64_t weight = 0;  // offset inside the group's packed weights
  };
  struct Unit {
    int32_t c0 = 0, channels = 0;
    int32_t d0 = 0, d1 = 0, h0 = 0, h1 = 0;  // phases along d and h; all of w
    int32_t block0 = 0, block1 = 0;
  };
  struct RowOf {  // what the packed row computes
    int32_t c, d, h, w;
  };
  struct Piece {  // part of one row of the u grid inside a group of strips
    int64_t ud, uh, at;
    typename RowStore<T>::Span span;
  };

  void make_lists();
  void make_units(bool stream);
  void make_slabs();
  void make_tasks(const PlanContext& context);
  void make_panels(double cycles, size_t limit);
  void estimate(const PlanContext& context);
  int64_t row_of(const Unit& u, int64_t c, int64_t d, int64_t h, int64_t w) const;
  // Places of the planes that groups k0 .. k1 read.
  std::array<int64_t, 2> places_of(int64_t k0, int64_t k1) const;
  int64_t start_of(int64_t k) const;  // first position of a group in its slab
  int64_t pieces_of(int64_t slab, int64_t j0, int64_t count, Piece* pieces) const;
  void task(const Operands& m, const T* x, const T* bias, int64_t n0, int64_t index, T* scratch) const;
  void multiply(const Operands& m, const T* x, int64_t x_ci, const T* ahead, int64_t ahead_ci, const T* bias,
                int64_t g, int64_t slab, const Unit& u, int vectors, T* rows) const;
  void activate(const Unit& u, int64_t count, T* rows) const;
  void finish(const Operands& m, int64_t n, int64_t g, const Unit& u, const Piece* pieces, int64_t count,
              int64_t width, const T* rows, T* stage, RowPart* parts) const;
  void finish_short(const Unit& u, const Piece* pieces, int64_t count, int64_t width, const T* rows, char* y, T* stage,
                    RowPart* parts) const;

  Problem p_;
  Moves<T> moves_;
  PositionsRoutines<T> routines_;
  std::array<AxisPhases, 3> axes_;
  PlaneGrid grid_;
  RowStore<T> store_;
  bool in_place_ = false;        // x is read where it lies
  bool own_panel_ = false;       // each tile pads what it reads itself, in its worker's memory
  bool pack_panel_ = false;      // in place, but each strip is copied to a dense panel: many rows read it
  bool channels_inner_ = false;  // y has its channels innermost: they are interleaved like phases
  std::vector<TapList> lists_;
  std::vector<Block> blocks_;
  std::vector<Unit> units_;
  std::vector<int32_t> rows_, row_c_;
  std::vector<RowOf> row_of_;
  int64_t group_weights_ = 0;  // packed elements per group
  int64_t max_rows_ = 0;       // rows of the largest unit
  // Positions are cut into slabs: the whole grid, or one row of d each with the taps that are real there.
  int64_t slabs_ = 1, slab_step_ = 0, slab_positions_ = 0, slab_vectors_ = 0, slab_strips_ = 0, slab_groups_ = 0;
  // A group of strips is finished together: rows of `width_` positions behind kMaxLanes spare ones.
  int64_t group_strips_ = 1, width_ = 0;
  int64_t groups_ = 0, groups_per_tile_ = 1, tiles_ = 1, unit_groups_ = 1;
  int64_t panel_pitch_ = 0, panel_elements_ = 0;  // of a worker's panel: from channel to channel, all of them
  double copies_ = 1;                             // how often a place of the planes is written
  int64_t images_ = 1;                            // copied at once
  int64_t row_elements_ = 0, stage_elements_ = 0, worker_elements_ = 0;
  int32_t threads_ = 1;
  double slab_ratio_ = 1;  // share of the taps that is left
  double seconds_ = 0;
};

}  // namespace ctconv::native
