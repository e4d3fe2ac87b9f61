// SPDX-License-Identifier: Apache-2.0
// Planning the form "raw"; see raw.h.
//
//   in:  a problem and its grid
//   out: a Plan, or null
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "src/engine/native/costs.h"
#include "src/engine/native/limits.h"
#include "src/engine/native/raw.h"

namespace ctconv::native::raw {
namespace {

// All positions in the order n, d, h, w; a row is what shares n, d and h.
struct Positions {
  const Grid& grid;
  int64_t n;

  int64_t width() const { return grid[2].un; }
  int64_t rows() const { return n * grid[0].un * grid[1].un; }
  int64_t count() const { return rows() * width(); }
};

struct RowAt {
  int64_t n, d, h;
};
RowAt row_at(const Positions& all, int64_t row) {
  const int64_t h = all.grid[1].un, d = all.grid[0].un;
  return {row / h / d, row / h % d, row % h};
}

// Positions begin .. end of a row, for each row that the block meets.
template <class Visit>
void each_row(const Positions& all, int64_t first, int64_t count, const Visit& visit) {
  for (int64_t at = first; at < first + count;) {
    const int64_t row = at / all.width(), begin = at % all.width();
    const int64_t end = std::min(all.width(), begin + first + count - at);
    visit(row_at(all, row), begin, end, at - first);
    at += end - begin;
  }
}

// The input row that tap j reads at position q of an axis, counted from the first position.
int64_t input_row(const AxisPhases& a, int64_t q, int64_t j) {
  const Phase& phase = a.phases[0];
  return (phase.u_begin + q) * a.step + a.row(phase, j);
}

// What a tap reads of one channel; false where it leaves x at a position of the block.
bool append_tap(const ActivationLayout& x, const Positions& all, const std::array<int64_t, 3>& tap, int64_t first,
                Block& b) {
  const AxisPhases& w = all.grid[2];
  bool whole = true;
  each_row(all, first, b.positions, [&](const RowAt& row, int64_t begin, int64_t end, int64_t to) {
    const int64_t d = input_row(all.grid[0], row.d, tap[0]), h = input_row(all.grid[1], row.h, tap[1]);
    const bool inside = 0 <= d && d < all.grid[0].i && 0 <= h && h < all.grid[1].i;
    const int64_t at = input_row(w, 0, tap[2]);  // and `step` more for each position
    const int64_t from = std::max(begin, ceil_div(-at, w.step));
    const int64_t until = std::min(end, floor_div(w.i - 1 - at, w.step) + 1);
    whole = whole && inside && from == begin && until == end;
    if (!inside || from >= until) return;
    const int64_t place = row.n * x.n + d * x.axis[0] + h * x.axis[1] + (at + from * w.step) * x.axis[2];
    b.taps.push_back({to + from - begin, place, until - from});
  });
  b.begin.push_back(std::ssize(b.taps));
  return whole;
}

void append_outputs(const Problem& p, const Positions& all, int64_t first, Block& b) {
  const auto out = [&](size_t a, int64_t q) {
    const Phase& phase = all.grid[a].phases[0];
    return all.grid[a].out(phase.u_begin + q, phase) * p.y.axis[a];
  };
  each_row(all, first, b.positions, [&](const RowAt& row, int64_t begin, int64_t end, int64_t to) {
    b.out.push_back({to, row.n * p.y.n + out(0, row.d) + out(1, row.h) + out(2, begin), end - begin});
  });
}

// Places of the weights of a row in the chain's order, and the blocks of positions.
template <class T>
void fill(const Positions& all, Plan<T>& k) {
  const Problem& p = k.p;
  const auto taps = [&](size_t a) { return k.grid[a].phases[0].taps; };
  const auto weight = [&](size_t a, int64_t j) { return (k.grid[a].phases[0].t0 + j * k.grid[a].t_step) * p.w.tap[a]; };
  std::vector<std::array<int64_t, 3>> order;
  for (int64_t i = 0; i < taps(0); ++i) {
    for (int64_t j = 0; j < taps(1); ++j) {
      for (int64_t q = 0; q < taps(2); ++q) order.push_back({i, j, q});
    }
  }
  for (int64_t c = 0; c < p.ci; ++c) {
    for (const auto& t : order) {
      k.row_at.push_back(c * p.w.ci + weight(0, t[0]) + weight(1, t[1]) + weight(2, t[2]));
    }
  }
  for (int64_t i = 0; i < std::min(kRawChunk, k.depth()); ++i) k.lane_at.push_back(i * k.width);
  const auto [least, most] = std::minmax_element(k.row_at.begin(), k.row_at.end());
  k.row_first = *least;
  k.dense = *most - *least + 1 == k.depth();  // no two weights share a place
  for (int64_t first = 0; first < all.count(); first += k.width) {
    Block& b = k.blocks.emplace_back();
    b.positions = std::min(k.width, all.count() - first);
    b.vectors = ceil_div(b.positions, int64_t{k.moves.lanes});
    b.begin.push_back(0);
    for (const auto& t : order) k.padded = !append_tap(k.x, all, t, first, b) || k.padded;
    append_outputs(p, all, first, b);
  }
}

// Panels that no cache holds are filled piece by piece, for each part of the rows anew.
template <class T>
void share_out(const Given<T>& given, int64_t positions, Plan<T>& k) {
  const Problem& p = k.p;
  const int64_t vectors = ceil_div(positions, given.lanes()), size = bytes_of(p.types.x);
  int64_t blocks = ceil_div(vectors, int64_t{kMostOuterVectors});
  k.shared = p.groups * k.depth() * vectors * given.lanes() * size <= kRawSharedBytes;
  if (!k.shared) blocks = std::min(vectors, ceil_div(blocks, k.threads) * k.threads);
  k.width = ceil_div(vectors, blocks) * given.lanes();
  blocks = ceil_div(positions, k.width);
  const int64_t wanted = k.shared ? int64_t{kSomeTasks} * k.threads : k.threads;
  const int64_t rows = k.rows(k.width / given.lanes()), tasks = ceil_div(wanted, blocks * p.groups);
  k.part = ceil_div(ceil_div(p.co, tasks), rows) * rows;
  k.copied = !k.shared && std::abs(p.x.axis[2]) != 1;
  k.x = p.x;
  if (!k.copied) return;
  k.x.axis = {k.grid[1].i * k.grid[2].i, k.grid[2].i, 1};
  k.x.c = k.grid[0].i * k.x.axis[0];
  k.x.n = p.groups * p.ci * k.x.c;
}

template <class T>
double seconds_of(const Plan<T>& k) {
  const Problem& p = k.p;
  const auto depth = static_cast<double>(k.depth()), groups = static_cast<double>(p.groups);
  const auto channels = static_cast<double>(p.co), size = static_cast<double>(sizeof(T));
  double cycles = 0, values = 0, runs = 0;
  for (const Block& b : k.blocks) {
    const auto rows = static_cast<double>(k.rows(b.vectors)), vectors = static_cast<double>(b.vectors);
    const double step = std::max(rows * vectors * on_ports(kFmaCycles), on_ports(rows + vectors));
    cycles += depth * std::ceil(channels / rows) * step;
    values += depth * static_cast<double>(b.positions);
    runs += static_cast<double>(p.ci) * static_cast<double>(b.taps.size());
    cycles += channels * static_cast<double>(b.out.size()) * kRawRunCycles;
  }
  const double times = k.shared ? 1 : static_cast<double>(k.parts());
  cycles += times * (values * kRawPanelCycles + runs * kRawRunCycles);
  if (k.copied) cycles += static_cast<double>(p.in_elements()) / groups * kTransposeCycles;
  const double weights = depth * channels;
  if (k.padded) cycles += weights * kRawScanCycles;
  // Every block of positions behind the first reads the weight from a cache or memory once more.
  cycles += static_cast<double>(k.blocks.size() - 1) * weights * size / static_cast<double>(kLine) * kRawLineCycles;
  return call_seconds(groups * cycles / k.threads, p, k.threads);
}

}  // namespace

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given) {
  const Problem& p = given.p;
  const Grid& grid = given.grid;
  if (!given.context.weights_per_call || !given.same_type() || p.types.w != p.types.x) return nullptr;
  if (p.epilogue.activation.kind != Activation::kNone) return nullptr;
  int64_t taps = 1;
  for (const AxisPhases& a : grid) {
    if (a.count() != 1) return nullptr;
    taps *= a.phases[0].taps;
  }
  const Positions all{grid, p.n};
  if (taps * p.ci == 0 || taps * p.ci > kMostRawDepth) return nullptr;
  if (all.count() == 0 || all.count() > kMostRawPositions) return nullptr;
  if (taps * all.rows() > kMostRawRuns) return nullptr;
  Plan<T> k{.p = p, .moves = given.moves, .routines = outer_routines<T>(), .grid = grid, .threads = given.threads()};
  share_out(given, all.count(), k);
  fill(all, k);
  k.seconds = seconds_of(k);
  return kernel_of(std::move(k));
}

template <class T>
std::string describe(const Plan<T>& k) {
  return std::string("raw weights, ") + k.moves.name + (k.copied ? ", x copied, " : ", ") +
         std::to_string(k.blocks.size()) + " panels of " + std::to_string(k.width) + " positions" +
         (k.shared ? ", parts of " : " in pieces, parts of ") + std::to_string(k.part) + " rows";
}

template std::unique_ptr<Kernel> plan(const Given<float>&);
template std::unique_ptr<Kernel> plan(const Given<double>&);
template std::string describe(const Plan<float>&);
template std::string describe(const Plan<double>&);

}  // namespace ctconv::native::raw
