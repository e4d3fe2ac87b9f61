// SPDX-License-Identifier: Apache-2.0
// Packing the weights of the form "positions"; see positions.h.
//
//   in:  a plan, the raw weight
//   out: [group][unit][block][ci][taps][M]
#include <atomic>

#include "src/engine/native/positions.h"
#include "src/kit/pack.h"

namespace ctconv::native::positions {
namespace {

template <class T>
bool pack_block(const Plan<T>& k, const void* w, int64_t g, const Block& b, T* out) {
  const Problem& p = k.p;
  int64_t row[kMostPositionRows];
  for (int32_t m = 0; m < b.rows; ++m) {
    const Row& r = at(k.units.rows, b.row + m);
    row[m] = g * p.w.g + r.c * p.w.co + k.grid[0].phase(r.d).t0 * p.w.tap[0] + k.grid[1].phase(r.h).t0 * p.w.tap[1] +
             k.grid[2].phase(r.w).t0 * p.w.tap[2];
  }
  const TapList& list = at(k.lists, b.list);
  const kit::RowPack rows{.c0 = 0,
                          .c1 = p.ci,
                          .base = 0,
                          .row = row,
                          .valid = b.rows,
                          .width = b.rows,
                          .tap = list.w_tap.data(),
                          .taps = list.taps()};
  return kit::pack_rows<T>(k.moves, p, w, rows, out + b.weight);
}

}  // namespace

template <class T>
size_t packed_size(const Plan<T>& k) {
  return static_cast<size_t>(k.p.groups * k.units.weights) * sizeof(T);
}

template <class T>
std::string packing_key(const Plan<T>& k) {
  return "native.positions/" + std::to_string(k.moves.lanes) + "/" + name_of(k.p.types.w) +
         (k.units.channels_inner ? "/inner" : "") + "/" + std::to_string(k.units.count()) + "x" +
         std::to_string(k.units.all[0].channels) + "/" + std::to_string(k.units.blocks.size()) + phases_key(k.grid);
}

template <class T>
Result<bool> pack_weights(const Plan<T>& k, const void* w, void* packed, const Runner& runner) {
  std::atomic<bool> finite{true};
  const int64_t blocks = std::ssize(k.units.blocks);
  const bool ok = runner(k.p.groups * blocks, [&](int64_t index, int32_t) {
    const int64_t g = index / blocks;
    T* out = static_cast<T*>(packed) + g * k.units.weights;
    if (!pack_block(k, w, g, at(k.units.blocks, index % blocks), out)) finite.store(false, std::memory_order_relaxed);
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

}  // namespace ctconv::native::positions
