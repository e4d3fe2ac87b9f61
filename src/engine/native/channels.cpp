// Running the form "channels"; see channels.h.
//
//   in:  x, packed weights, bias
//   out: the core of y
#include "src/engine/native/channels.h"

#include <algorithm>
#include <cstring>

#include "src/base/checked.h"
#include "src/engine/native/costs.h"

namespace ctconv::native {
namespace {

// Short runs in pieces of a size the compiler knows.
template <class T>
void copy_run(const T* from, int64_t count, T* to) {
  switch (count) {
    case 2:
      std::memcpy(to, from, 2 * sizeof(T));
      return;
    case 4:
      std::memcpy(to, from, 4 * sizeof(T));
      return;
    case 8:
      std::memcpy(to, from, 8 * sizeof(T));
      return;
    case 16:
      std::memcpy(to, from, 16 * sizeof(T));
      return;
    case 32:
      std::memcpy(to, from, 32 * sizeof(T));
      return;
    default:
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
  }
}

}  // namespace

// Offsets of one worker: taps and positions of the box at hand.
template <class T>
struct ChannelsKernel<T>::Work {
  int64_t *x_tap, *w_tap, *x_pos, *out_pos;
};

template <class T>
std::string ChannelsKernel<T>::form() const {
  return std::string("channels, ") + moves_.name + (in_place_ ? ", x in place" : ", x channels innermost") +
         (merged_ ? ", phases in lanes" : "") +
         (direct_ ? ", direct"
          : runs_ ? ", runs"
                  : ", transposed") +
         ", " + std::to_string(combos_.size()) + " phases x " + std::to_string(blocks_.size()) + " blocks, tiles of " +
         std::to_string(tile_positions_) + " positions";
}

template <class T>
size_t ChannelsKernel<T>::scratch_bytes() const {
  const int64_t copy = in_place_ || own_copy_ ? 0 : copy_elements_;
  return static_cast<size_t>(round_up(static_cast<size_t>(p_.groups * padded_rows_), 16) +
                             round_up(static_cast<size_t>(copy), 16) +
                             static_cast<size_t>(threads_ * worker_elements_)) *
             sizeof(T) +
         kAlignment;
}

template <class T>
Status ChannelsKernel<T>::run(const Operands& m, const Runner& given) const {
  const Runner runner = given.workers() <= threads_ ? given : Runner();
  T* bias = static_cast<T*>(align_up(m.scratch));
  std::memset(bias, 0, static_cast<size_t>(p_.groups * padded_rows_) * sizeof(T));
  if (m.bias) {
    const T* b = static_cast<const T*>(m.bias);
    for (int64_t g = 0; g < p_.groups; ++g) {
      for (int64_t r = 0; r < rows_; ++r) bias[g * padded_rows_ + r] = b[g * p_.co + (inner_ ? r % p_.co : r / f_)];
    }
  }
  T* workers = bias + round_up(static_cast<size_t>(p_.groups * padded_rows_), 16);
  T* copy = workers + threads_ * worker_elements_;
  const char* x = static_cast<const char*>(m.x);
  const int64_t tiles = count_[1] * count_[2] * count_[3];
  for (int64_t n0 = 0; n0 < p_.n; n0 += images_) {
    const int64_t images = std::min(images_, p_.n - n0);
    bool ok = true;
    if (own_copy_) {
      for (int32_t w = 0; w < threads_; ++w) workers[w * worker_elements_ + copy_at_ - kMaxLanes] = 0;
    } else if (!in_place_) {
      ok = runner(kit::channel_tasks<T>(p_, images),
                  [&](int64_t i, int32_t) { kit::channel_task(moves_, p_, x, n0, i, pitch_, copy); });
    }
    const T* from = in_place_ ? static_cast<const T*>(m.x) + n0 * p_.x.n : copy;
    const int64_t tasks =
        ceil_div(images, step_[0]) * tiles * p_.groups * static_cast<int64_t>(bundles_.size() * blocks_.size());
    ok = ok && runner(tasks, [&](int64_t i, int32_t w) {
           T* worker = workers + w * worker_elements_;
           task(m, own_copy_ ? own_copy(m, worker) : from, bias, n0, images, i, worker);
         });
    if (!ok) return runner_broke();
  }
  return {};
}

// A worker's copy of x, made by the first task it gets; the flag in front of it says whether it is there.
template <class T>
const T* ChannelsKernel<T>::own_copy(const Operands& m, T* worker) const {
  T *copy = worker + copy_at_, *there = copy - kMaxLanes;
  if (*there == 0) {
    const int64_t tasks = kit::channel_tasks<T>(p_, p_.n);
    for (int64_t i = 0; i < tasks; ++i)
      kit::channel_task(moves_, p_, static_cast<const char*>(m.x), 0, i, pitch_, copy);
    *there = 1;
  }
  return copy;
}

template <class T>
typename ChannelsKernel<T>::Box ChannelsKernel<T>::box_of(int64_t tile, int64_t images) const {
  Box b;
  for (int a = 3; a >= 0; --a) {
    const size_t k = static_cast<size_t>(a);
    const int64_t at = a ? tile % count_[k] : tile;
    if (a) tile /= count_[k];
    const int64_t first = a ? axes_[k - 1].u0 : 0, total = a ? axes_[k - 1].un : images;
    b[k] = {first + at * step_[k], first + std::min(total, (at + 1) * step_[k])};
  }
  return b;
}

template <class T>
typename ChannelsKernel<T>::Range ChannelsKernel<T>::range_of(const Combo& c, size_t axis) const {
  if (axis == 2 && merged_) return {axes_[2].u0, axes_[2].u0 + axes_[2].un};
  const Phase& p = axes_[axis].phases[static_cast<size_t>(axis == 0 ? c.d : axis == 1 ? c.h : c.w)];
  return {p.u_begin, p.u_end};
}

// One tile of positions, one block of channels, one bundle of phases.
template <class T>
void ChannelsKernel<T>::task(const Operands& m, const T* x, const T* bias, int64_t n0, int64_t images, int64_t index,
                             T* scratch) const {
  // What is larger stays put while the smaller goes round: the weights of a block, or a tile of x.
  const int64_t tiles = ceil_div(images, step_[0]) * count_[1] * count_[2] * count_[3];
  const int64_t inner = weights_outer_ ? tiles : p_.groups * static_cast<int64_t>(bundles_.size() * blocks_.size());
  const int64_t tile_index = weights_outer_ ? index % inner : index / inner;
  index = weights_outer_ ? index / inner : index % inner;
  // Phases inside channels: neighbouring rows of y share cache lines, neighbouring channels hardly do.
  const size_t pair = static_cast<size_t>(index) % (bundles_.size() * blocks_.size());
  const size_t bundle = pair % bundles_.size();
  const int64_t g = index / static_cast<int64_t>(bundles_.size() * blocks_.size());
  const Box tile = box_of(tile_index, images);
  const Block& block = blocks_[pair / bundles_.size()];
  const int64_t width = block.vectors * moves_.lanes;
  Work work;
  work.x_tap = reinterpret_cast<int64_t*>(scratch);
  work.w_tap = work.x_tap + max_taps_;
  work.x_pos = work.w_tap + max_taps_;
  work.out_pos = work.x_pos + tile_positions_;
  T* sums = static_cast<T*>(align_up(work.out_pos + tile_positions_));
  T* spare = sums + spare_at_;

  const T* packed = static_cast<const T*>(m.packed) + g * group_weights_;
  // Weights that no neighbour has: those of the next task come in while this one ends.
  const T* after = nullptr;
  if (weights_outer_ && tile_index + 1 == tiles && pair + 1 < bundles_.size() * blocks_.size()) {
    const Combo& next = combos_[bundles_[(pair + 1) % bundles_.size()][0]];
    after = packed + next.weight + p_.ci * next.taps * blocks_[(pair + 1) / bundles_.size()].row0;
  }
  const bool direct = direct_;
  const bool stream = direct && stream_ && reinterpret_cast<uintptr_t>(m.y) % kAlignment == 0;
  int64_t most_taps = 1;
  for (size_t c = bundles_[bundle][0]; c < bundles_[bundle][1]; ++c) most_taps = std::max(most_taps, combos_[c].taps);
  const int64_t slab = std::max<int64_t>(8, kSlabBytes / (most_taps * width * static_cast<int64_t>(sizeof(T))));
  const int64_t slabs = std::max<int64_t>(1, ceil_div(p_.ci, slab));

  for (int64_t s = 0; s < slabs; ++s) {
    const int64_t c0 = p_.ci * s / slabs, c1 = p_.ci * (s + 1) / slabs;
    for (size_t c = bundles_[bundle][0]; c < bundles_[bundle][1]; ++c) {
      const Combo& combo = combos_[c];
      const T* w = packed + combo.weight + p_.ci * combo.taps * block.row0;
      T* out = sums + static_cast<int64_t>(c - bundles_[bundle][0]) * tile_positions_ * width;
      if (direct) {
        const Phase &pd = axes_[0].phases[static_cast<size_t>(combo.d)],
                    &ph = axes_[1].phases[static_cast<size_t>(combo.h)],
                    &pw = axes_[2].phases[static_cast<size_t>(combo.w)];
        const int64_t channel = inner_ ? g * p_.co + block.row0 % p_.co : g * p_.co + block.row0 / f_;
        const int64_t phase = inner_ ? block.row0 / p_.co : block.row0 % f_;
        out = static_cast<T*>(m.y) + n0 * p_.y.n + channel * p_.y.c + axes_[0].out(0, pd) * p_.y.axis[0] +
              axes_[1].out(0, ph) * p_.y.axis[1] + (axes_[2].out(0, pw) + phase) * p_.y.axis[2];
      }
      const auto& ds = stretches_[0][static_cast<size_t>(combo.d)];
      const auto& hs = stretches_[1][static_cast<size_t>(combo.h)];
      const auto& ws = stretches_[2][static_cast<size_t>(combo.w)];
      for (const Stretch& d : ds) {
        const Range rd{std::max(d.u_begin, tile[1].begin), std::min(d.u_end, tile[1].end)};
        if (rd.size() <= 0) continue;
        for (const Stretch& h : hs) {
          const Range rh{std::max(h.u_begin, tile[2].begin), std::min(h.u_end, tile[2].end)};
          if (rh.size() <= 0) continue;
          for (const Stretch& l : ws) {
            const Range rw{std::max(l.u_begin, tile[3].begin), std::min(l.u_end, tile[3].end)};
            if (rw.size() <= 0) continue;
            const Box box{tile[0], rd, rh, rw};
            const Phase &pd = axes_[0].phases[static_cast<size_t>(combo.d)],
                        &ph = axes_[1].phases[static_cast<size_t>(combo.h)],
                        &pw = axes_[2].phases[static_cast<size_t>(combo.w)];
            int64_t taps = 0;
            for (int64_t i = d.j_begin; i < d.j_end; ++i) {
              for (int64_t j = h.j_begin; j < h.j_end; ++j) {
                for (int64_t q = l.j_begin; q < l.j_end; ++q) {
                  work.x_tap[taps] = -(pd.v0 + i * axes_[0].v_step) * x_stride_[2] -
                                     (ph.v0 + j * axes_[1].v_step) * x_stride_[3] -
                                     (pw.v0 + q * axes_[2].v_step) * x_stride_[4];
                  work.w_tap[taps++] = ((i * ph.taps + j) * pw.taps + q) * width;
                }
              }
            }
            int64_t at = 0;
            for (int64_t n = box[0].begin; n < box[0].end; ++n) {
              for (int64_t ud = rd.begin; ud < rd.end; ++ud) {
                for (int64_t uh = rh.begin; uh < rh.end; ++uh) {
                  const int64_t x_row = n * x_stride_[0] + g * x_stride_[1] + ud * x_stride_[2] + uh * x_stride_[3];
                  const int64_t local =
                      (((n - tile[0].begin) * tile[1].size() + (ud - tile[1].begin)) * tile[2].size() +
                       (uh - tile[2].begin)) *
                          tile[3].size() -
                      tile[3].begin;
                  const int64_t y_row = n * p_.y.n + ud * axes_[0].s * p_.y.axis[0] + uh * axes_[1].s * p_.y.axis[1];
                  for (int64_t uw = rw.begin; uw < rw.end; ++uw, ++at) {
                    work.x_pos[at] = x_row + uw * x_stride_[4];
                    work.out_pos[at] = direct ? y_row + uw * axes_[2].s * p_.y.axis[2] : (local + uw) * width;
                  }
                }
              }
            }
            ChannelsArgs<T> a;
            a.x = x + c0;
            a.ci = c1 - c0;
            a.x_tap = work.x_tap;
            a.w_tap = work.w_tap;
            a.taps = taps;
            a.w_ci = combo.taps * width;
            a.w = w + c0 * a.w_ci;
            a.bias = bias + g * padded_rows_ + block.row0;
            a.out = out;
            a.stream = direct && stream;
            a.spare = direct ? width - block.valid : 0;
            a.first = s == 0;
            a.last = s + 1 == slabs;
            a.act = direct && p_.epilogue.activation.kind != Activation::kNone ? &p_.epilogue.activation : nullptr;
            const int most = routines_.rows(block.vectors);
            const int64_t pieces = ceil_div(at, most);
            // While this slab is multiplied the next one comes in, evenly spread over the blocks of positions.
            a.w_next = s + 1 < slabs ? w + c1 * a.w_ci : after;
            const int64_t next_bytes =
                (s + 1 < slabs ? p_.ci * (s + 2) / slabs - c1 : c1 - c0) * a.w_ci * static_cast<int64_t>(sizeof(T));
            a.w_next_step = ceil_div(ceil_div(next_bytes, pieces), std::max<int64_t>(1, a.ci) * 64) * 64;
            const T* const next = a.w_next;
            for (int64_t i = 0; i < pieces; ++i) {
              if (next) {
                const int64_t skip = i * a.w_next_step * a.ci;
                a.w_next = skip < next_bytes ? next + skip / static_cast<int64_t>(sizeof(T)) : nullptr;
              }
              const int64_t q0 = at * i / pieces, q1 = at * (i + 1) / pieces;
              a.x_pos = work.x_pos + q0;
              a.out_pos = work.out_pos + q0;
              routines_.block[q1 - q0 - 1][block.vectors - 1](a);
            }
          }
        }
      }
    }
  }
  if (stream) moves_.fence();
  if (!direct) finish(m, n0, g, bundle, block, tile, sums, spare);
}

// From sums [combo][position][lane] to y.
template <class T>
void ChannelsKernel<T>::finish(const Operands& m, int64_t n0, int64_t g, size_t bundle, const Block& block,
                               const Box& tile, T* sums, T* spare) const {
  const int64_t width = block.vectors * moves_.lanes, bytes = static_cast<int64_t>(size_of(p_.types.x));
  const size_t first = bundles_[bundle][0], last = bundles_[bundle][1];
  const int64_t positions = tile[0].size() * tile[1].size() * tile[2].size() * tile[3].size();
  for (size_t c = first; c < last; ++c) {
    T* own = sums + static_cast<int64_t>(c - first) * tile_positions_ * width;
    if (p_.epilogue.activation.kind != Activation::kNone) moves_.activate(p_.epilogue.activation, own, positions * width);
    if (runs_) {
      finish_runs(m, n0, g, combos_[c], block, tile, own);
    } else {
      moves_.transpose(own, width, positions, block.valid,
                       spare + kMaxLanes + static_cast<int64_t>(c - first) * (tile_positions_ * width + kMaxLanes) -
                           (combos_[c].w >= axes_[2].wrap ? 1 : 0),
                       tile_positions_);
    }
  }
  if (runs_) return;

  // spare: [combo][lane][position]; each lane is a channel, the combos are its w phases.
  const Combo& combo = combos_[first];
  const Phase &pd = axes_[0].phases[static_cast<size_t>(combo.d)], &ph = axes_[1].phases[static_cast<size_t>(combo.h)];
  const auto span = store_.span(tile[3].begin - axes_[2].u0, tile[3].end - axes_[2].u0);
  typename RowStore<T>::Run run{sums};  // the sums are no longer needed
  for (int64_t c = 0; c < block.valid; ++c) {
    const T* src = spare + kMaxLanes + c * tile_positions_;
    for (int64_t n = tile[0].begin; n < tile[0].end; ++n) {
      char* y = static_cast<char*>(m.y) + ((n0 + n) * p_.y.n + (g * p_.co + block.row0 + c) * p_.y.c) * bytes;
      for (int64_t d = tile[1].begin; d < tile[1].end; ++d) {
        for (int64_t h = tile[2].begin; h < tile[2].end; ++h, src += tile[3].size()) {
          if (d < pd.u_begin || d >= pd.u_end || h < ph.u_begin || h >= ph.u_end) continue;
          store_(src, tile_positions_ * width + kMaxLanes, span,
                 y + (axes_[0].out(d, pd) * p_.y.axis[0] + axes_[1].out(h, ph) * p_.y.axis[1]) * bytes, run);
        }
      }
    }
  }
  store_.flush(run);
}

// Lanes [row0, row0+valid) cut into runs that are contiguous in y: of phases of one channel, or of channels of one
// phase.
template <class T>
void ChannelsKernel<T>::finish_runs(const Operands& m, int64_t n0, int64_t g, const Combo& combo, const Block& block,
                                    const Box& tile, const T* sums) const {
  const int64_t width = block.vectors * moves_.lanes, bytes = static_cast<int64_t>(size_of(p_.types.x));
  const int64_t length = run_;
  const Phase &pd = axes_[0].phases[static_cast<size_t>(combo.d)], &ph = axes_[1].phases[static_cast<size_t>(combo.h)];
  for (int64_t r = block.row0; r < block.row0 + block.valid;) {
    const int64_t outer = r / length, from = r % length;
    const int64_t count = std::min(length - from, block.row0 + block.valid - r);
    const int64_t c = inner_ ? from % p_.co : r / f_, f = combo.w + (inner_ ? outer + from / p_.co : r % f_);
    // Positions at which the whole run is inside the output.
    int64_t u_begin = tile[3].begin, u_end = tile[3].end;
    for (int64_t k = 0; k < (inner_ || run_ != f_ ? 1 : count); ++k) {
      const Phase& pw = w_phase(f + k);
      u_begin = std::max(u_begin, pw.u_begin);
      u_end = std::min(u_end, pw.u_end);
    }
    u_end = std::max(u_begin, u_end);
    const T* src = sums + (r - block.row0);
    for (int64_t n = tile[0].begin; n < tile[0].end; ++n) {
      for (int64_t d = tile[1].begin; d < tile[1].end; ++d) {
        for (int64_t h = tile[2].begin; h < tile[2].end; ++h, src += tile[3].size() * width) {
          if (d < pd.u_begin || d >= pd.u_end || h < ph.u_begin || h >= ph.u_end) continue;
          char* y =
              static_cast<char*>(m.y) + ((n0 + n) * p_.y.n + (g * p_.co + c) * p_.y.c +
                                         axes_[0].out(d, pd) * p_.y.axis[0] + axes_[1].out(h, ph) * p_.y.axis[1]) *
                                            bytes;
          for (int64_t u = tile[3].begin; u < tile[3].end; ++u) {
            const T* s = src + (u - tile[3].begin) * width;
            char* to = y + axes_[2].out(u, w_phase(f)) * p_.y.axis[2] * bytes;
            if (u >= u_begin && u < u_end) {
              if (size_of(p_.types.x) == sizeof(T)) {
                copy_run(s, count, reinterpret_cast<T*>(to));
              } else {
                moves_.store(s, count, p_.types.x, to, 1, false);
              }
            } else if (!inner_) {
              for (int64_t k = 0; k < count; ++k) {
                const Phase& pw = w_phase(f + k);
                if (u >= pw.u_begin && u < pw.u_end)
                  moves_.store(s + k, 1, p_.types.x, to + k * p_.y.axis[2] * bytes, 1, false);
              }
            }
          }
        }
      }
    }
    r += count;
  }
}

template class ChannelsKernel<float>;
template class ChannelsKernel<double>;

}  // namespace ctconv::native
