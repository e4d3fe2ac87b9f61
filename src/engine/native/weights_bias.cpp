// SPDX-License-Identifier: Apache-2.0
// The bias gradient: every channel of y summed over its places, in chains like the weights' sums. See weights.h.
//
//   in:  y by its strides
//   out: bias, dense, in the computing type
//   part = +0, then part = part + y over a chain's places (n, d, h, w of the core);   bias = sum of the parts, from +0
//   Tasks are a chain of some channels; places come into a panel with channels innermost.
#include <algorithm>
#include <cstring>

#include "src/engine/native/weights.h"

namespace ctconv::native::weights {
namespace {

constexpr int64_t kChannels = 64, kPlaces = 128;  // of a panel

int64_t places_of_y(const Problem& p) { return p.n * p.axis[0].o * p.axis[1].o * p.axis[2].o; }

template <class T>
void add_rows(const T* panel, int64_t places, T* part) {
  for (int64_t k = 0; k < places; ++k, panel += kChannels) {
    for (int64_t c = 0; c < kChannels; ++c) part[c] = part[c] + panel[c];
  }
}

// Channels c0 .. c0 + count of places [place, end).
template <class T>
void sum_chain(const Problem& p, const Moves<T>& moves, const void* y, const Range& channels, Range places, T* panel,
               T* part) {
  const std::array<int64_t, 4> extent{p.n, p.axis[0].o, p.axis[1].o, p.axis[2].o};
  const std::array<int64_t, 4> stride{p.y.n, p.y.axis[0], p.y.axis[1], p.y.axis[2]};
  std::memset(part, 0, static_cast<size_t>(kChannels) * sizeof(T));
  while (places.begin < places.end) {
    const Box box = next_box(extent, places.begin, places.end, kPlaces);
    kit::Box shape;
    shape[4] = {channels.size(), p.y.c, 1};
    int64_t at = channels.begin * p.y.c, step = kChannels;
    for (size_t a = 4; a-- > 0;) {
      shape[a] = {box[a].size(), stride[a], step};
      step *= box[a].size();
      at += box[a].begin * stride[a];
    }
    kit::box_in(moves, static_cast<const char*>(y) + at * kit::bytes_of(p.types.y), p.types.y, shape, panel);
    add_rows(panel, places_of(box), part);
    places.begin += places_of(box);
  }
}

}  // namespace

template <class T>
int64_t bias_scratch(const Problem& p, int32_t threads) {
  const int64_t blocks = ceil_div(p.groups * p.co, kChannels), chains = ceil_div(places_of_y(p), kChainTerms);
  return blocks * chains * kChannels + threads * (kPlaces + 1) * kChannels;
}

template <class T>
Status sum_bias(const Problem& p, const Moves<T>& moves, const Operands& m, T* scratch, const Runner& runner) {
  const int64_t channels = p.groups * p.co, places = places_of_y(p);
  const int64_t blocks = ceil_div(channels, kChannels), chains = ceil_div(places, kChainTerms);
  T* const panels = scratch + blocks * chains * kChannels;
  const bool ok = runner(blocks * chains, [&](int64_t task, int32_t w) {
    T* const panel = panels + w * (kPlaces + 1) * kChannels;
    const int64_t chain = task % chains, first = task / chains * kChannels;
    std::memset(panel, 0, static_cast<size_t>(kPlaces * kChannels) * sizeof(T));
    sum_chain(p, moves, m.y, {first, std::min(channels, first + kChannels)},
              {chain * kChainTerms, std::min(places, (chain + 1) * kChainTerms)}, panel, scratch + task * kChannels);
  });
  if (!ok) return runner_broke();
  for (int64_t c = 0; c < channels; ++c) {
    const T* part = scratch + c / kChannels * chains * kChannels + c % kChannels;
    T sum = 0;
    for (int64_t chain = 0; chain < chains; ++chain) sum = sum + part[chain * kChannels];
    static_cast<T*>(m.bias)[c] = sum;
  }
  return {};
}

template int64_t bias_scratch<float>(const Problem&, int32_t);
template int64_t bias_scratch<double>(const Problem&, int32_t);
template Status sum_bias(const Problem&, const Moves<float>&, const Operands&, float*, const Runner&);
template Status sum_bias(const Problem&, const Moves<double>&, const Operands&, double*, const Runner&);

}  // namespace ctconv::native::weights
