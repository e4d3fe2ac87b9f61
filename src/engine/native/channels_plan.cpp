// SPDX-License-Identifier: Apache-2.0
// Planning the form "channels": lanes, source, triples and blocks; channels_tiles.cpp shares them out. See channels.h.
//
//   in:  a problem and its grid
//   out: a Plan, or null
#include <algorithm>

#include "src/engine/native/channels.h"
#include "src/engine/native/channels_tiles.h"
#include "src/engine/native/costs.h"
#include "src/engine/native/limits.h"

namespace ctconv::native::channels {
namespace {

// Every table and planning loop of the form: rows, blocks for each of the triples, stretches.
bool beyond_tables(const Problem& p, const Grid& grid, bool merge, int64_t lanes) {
  const int64_t f = merge ? grid[2].s : 1;
  if (f > kMostRows / p.co) return true;
  double triples = 1, stretches = 0;
  for (size_t a = 0; a < 3; ++a) {
    const int64_t most = kit::most_stretches(grid[a]);
    if (most > kMostStretches) return true;
    triples *= a == 2 && merge ? 1.0 : static_cast<double>(grid[a].count());
    stretches += static_cast<double>(most) / static_cast<double>(grid[a].count());
  }
  const double blocks = static_cast<double>(p.co * f) / static_cast<double>(lanes) + 1;
  return triples * (blocks + stretches) > kMostSteps;
}

Lanes lanes_of(const Problem& p, const AxisPhases& w, bool merge, int64_t vector) {
  Lanes l;
  l.merged = merge;
  l.inner = p.y.c == 1 && (p.co > 1 || p.y.axis[2] != 1);
  // Lanes that lie as runs in y: channels where they are innermost, else merged phases.
  l.runs = l.inner || (merge && p.y.axis[2] == 1);
  l.co = p.co;
  l.phases = merge ? w.s : 1;
  l.rows = p.co * l.phases;
  l.padded = ceil_div(l.rows, vector) * vector;
  l.everywhere = std::all_of(w.phases.begin(), w.phases.end(),
                             [&](const Phase& f) { return f.u_begin == w.u0 && f.u_end == w.u0 + w.un; });
  // With the phases in the lanes and nothing between them and the channels, all rows follow each other.
  if (l.inner) {
    l.run = merge && l.everywhere && p.y.axis[2] == p.co ? l.rows : p.co;
  } else {
    l.run = l.everywhere && p.y.c == l.phases ? l.rows : l.phases;
  }
  return l;
}

// Positions so far apart share few sets of the first-level cache: worth a copy of x with another pitch.
bool aliases(int64_t elements, size_t size) { return elements * static_cast<int64_t>(size) % kAliasBytes == 0; }

// A panel holds the rows that a tile's positions read; its strides follow from the tile (channels_tiles.cpp).
Source panel_of(int64_t pitch) {
  Source x;
  x.pitch = pitch;
  x.panel = 1;
  return x;
}

Source source_of(const Problem& p, bool strided, size_t size) {
  Source x;
  const int64_t positions = p.axis[0].i * p.axis[1].i * p.axis[2].i;
  x.in_place = size_of(p.types.x) == size && (p.x.c == 1 || p.ci == 1);
  // A copy with another pitch is cheap where each input is used often, if its gaps are small.
  const bool apart = p.groups * kApart * positions * static_cast<int64_t>(size) <= kMostGapBytes;
  if (apart && aliases(p.x.axis[2], size) && p.taps() > kReusedTaps && p.co >= kReusedChannels) x.in_place = false;
  x.pitch = apart && aliases(p.ci, size) ? p.ci + kApart : p.ci;
  x.image = p.groups * x.pitch * positions;
  if (strided && !x.in_place) return panel_of(x.pitch);
  if (x.in_place) {
    x.stride = {p.x.n, p.ci * p.x.c, p.x.axis[0], p.x.axis[1], p.x.axis[2]};
  } else {
    const int64_t w = x.pitch, h = w * p.axis[2].i, d = h * p.axis[1].i, g = d * p.axis[0].i;
    x.stride = {g * p.groups, g, d, h, w};
  }
  return x;
}

std::vector<std::vector<Stretch>> stretches_along(const AxisPhases& axis, bool merged) {
  std::vector<std::vector<Stretch>> all;
  if (merged) {  // every phase is computed at every position of the grid
    all.push_back(kit::stretches_of(axis, axis.phase(0), axis.u0, axis.u0 + axis.un));
    return all;
  }
  for (const Phase& f : axis.phases) all.push_back(kit::stretches_of(axis, f, f.u_begin, f.u_end));
  return all;
}

// Places of all taps of a triple in the raw weight, in the order of the kernel's taps.
void append_taps(const Problem& p, const Grid& grid, const Phase& d, const Phase& h, const Phase& w,
                 std::vector<int64_t>& taps) {
  for (int64_t i = 0; i < d.taps; ++i) {
    for (int64_t j = 0; j < h.taps; ++j) {
      for (int64_t q = 0; q < w.taps; ++q) {
        taps.push_back(i * grid[0].t_step * p.w.tap[0] + j * grid[1].t_step * p.w.tap[1] +
                       q * grid[2].t_step * p.w.tap[2]);
      }
    }
  }
}

Triples triples_of(const Problem& p, const Grid& grid, const Lanes& lanes) {
  Triples t;
  const int64_t phases_w = lanes.merged ? 1 : grid[2].count();
  for (size_t a = 0; a < 3; ++a) t.stretches[a] = stretches_along(grid[a], a == 2 && lanes.merged);
  for (int64_t pair = 0; pair < grid[0].count() * grid[1].count(); ++pair) {
    const int64_t d = pair / grid[1].count(), h = pair % grid[1].count(), first = std::ssize(t.all);
    for (int64_t w = 0; w < phases_w; ++w) {
      const Phase &pd = grid[0].phase(d), &ph = grid[1].phase(h), &pw = grid[2].phase(w);
      Triple triple{static_cast<int32_t>(d), static_cast<int32_t>(h), static_cast<int32_t>(w)};
      triple.taps = pd.taps * ph.taps * pw.taps;
      triple.weight = t.weights;
      triple.w_tap = std::ssize(t.w_taps);
      append_taps(p, grid, pd, ph, pw, t.w_taps);
      t.weights += p.ci * triple.taps * lanes.padded;
      t.most_taps = std::max(t.most_taps, triple.taps);
      t.all.push_back(triple);
      if (lanes.runs) t.units.push_back({std::ssize(t.all) - 1, std::ssize(t.all)});
    }
    if (!lanes.runs) t.units.push_back({first, std::ssize(t.all)});
  }
  for (const Unit& u : t.units) t.most_in_unit = std::max(t.most_in_unit, u.count());
  return t;
}

// Lanes that hold no channel may double the packed weight where it is small, not where it is large.
bool mostly_padding(const Problem& p, int64_t packed, size_t element) {
  const double bytes = static_cast<double>(p.groups * packed) * static_cast<double>(element);
  return bytes > kSmallWeightBytes && p.groups * packed > 2 * p.weight_elements();
}

std::vector<Block> blocks_of(const Lanes& lanes, int64_t vector, int accumulators) {
  const int64_t vectors = lanes.padded / vector;
  const int64_t widest = accumulators >= kManyAccumulators ? kMostChannelVectors : 2;
  const int64_t pieces = ceil_div(vectors, widest);
  std::vector<Block> blocks;
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t v0 = vectors * i / pieces, v1 = vectors * (i + 1) / pieces;
    Block b;
    b.row0 = static_cast<int32_t>(v0 * vector);
    b.vectors = static_cast<int32_t>(v1 - v0);
    b.valid = static_cast<int32_t>(std::min(v1 * vector, lanes.rows) - b.row0);
    blocks.push_back(b);
  }
  return blocks;
}

// A block goes straight to y where it is one run there, every position counts and one slice holds all input channels.
// With a wider slice sums wait in y, which a 16-bit y cannot hold.
template <class T>
bool goes_straight(const Given<T>& given, const Lanes& lanes, const Triples& triples,
                   const std::vector<Block>& blocks) {
  const Activation::Kind act = given.p.epilogue.activation.kind;
  if (act == Activation::kTanh || act == Activation::kSigmoid) return false;
  if (!lanes.runs || (lanes.merged && !lanes.everywhere)) return false;
  int64_t widest = 1;
  for (const Block& b : blocks) widest = std::max<int64_t>(widest, b.vectors);
  const int64_t slice = given.p.ci * triples.most_taps * widest * given.lanes();
  if (slice * static_cast<int64_t>(sizeof(T)) > (given.same_type() ? 2 : 1) * kSliceBytes) return false;
  return std::all_of(blocks.begin(), blocks.end(),
                     [&](const Block& b) { return b.row0 / lanes.run == (b.row0 + b.valid - 1) / lanes.run; });
}

// Streaming needs every position's channels, and each block's of them, to begin and end with a cache line.
bool whole_lines(const Problem& p, const std::vector<Block>& blocks, int64_t vector) {
  const ActivationLayout& y = p.y;
  const int64_t line = kLine / static_cast<int64_t>(size_of(p.types.y));
  return y.n % line == 0 && y.axis[0] % line == 0 && y.axis[1] % line == 0 && y.axis[2] % line == 0 &&
         p.co % line == 0 && std::all_of(blocks.begin(), blocks.end(), [&](const Block& b) {
           return vector >= line || b.vectors * vector % line == 0;
         });
}

template <class T>
std::unique_ptr<Kernel> plan_as(const Given<T>& given, bool merge) {
  const Problem& p = given.p;
  const AxisPhases& w = given.grid[2];
  if (merge && (w.tap_lists != 1 || !w.complete() || w.s == 1)) return nullptr;
  if (beyond_tables(p, given.grid, merge, given.lanes())) return nullptr;
  const Lanes lanes = lanes_of(p, w, merge, given.lanes());
  if (merge && !lanes.runs) return nullptr;
  if (w.count() > kMostTransposedPhases && !lanes.runs) return nullptr;
  Source source = source_of(p, given.strided(), sizeof(T));
  Triples triples = triples_of(p, given.grid, lanes);
  if (mostly_padding(p, triples.weights, sizeof(T))) return nullptr;
  const std::vector<Block> blocks = blocks_of(lanes, given.lanes(), given.moves.accumulators);
  const bool direct = goes_straight(given, lanes, triples, blocks);
  const Tiles tiles = tiles_of(given, lanes, source, triples, blocks);
  if (source.panel != 0) lay_panel(given, tiles, &source);
  const int64_t room = w.complete() && !lanes.runs ? (tiles.step[3] + given.lanes()) * w.s : 0;
  Plan<T> k{
      .p = p,
      .moves = given.moves,
      .routines = channels_routines<T>(),
      .grid = given.grid,
      .threads = given.threads(),
      .lanes = lanes,
      .source = source,
      .triples = std::move(triples),
      .blocks = blocks,
      .tiles = tiles,
      .direct = direct,
      .stream = direct && lanes.inner && whole_lines(p, blocks, given.lanes()) && leaves_cache(p, size_of(p.types.y)),
      .room = room,
      .store = RowStore<T>(given.moves, w, p.types.y, p.y.axis[2], 1, false, room)};
  k.seconds = seconds_of(k);
  return kernel_of(std::move(k));
}

}  // namespace

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given) {
  return plan_as(given, false);
}
template <class T>
std::unique_ptr<Kernel> plan_merged(const Given<T>& given) {
  return plan_as(given, true);
}

template std::unique_ptr<Kernel> plan(const Given<float>&);
template std::unique_ptr<Kernel> plan(const Given<double>&);
template std::unique_ptr<Kernel> plan_merged(const Given<float>&);
template std::unique_ptr<Kernel> plan_merged(const Given<double>&);

}  // namespace ctconv::native::channels
