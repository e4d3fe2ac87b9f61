// SPDX-License-Identifier: Apache-2.0
// Planning the weight gradient: which side has the lanes, how boxes and tiles are cut. See weights.h.
//
//   in:  a problem that writes w
//   out: a Plan, or a refusal
#include <algorithm>
#include <string_view>

#include "src/engine/native/costs.h"
#include "src/engine/native/form.h"
#include "src/engine/native/gradients.h"
#include "src/engine/native/limits.h"
#include "src/engine/native/weights.h"

namespace ctconv::native::weights {

Box next_box(const std::array<int64_t, 4>& extent, int64_t place, int64_t end, int64_t most) {
  Box box;
  int64_t at = place;
  for (size_t k = 4; k-- > 0;) {
    box[k] = {at % extent[k], at % extent[k] + 1};
    at /= extent[k];
  }
  int64_t left = std::min(most, end - place), unit = 1;
  for (size_t k = 4; k-- > 0;) {
    const int64_t begin = box[k].begin, whole = extent[k];
    const int64_t count = std::clamp<int64_t>(left / unit, 1, whole - begin);
    box[k].end = begin + count;
    if (begin != 0 || count != whole) return box;
    unit *= whole;
  }
  return box;
}

Range reached(const Axis& a, const Range& inputs) {
  const int64_t begin = std::clamp<int64_t>(inputs.begin * a.s - a.lo, 0, a.o);
  const int64_t end = std::clamp<int64_t>((inputs.end - 1) * a.s + (a.k - 1) * a.d - a.lo + 1, begin, a.o);
  return {begin, end};
}

namespace {

constexpr int64_t kBoxPlaces = 128;              // lanes of three vectors then fit the first-level cache
constexpr int64_t kPanelBytes = 512 * 1024;      // of a box
constexpr int64_t kTileSums = 256 * 1024;        // elements
constexpr double kPartsBytes = 8.0 * (1 << 20);  // of all chains together

std::array<int64_t, 5> strides_of(const ActivationLayout& l) { return {l.n, l.c, l.axis[0], l.axis[1], l.axis[2]}; }

// Multiply-adds of vectors for a place, were these channels the lanes.
int64_t steps(int64_t lanes, int64_t rows, int64_t vector) { return ceil_div(lanes, vector) * rows; }

// Elements of the largest panels of boxes of so many places: rows of y that whole rows of x meet.
int64_t panel_of_y(const Problem& p, int64_t most) {
  const std::array<int64_t, 4> extent{p.n, p.axis[0].i, p.axis[1].i, p.axis[2].i};
  int64_t left = most, elements = 1;
  bool whole = true;
  for (size_t k = 4; k-- > 0;) {
    const int64_t count = whole ? std::clamp<int64_t>(left, 1, extent[k]) : 1;
    left /= count;
    whole = whole && count == extent[k];
    if (k == 0) return elements * count;
    const Axis& a = p.axis[k - 1];
    elements *= std::min(a.o, (count - 1) * a.s + (a.k - 1) * a.d + 1);
  }
  return elements;
}

template <class T>
void lay_sides(Plan<T>* k) {
  const Problem& p = k->p;
  const int64_t vector = k->moves.lanes;
  const bool same = size_of(p.types.x) == sizeof(T);
  k->x.outside = strides_of(p.x);
  k->y.outside = strides_of(p.y);
  for (Side* side : {&k->x, &k->y}) {
    const bool lanes = k->pairs || (side == &k->x) == k->lanes_x;
    side->inner = lanes;
    side->in_place = same && (!lanes || (side->outside[1] == 1 && k->lanes % vector == 0));
  }
}

// Fewer places for a box until its panels stay in the second-level cache.
template <class T>
void lay_boxes(Plan<T>* k) {
  const Problem& p = k->p;
  const auto size = static_cast<int64_t>(sizeof(T));
  const auto channels = [&](const Side& side, int64_t lanes, int64_t rows) { return side.inner ? lanes : rows; };
  const int64_t x = channels(k->x, k->lane_tile, k->row_tile), y = channels(k->y, k->lane_tile, k->row_tile);
  k->x.pitch = x;
  k->y.pitch = y;
  for (k->box_places = kBoxPlaces;; k->box_places /= 2) {
    k->x.most = k->x.in_place ? 0 : k->box_places * x + k->moves.lanes;
    k->y.most = k->y.in_place ? 0 : panel_of_y(p, k->box_places) * y + k->moves.lanes;
    if (k->box_places <= 8 || (k->x.most + k->y.most) * size <= in_l2(kPanelBytes)) return;
  }
}

// Tiles of weights: small enough to stay in the cache, and enough of them for all threads.
template <class T>
void cut_tiles(Plan<T>* k) {
  const int64_t vector = k->moves.lanes;
  const double parts = static_cast<double>(k->chains) * static_cast<double>(k->groups * k->taps()) *
                       static_cast<double>(k->rows * k->padded) * sizeof(T);
  k->by_chains = k->chains >= 4 * k->threads && parts <= kPartsBytes;
  const int64_t wanted = k->by_chains || k->threads == 1 ? 1 : 4 * k->threads;
  k->lane_tile = k->padded;
  k->row_tile = k->rows;
  const auto halve = [](int64_t size, int64_t unit) { return ceil_div(ceil_div(size, 2), unit) * unit; };
  const int64_t least_rows = 2 * k->routines.most_rows(std::min<int64_t>(3, ceil_div(k->padded, vector)));
  while (true) {
    k->lane_tiles = ceil_div(k->padded, k->lane_tile);
    k->row_tiles = ceil_div(k->rows, k->row_tile);
    if (k->tiles() >= wanted && k->tile_sums() <= kTileSums) return;
    if (k->row_tile > least_rows) {
      k->row_tile = halve(k->row_tile, 1);
    } else if (k->lane_tile > 2 * vector) {
      k->lane_tile = halve(k->lane_tile, vector);
    } else if (k->row_tile > 1 && k->tile_sums() > kTileSums) {
      k->row_tile = halve(k->row_tile, 1);
    } else {
      return;
    }
  }
}

template <class T>
double seconds_of(const Plan<T>& k) {
  const double vectors = static_cast<double>(k.groups * k.padded) / k.moves.lanes * static_cast<double>(k.rows);
  const double share = useful_flop(k.p) / 2 / static_cast<double>(k.p.groups * k.p.ci * k.p.co);  // (place, tap) pairs
  double cycles = share * vectors * on_ports(kFmaCycles);
  // Tiles of rows each bring the lanes into a panel of their own, and the other way round.
  const auto copied = [&](const Side& side, int64_t elements) {
    return side.in_place ? 0 : static_cast<double>(elements * (side.inner ? k.row_tiles : k.lane_tiles));
  };
  cycles += (copied(k.x, k.p.in_elements()) + copied(k.y, k.p.out_elements())) * kTransposeCycles;
  cycles += static_cast<double>(k.p.weight_elements()) * kTransposeCycles;
  const double tasks = static_cast<double>(k.tiles() * (k.by_chains ? k.chains : 1));
  return call_seconds(cycles / std::min<double>(k.threads, tasks), k.p, k.threads);
}

template <class T>
class WeightsKernel final : public Kernel {
 public:
  explicit WeightsKernel(Plan<T> plan) : plan_(std::move(plan)) {}
  std::string form() const override { return describe(plan_); }
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return plan_.seconds; }
  size_t scratch_bytes() const override { return scratch_size(plan_); }
  Status run(const Operands& memory, const Runner& runner) const override { return compute(plan_, memory, runner); }

 private:
  const Plan<T> plan_;
};

template <class T>
Result<std::unique_ptr<Kernel>> plan_as(const Problem& p, const PlanContext& context) {
  const Moves<T> moves = kit::moves<T>();
  if (moves.lanes == 0) return refuse("native: this CPU has no fused multiply-add on vectors");
  Plan<T> k{.p = p, .moves = moves, .routines = outer_routines<T>(), .threads = std::max(1, context.threads)};
  k.pairs = p.ci == 1 && p.co == 1 && p.groups > 1;
  k.lanes_x = k.pairs || steps(p.ci, p.co, moves.lanes) <= steps(p.co, p.ci, moves.lanes);
  k.groups = k.pairs ? 1 : p.groups;
  k.lanes = k.pairs ? p.groups : k.lanes_x ? p.ci : p.co;
  k.rows = k.pairs ? 1 : k.lanes_x ? p.co : p.ci;
  k.padded = ceil_div(k.lanes, moves.lanes) * moves.lanes;
  k.places = p.n * p.axis[0].i * p.axis[1].i * p.axis[2].i;
  k.chains = ceil_div(k.places, kChainTerms);
  lay_sides(&k);
  cut_tiles(&k);
  lay_boxes(&k);
  k.seconds = seconds_of(k);
  const double scratch = static_cast<double>(scratch_size(k));
  if (scratch > static_cast<double>(context.workspace_limit)) {
    return refuse("native: its scratch memory exceeds the workspace limit");
  }
  return std::unique_ptr<Kernel>(std::make_unique<WeightsKernel<T>>(std::move(k)));
}

// Tables hold the taps of an axis and of all; every count of elements fits int64.
bool beyond_tables(const Problem& p) {
  double places = static_cast<double>(p.n) * static_cast<double>(p.groups) * static_cast<double>(p.ci + p.co);
  for (size_t k = 0; k < 3; ++k) {
    const Axis& a = p.axis[k];
    if (std::max({a.k, a.s, a.d, a.lo, -a.lo, a.d * (a.k - 1)}) > kMostStep) return true;
    places *= static_cast<double>(std::max(a.i, a.o));
  }
  return p.taps() > kMostTaps || places > kMostElements || static_cast<double>(p.weight_elements()) > kMostElements ||
         p.groups * std::max(p.ci, p.co) > kMostChannels;
}

}  // namespace
}  // namespace ctconv::native::weights

namespace ctconv::native {

Result<std::unique_ptr<Kernel>> plan_gradient_w(const Problem& p, const PlanContext& context, const char* name) {
  if (name != nullptr && std::string_view(name) != "weights") return refuse("native: this form has no gradient of w");
  if (p.empty() || p.in_elements() == 0 || p.out_elements() == 0) return refuse("native: x, w or y is empty");
  if (weights::beyond_tables(p)) return refuse("native: more places, taps or channels than its tables hold");
  return p.types.x == Dtype::kF64 ? weights::plan_as<double>(p, context) : weights::plan_as<float>(p, context);
}

}  // namespace ctconv::native
