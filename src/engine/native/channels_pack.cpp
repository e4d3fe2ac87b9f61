// SPDX-License-Identifier: Apache-2.0
// Packing the weights of the form "channels"; see channels.h.
//
//   in:  a plan, the raw weight
//   out: [group][triple][block][ci][taps][V*N]
#include <algorithm>
#include <atomic>

#include "src/engine/native/channels.h"
#include "src/engine/native/costs.h"
#include "src/kit/pack.h"

namespace ctconv::native::channels {
namespace {

// Input channels of a task: a few for all phases, because raw weights of one row's taps share cache lines.
template <class T>
int64_t channels_per_task(const Plan<T>& k) {
  return std::clamp<int64_t>(kPackedPerTask / (k.width(k.blocks[0]) * k.p.taps()), 1, kMostPackedChannels);
}

// One block of one group, input channels c0 .. c1, all triples.
template <class T>
bool pack_block(const Plan<T>& k, const void* w, int64_t g, const Block& b, int64_t c0, int64_t c1, T* out) {
  const auto& tap = k.p.w.tap;
  int64_t row[kMostChannelVectors * kMaxLanes];
  for (int64_t r = 0; r < b.valid; ++r) {
    const int64_t first = k.lanes.merged ? k.w_phase(k.lanes.phase(b.row0 + r)).t0 * tap[2] : 0;
    row[r] = k.lanes.channel(b.row0 + r) * k.p.w.co + first;
  }
  bool finite = true;
  for (const Triple& t : k.triples.all) {
    const int64_t base = g * k.p.w.g + k.grid[0].phase(t.d).t0 * tap[0] + k.grid[1].phase(t.h).t0 * tap[1] +
                         (k.lanes.merged ? 0 : k.grid[2].phase(t.w).t0 * tap[2]);
    const kit::RowPack rows{.c0 = c0,
                            .c1 = c1,
                            .base = base,
                            .row = row,
                            .valid = b.valid,
                            .width = k.width(b),
                            .tap = k.triples.w_taps.data() + t.w_tap,
                            .taps = t.taps};
    finite &= kit::pack_rows<T>(k.moves, k.p, w, rows, out + t.weight + k.p.ci * t.taps * b.row0);
  }
  return finite;
}

}  // namespace

template <class T>
size_t packed_size(const Plan<T>& k) {
  return static_cast<size_t>(k.p.groups * k.triples.weights) * sizeof(T);
}

template <class T>
std::string packing_key(const Plan<T>& k) {
  return "native.channels/" + std::to_string(k.moves.lanes) + "/" + name_of(k.p.types.w) +
         (k.lanes.merged ? "/merged" : "") + (k.lanes.inner ? "/inner" : "") + phases_key(k.grid);
}

template <class T>
Result<bool> pack_weights(const Plan<T>& k, const void* w, void* packed, const Runner& runner) {
  std::atomic<bool> finite{true};
  const int64_t blocks = std::ssize(k.blocks), step = channels_per_task(k), pieces = ceil_div(k.p.ci, step);
  const bool ok = runner(k.p.groups * blocks * pieces, [&](int64_t index, int32_t) {
    const int64_t g = index / pieces / blocks, c0 = index % pieces * step;
    T* out = static_cast<T*>(packed) + g * k.triples.weights;
    const Block& block = at(k.blocks, index / pieces % blocks);
    if (!pack_block(k, w, g, block, c0, std::min(c0 + step, k.p.ci), out)) {
      finite.store(false, std::memory_order_relaxed);
    }
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template size_t packed_size(const Plan<float>&);
template size_t packed_size(const Plan<double>&);
template std::string packing_key(const Plan<float>&);
template std::string packing_key(const Plan<double>&);
template Result<bool> pack_weights(const Plan<float>&, const void*, void*, const Runner&);
template Result<bool> pack_weights(const Plan<double>&, const void*, void*, const Runner&);

}  // namespace ctconv::native::channels
