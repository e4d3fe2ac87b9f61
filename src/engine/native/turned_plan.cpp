// SPDX-License-Identifier: Apache-2.0
// Planning the form "turned": views, pieces, the form inside; see turned.h.
//
//   in:  a problem
//   out: a Plan, or null
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "src/engine/native/costs.h"
#include "src/engine/native/depthwise.h"
#include "src/engine/native/positions.h"
#include "src/engine/native/rows.h"
#include "src/engine/native/turned.h"

namespace ctconv::native::turned {
namespace {

bool unused(const Axis& a) { return a.i == 1 && a.k == 1 && a.o == 1 && a.lo == 0; }

// An axis that is not in use, or 3.
size_t unused_axis(const Problem& p) {
  size_t a = 0;
  while (a < 3 && !unused(p.axis[a])) ++a;
  return a;
}

// p without axis `free`: the axes behind `at` move there, and `at` is left empty.
Problem with_room(const Problem& p, size_t free, size_t at) {
  Problem q = p;
  q.rank = 3;
  const auto move = [&](size_t to, size_t from) {
    q.axis[to] = q.axis[from];
    q.x.axis[to] = q.x.axis[from];
    q.y.axis[to] = q.y.axis[from];
    q.w.tap[to] = q.w.tap[from];
  };
  for (size_t a = free; a < at; ++a) move(a, a + 1);
  for (size_t a = free; a > at; --a) move(a, a - 1);
  q.axis[at] = Axis{};
  q.x.axis[at] = q.y.axis[at] = q.w.tap[at] = 0;
  return q;
}

// Rows are of use where channels lie innermost, or where 16-bit values have to be widened for the form "rows".
bool rows_view(const Problem& p, bool same_type, View& v) {
  const bool inner = std::abs(p.y.c) < std::abs(p.y.axis[2]) || std::abs(p.x.c) < std::abs(p.x.axis[2]);
  if (p.groups == 1 || p.co > kMostTurnedChannels || p.axis[2].o < kLeastTurnedRow) return false;
  if (!inner && (same_type || p.ci != 1 || p.co != 1)) return false;
  v.lanes = Lanes::kRows;
  v.p = p;
  return true;
}

bool batch_view(const Problem& p, int64_t lanes, View& v) {
  const size_t free = unused_axis(p);
  if (free == 3 || p.n < lanes || p.axis[2].o > kMostShortRow) return false;
  v.lanes = Lanes::kBatch;
  v.p = with_room(p, free, 2);
  v.p.n = 1;
  v.p.axis[2].i = v.p.axis[2].o = p.n;
  v.p.x.axis[2] = p.x.n;
  v.p.y.axis[2] = p.y.n;
  v.p.x.n = v.p.y.n = 0;
  return true;
}

// Positions that lie apart have no other form than depthwise.
bool strided_view(const Problem& p, const Grid& grid, int64_t lanes, int64_t vectors, View& v) {
  if (p.groups < lanes || p.ci * p.co != 1 || (p.x.c == 1 && p.y.c == 1)) return false;
  v.lanes = Lanes::kGroups;
  v.p = p;
  v.strides = {grid[0].step, grid[1].step, grid[2].step};
  v.vectors = vectors;
  return true;
}

bool groups_view(const Problem& p, int64_t lanes, View& v) {
  const size_t free = unused_axis(p);
  if (p.groups < lanes || p.co > kMostTurnedChannels || (p.ci > 1 && free == 3)) return false;
  const bool inner = std::abs(p.y.c) < std::abs(p.y.axis[2]);
  if (inner ? p.ci * p.co == 1 && p.x.c == 1 : p.axis[2].o > kMostShortRow) return false;
  v.lanes = Lanes::kGroups;
  v.p = p.ci > 1 ? with_room(p, free, 0) : p;
  v.repeats = p.co;
  v.y_repeat = p.y.c;
  v.w_repeat = p.w.co;
  v.channel_axis = p.ci > 1;
  if (v.channel_axis) {
    v.p.axis[0] = {.i = p.ci, .o = 1, .k = p.ci, .lo = p.ci - 1};
    v.p.x.axis[0] = p.x.c;
    v.p.w.tap[0] = p.w.ci;
  }
  v.p.ci = v.p.co = 1;
  v.p.x.c = p.ci * p.x.c;
  v.p.y.c = p.co * p.y.c;
  return true;
}

int64_t up_to_multiple(int64_t count, int64_t of) { return ceil_div(count, of) * of; }

void cut_plainly(Cut& c, int64_t step) {
  c.step = std::min(step, c.whole);
  c.count = ceil_div(c.whole, c.step);
}

// Pieces begin in the same phase of the stride, so that all of them are the same problem. A piece has two rows at
// least: an axis of one row has phases of its own.
void cut_axis(const Axis& a, int64_t step, Cut& c) {
  c = {.whole = a.o, .step = a.o, .window = a.i};
  if (a.i == 1 || up_to_multiple(step, a.s) >= a.o) return;
  c.step = up_to_multiple(step, a.s);
  c.count = ceil_div(a.o, c.step);
  c.first = ceil_div(a.lo - a.d * (a.k - 1), a.s);
  c.in_step = c.step / a.s;
  c.window = std::max<int64_t>(2, floor_div(a.lo - a.s * c.first + c.step - 1, a.s) + 1);
}

// Positions `stride` rows of x apart: each piece has the rows of its own taps.
void cut_strided(const Axis& a, int64_t stride, int64_t step, Cut& c) {
  c = {.whole = a.o, .step = a.o, .window = a.i};
  if (step >= a.o) return;
  c.step = step;
  c.count = ceil_div(a.o, step);
  c.first = -a.lo;
  c.in_step = step * stride;
  c.window = (step - 1) * stride + (a.k - 1) * a.d + 1;
}

double panel_bytes(const View& v, const Cuts& c, size_t size) {
  const auto count = [](int64_t a) { return static_cast<double>(a); };
  double x = count(c.n.step) * count(c.g.step), y = x * count(v.repeats);
  for (const Cut& a : c.axis) {
    x *= count(a.window);
    y *= count(a.step);
  }
  return (x * count(v.p.ci) + y * count(v.p.co)) * static_cast<double>(size);
}

// A dimension of the view, to be cut in pieces of so many.
struct Way {
  int axis;       // 0 to 2; kImages, kGroups
  int64_t least;  // the smallest piece
};
constexpr int kImages = 3, kGroups = 4;

Cut& cut_along(Cuts& c, int axis) {
  switch (axis) {
    case kImages:
      return c.n;
    case kGroups:
      return c.g;
    case 0:
      return c.axis[0];
    case 1:
      return c.axis[1];
    default:
      return c.axis[2];
  }
}
void set_step(const View& v, int axis, int64_t step, Cuts& c) {
  if (axis < kImages && v.strided()) {
    cut_strided(at(v.p.axis, axis), at(v.strides, axis), step, cut_along(c, axis));
  } else if (axis < kImages) {
    cut_axis(at(v.p.axis, axis), step, cut_along(c, axis));
  } else {
    cut_plainly(cut_along(c, axis), step);
  }
}

// From the smallest pieces on, dimension by dimension, as long as a piece stays within `budget`.
template <class Ways>
Cuts cuts_within(const View& v, const Ways& ways, double budget, size_t size) {
  Cuts c;
  c.n.whole = v.p.n;
  c.g.whole = v.p.groups;
  for (const Way& way : ways) set_step(v, way.axis, way.least, c);
  for (const Way& way : ways) {
    while (cut_along(c, way.axis).count > 1) {
      Cuts larger = c;
      set_step(v, way.axis, 2 * cut_along(c, way.axis).step, larger);
      if (panel_bytes(v, larger, size) > budget) break;
      c = larger;
    }
  }
  for (const Way& way : ways) {  // as even as possible
    const Cut& cut = cut_along(c, way.axis);
    set_step(v, way.axis, ceil_div(cut.whole, cut.count), c);
  }
  return c;
}

// In the order in which pieces grow.
std::array<Way, 5> ways_of(const View& v, int64_t lanes) {
  const int64_t strip = v.vectors * lanes;
  const int64_t channels = std::min(v.p.ci, v.p.co);
  switch (v.lanes) {
    case Lanes::kRows:
      return {{{2, strip * v.p.axis[2].s}, {kGroups, ceil_div(kMaxLanes, channels)}, {1, 1}, {0, 1}, {kImages, 1}}};
    case Lanes::kBatch:
      return {{{1, 1}, {0, 1}, {2, kTurnedImages}, {kGroups, 1}, {kImages, 1}}};
    case Lanes::kGroups:
      break;
  }
  // Where a group is a plane of y, long runs of it before more planes.
  if (std::abs(v.p.y.c) > std::abs(v.p.y.axis[2])) return {{{2, 1}, {1, 1}, {0, 1}, {kGroups, strip}, {kImages, 1}}};
  return {{{kGroups, strip}, {2, 1}, {1, 1}, {0, 1}, {kImages, 1}}};
}

// Places of a panel: `inner` (0: channels, 3: w) with stride 1, the others in the order they have outside.
int64_t lay_out(const std::array<int64_t, 5>& extent, const ActivationLayout& outside, size_t inner, size_t size,
                ActivationLayout& panel) {
  const std::array<int64_t, 5> strides{outside.c, outside.axis[0], outside.axis[1], outside.axis[2], outside.n};
  const std::array<int64_t*, 5> to{&panel.c, panel.axis.data(), panel.axis.data() + 1, panel.axis.data() + 2, &panel.n};
  std::array<size_t, 5> order{0, 1, 2, 3, 4};
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if ((a == inner) != (b == inner)) return a == inner;
    return std::abs(strides[a]) < std::abs(strides[b]);
  });
  int64_t step = 1;
  for (const size_t k : order) {
    *to[k] = step;
    step *= extent[k];
    if (k == inner && step * static_cast<int64_t>(size) % kAliasBytes == 0) step += kMaxLanes;
  }
  return step;
}

// The problem of one piece, in panels.
template <class T>
void make_piece(const View& v, const Cuts& c, Plan<T>& k) {
  Problem& q = k.piece;
  q = v.p;
  q.types.x = q.types.y = sizeof(T) == 8 ? Dtype::kF64 : Dtype::kF32;
  q.n = c.n.step;
  q.groups = c.g.step;
  for (size_t a = 0; a < 3; ++a) {
    if (c.axis[a].count == 1) continue;
    q.axis[a].lo = v.strided() ? 0 : q.axis[a].lo - q.axis[a].s * c.axis[a].first;
    q.axis[a].i = c.axis[a].window;
    q.axis[a].o = c.axis[a].step;
  }
  for (Axis& a : q.axis) a.tail = 0;
  const size_t inner = v.lanes == Lanes::kGroups ? 0 : 3;
  const auto extents = [&](int64_t channels, int64_t Axis::*rows) {
    return std::array<int64_t, 5>{q.groups * channels, q.axis[0].*rows, q.axis[1].*rows, q.axis[2].*rows, q.n};
  };
  k.x_panel = lay_out(extents(q.ci, &Axis::i), v.p.x, inner, sizeof(T), q.x);
  k.y_panel = lay_out(extents(q.co, &Axis::o), v.p.y, inner, sizeof(T), q.y);
  if (v.channel_axis) {
    k.x_first = (q.axis[0].i - 1) * q.x.axis[0];
    q.x.axis[0] = -q.x.axis[0];
  }
}

// The grid of a piece whose positions lie apart, by the axes of the forward pass.
Grid strided_grid(const View& v, const Problem& piece) {
  Grid grid;
  for (size_t a = 0; a < 3; ++a) {
    Axis forward = piece.axis[a];
    std::swap(forward.i, forward.o);
    forward.s = v.strides[a];
    grid[a] = kit::gradient_phases_of(forward);
  }
  return grid;
}

template <class T>
std::unique_ptr<Kernel> inner_form(const Given<T>& given, const Problem& piece, const View& view) {
  PlanContext context = given.context;
  context.threads = 1;
  const Lanes lanes = view.lanes;
  const Grid grid = view.strided() ? strided_grid(view, piece) : kit::grid_of(piece);
  const double share = static_cast<double>(piece.out_elements()) / static_cast<double>(given.p.out_elements());
  const Given<T> inner{piece, context, grid, given.moves, view.strided() ? given.flop * share : useful_flop(piece)};
  if (lanes == Lanes::kGroups) return depthwise::plan(inner);
  std::unique_ptr<Kernel> one = positions::plan(inner), other = rows::plan(inner);
  if (!one || (other && other->estimated_seconds() < one->estimated_seconds())) return other;
  return one;
}

// Of a call estimated for operands in memory, what it computes.
double computing_seconds(const Kernel& inner, const Problem& p) {
  const double moving = moved_bytes(p) / (kMovedShare * machine().bandwidth(1));
  const double both = inner.estimated_seconds() - machine().seconds(kWakeCycles);
  return both > (1 + kNotOverlapped) * moving ? both - kNotOverlapped * moving : (both - moving) / kNotOverlapped;
}

// Outputs of a piece that follow each other in y.
double run_length(const View& v, const Cuts& c) {
  double run = 1;
  for (size_t a = 3; a-- > 0;) {
    if (std::abs(v.p.y.axis[a]) != static_cast<int64_t>(run) && c.axis[a].step > 1) break;
    run *= static_cast<double>(c.axis[a].step);
    if (c.axis[a].count > 1) break;
  }
  return run;
}

// What a piece whose channels are planes of y waits for. Of a large y each run, and its lines, come from memory first;
// lines of a small one come from the thread that wrote them in the call before.
template <class T>
double far_cycles(const Given<T>& given, const Plan<T>& k) {
  const bool planes = k.view.lanes == Lanes::kGroups && std::abs(given.p.y.c) > std::abs(given.p.y.axis[2]);
  if (!planes) return 0;
  const auto size = static_cast<double>(size_of(given.p.types.y));
  const double far = std::min(1.0, static_cast<double>(given.p.out_elements()) * size / kStreamBytes);
  const double outputs = static_cast<double>(k.piece.out_elements() * k.view.repeats);
  const double lines = outputs * size / static_cast<double>(kLine);
  const double others = (1 - far) * (1 - 1.0 / k.threads) * lines * kOthersLineCycles;
  return far * (outputs / run_length(k.view, k.cuts) * kFarRunCycles + lines * kFarLineCycles) + others;
}

template <class T>
double seconds_of(const Given<T>& given, const Plan<T>& k) {
  const auto pieces = static_cast<double>(k.cuts.count()), repeats = static_cast<double>(k.view.repeats);
  const double inner = computing_seconds(*k.inner, k.piece) * machine().hertz;
  const double turned = static_cast<double>(k.x_panel) + static_cast<double>(k.y_panel) * repeats;
  const auto rows = static_cast<double>(k.piece.n * k.piece.axis[0].o * k.piece.axis[1].o);
  const double call = kInnerCallCycles + (k.view.lanes == Lanes::kGroups ? rows * kDepthwiseRowCycles : 0);
  const double cycles = pieces * (repeats * (inner + call) + turned * kTurnCycles + far_cycles(given, k));
  return call_seconds(cycles / std::min<double>(k.threads, pieces), given.p, given.threads());
}

// As many pieces as keep every thread busy, no larger than the second-level cache likes.
template <class T>
std::unique_ptr<Kernel> plan_view(const Given<T>& given, const View& view) {
  Plan<T> k{.p = given.p, .moves = given.moves, .threads = given.threads(), .view = view};
  const auto ways = ways_of(k.view, given.lanes());
  const Cuts whole = cuts_within(k.view, ways, std::numeric_limits<double>::infinity(), sizeof(T));
  const double shares = given.threads() > 1 ? static_cast<double>(kSomeTasks * given.threads()) : 1;
  const double all = panel_bytes(k.view, whole, sizeof(T));
  const double budget = std::min(static_cast<double>(in_l2(kTurnedBytes)),
                                 std::max(all / shares, static_cast<double>(kLeastTurnedBytes)));
  k.cuts = cuts_within(k.view, ways, budget, sizeof(T));
  if (panel_bytes(k.view, k.cuts, sizeof(T)) > 4 * in_l2(kTurnedBytes)) return nullptr;
  make_piece(k.view, k.cuts, k);
  k.inner = inner_form(given, k.piece, k.view);
  if (k.inner == nullptr) return nullptr;
  k.seconds = seconds_of(given, k);
  return kernel_of(std::move(k));
}

}  // namespace

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given) {
  std::unique_ptr<Kernel> best;
  const auto offer = [&](const View& view) {
    std::unique_ptr<Kernel> k = plan_view(given, view);
    if (k && (!best || k->estimated_seconds() < best->estimated_seconds())) best = std::move(k);
  };
  View rows, batch, groups;
  if (given.strided()) {
    // With fewer groups a piece has more rows, and fewer of them are brought in for two pieces.
    for (const int64_t vectors : {int64_t{1}, int64_t{2}, kTurnedVectors}) {
      if (strided_view(given.p, given.grid, given.lanes(), vectors, groups)) offer(groups);
    }
    return best;
  }
  if (rows_view(given.p, given.same_type(), rows)) offer(rows);
  if (batch_view(given.p, given.lanes(), batch)) offer(batch);
  if (groups_view(given.p, given.lanes(), groups)) offer(groups);
  return best;
}

template std::unique_ptr<Kernel> plan(const Given<float>&);
template std::unique_ptr<Kernel> plan(const Given<double>&);

}  // namespace ctconv::native::turned
