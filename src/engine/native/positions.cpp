// Running the form "positions". in: x, packed weights, bias; out: the core of y. See positions.h.
#include "src/engine/native/positions.h"

#include <algorithm>
#include <cstring>

#include "src/base/checked.h"
#include "src/engine/native/costs.h"

namespace ctconv::native {

template <class T>
std::string PositionsKernel<T>::form() const {
  return std::string("positions, ") + simd_.name + (in_place_ ? ", x in place" : ", padded planes") + ", " +
         std::to_string(units_.size()) + " units of up to " + std::to_string(max_rows_) + " rows, " +
         std::to_string(tiles_) + " tiles of " + std::to_string(strips_per_tile_) + " strips" +
         (store_.stream ? ", streaming stores" : "");
}

template <class T>
size_t PositionsKernel<T>::scratch_bytes() const {
  const int64_t planes = in_place_ ? 0 : images_ * p_.groups * p_.ci * grid_.plane;
  const int64_t bias = static_cast<int64_t>(round_up(static_cast<size_t>(p_.groups * p_.co), 16));
  return static_cast<size_t>(planes + bias + threads_ * worker_elements_) * sizeof(T) + kAlignment;
}

template <class T>
Status PositionsKernel<T>::run(const CallMemory& m, const Runner& given) const {
  const Runner runner = given.workers() <= threads_ ? given : Runner();
  const int64_t channels = p_.groups * p_.co;
  T* bias = static_cast<T*>(align_up(m.scratch));
  if (m.bias) {
    std::memcpy(bias, m.bias, static_cast<size_t>(channels) * sizeof(T));
  } else {
    std::memset(bias, 0, static_cast<size_t>(channels) * sizeof(T));
  }
  T* workers = bias + round_up(static_cast<size_t>(channels), 16);
  T* planes = workers + threads_ * worker_elements_;
  const char* x = static_cast<const char*>(m.x);
  for (int64_t n0 = 0; n0 < p_.n; n0 += images_) {
    const int64_t images = std::min(images_, p_.n - n0);
    bool ok = true;
    if (!in_place_) {
      ok = runner(plane_tasks<T>(p_, images, threads_),
                  [&](int64_t i, int32_t) { plane_task(simd_, p_, grid_, x, n0, images, threads_, i, planes); });
    }
    ok = ok && runner(images * p_.groups * tiles_ * unit_groups_, [&](int64_t i, int32_t w) {
           task(m, in_place_ ? static_cast<const T*>(m.x) : planes, bias, n0, i, workers + w * worker_elements_);
         });
    if (!ok) return Status(Code::MISUSE_RUNNER, "the runner called some other number of tasks than it was given");
  }
  return {};
}

// One tile of positions of one image and group, for a share of the units.
template <class T>
void PositionsKernel<T>::task(const CallMemory& m, const T* x, const T* bias, int64_t n0, int64_t index,
                              T* scratch) const {
  const int64_t share = index % unit_groups_, tile = index / unit_groups_ % tiles_;
  const int64_t g = index / unit_groups_ / tiles_ % p_.groups, n = index / unit_groups_ / tiles_ / p_.groups;
  const int64_t units = static_cast<int64_t>(units_.size());
  const int64_t unit0 = units * share / unit_groups_, unit1 = units * (share + 1) / unit_groups_;
  const int64_t lanes = simd_.lanes;
  T* panel = scratch;  // [ci][6 vectors], only where x is read in place
  T* rows = scratch + (in_place_ ? p_.ci * kMaxVectors * lanes : 0);

  const int64_t strip_end = std::min(strips_, (tile + 1) * strips_per_tile_);
  for (int64_t s = tile * strips_per_tile_; s < strip_end; ++s) {
    const int64_t v0 = vectors_ * s / strips_, v1 = vectors_ * (s + 1) / strips_;
    const int64_t j0 = v0 * lanes;
    const T* from;
    int64_t x_ci;
    if (in_place_) {
      from = x + (n0 + n) * p_.x.n + g * p_.ci * p_.x.c + j0;
      x_ci = p_.x.c;
      const int64_t count = std::min((v1 - v0) * lanes, grid_.positions - j0);
      if (count < (v1 - v0) * lanes || pack_panel_) {
        x_ci = (v1 - v0) * lanes;
        for (int64_t c = 0; c < p_.ci; ++c) {
          std::memcpy(panel + c * x_ci, from + c * p_.x.c, static_cast<size_t>(count) * sizeof(T));
        }
        from = panel;
      }
    } else {
      from = x + (n * p_.groups + g) * p_.ci * grid_.plane + j0;
      x_ci = grid_.plane;
    }
    for (int64_t u = unit0; u < unit1; ++u) {
      strip(m, from, x_ci, bias, n0 + n, g, units_[static_cast<size_t>(u)], j0, static_cast<int>(v1 - v0), rows);
    }
  }
  if (store_.stream) simd_.fence();
}

// All rows of one unit for one strip of positions, then out.
template <class T>
void PositionsKernel<T>::strip(const CallMemory& m, const T* x, int64_t x_ci, const T* bias, int64_t n, int64_t g,
                               const Unit& u, int64_t j0, int vectors, T* rows) const {
  const T* packed = static_cast<const T*>(m.packed) + g * group_weights_;
  const int64_t lanes = simd_.lanes;
  PositionsArgs<T> a;
  a.x_ci = x_ci;
  a.ci = p_.ci;
  a.bias = bias + g * p_.co;
  for (int32_t b = u.block0; b < u.block1; ++b) {
    const Block& block = blocks_[static_cast<size_t>(b)];
    const TapList& list = lists_[static_cast<size_t>(block.list)];
    a.x_tap = list.x_tap.data();
    a.taps = static_cast<int64_t>(list.x_tap.size());
    a.w = packed + block.weight;
    a.row = rows_.data() + block.row;
    a.row_c = row_c_.data() + block.row;
    const int most = std::min(kMaxVectors, simd_.accumulators / block.rows);
    const int pieces = (vectors + most - 1) / most;
    for (int i = 0; i < pieces; ++i) {
      const int v0 = vectors * i / pieces, v1 = vectors * (i + 1) / pieces;
      a.x = x + v0 * lanes;
      a.out = rows + v0 * lanes;
      simd_.positions[block.rows - 1][v1 - v0 - 1](a);
    }
  }
  const int64_t unit_rows = u.channels * (u.d1 - u.d0) * (u.h1 - u.h0) * static_cast<int64_t>(axes_[2].phases.size());
  const int64_t width = kMaxVectors * lanes;
  if (p_.act.kind != Epilogue::kNone) simd_.activate(p_.act, rows, unit_rows * width);
  finish(m, n, g, u, j0, std::min(vectors * lanes, grid_.positions - j0), rows, rows + max_rows_ * width);
}

// Positions j0 .. j0+count, cut into rows of the u grid and stored phase by phase.
template <class T>
void PositionsKernel<T>::finish(const CallMemory& m, int64_t n, int64_t g, const Unit& u, int64_t j0, int64_t count,
                                const T* rows, T* stage) const {
  const int64_t width = kMaxVectors * simd_.lanes, bytes = static_cast<int64_t>(size_of(p_.dtype));
  char* y = static_cast<char*>(m.y) + (n * p_.y.n + (g * p_.co + u.c0) * p_.y.c) * bytes;
  const int64_t c_step = channels_inner_ ? u.channels : 1;
  for (int64_t j = j0; j < j0 + count;) {
    const int64_t ud = j / grid_.stride[0], uh = j % grid_.stride[0] / grid_.stride[1], uw = j % grid_.stride[1];
    const int64_t next = std::min(j0 + count, j - uw + grid_.stride[1]);  // the next row of the grid
    const int64_t end = std::min(uw + next - j, axes_[2].un);
    if (uw < end && uh < axes_[1].un) {
      for (int64_t d = u.d0; d < u.d1; ++d) {
        const Phase& pd = axes_[0].phases[static_cast<size_t>(d)];
        const int64_t at_d = ud + axes_[0].u0;
        if (at_d < pd.u_begin || at_d >= pd.u_end) continue;
        for (int64_t h = u.h0; h < u.h1; ++h) {
          const Phase& ph = axes_[1].phases[static_cast<size_t>(h)];
          const int64_t at_h = uh + axes_[1].u0;
          if (at_h < ph.u_begin || at_h >= ph.u_end) continue;
          char* row = y + (axes_[0].out(at_d, pd) * p_.y.axis[0] + axes_[1].out(at_h, ph) * p_.y.axis[1]) * bytes;
          for (int64_t c = 0; c < u.channels; c += c_step) {
            store_(rows + row_of(u, c, d, h, 0) * width + (j - j0), width, uw + axes_[2].u0, end + axes_[2].u0,
                   row + c * p_.y.c * bytes, stage);
          }
        }
      }
    }
    j = next;
  }
}

template <class T>
int64_t PositionsKernel<T>::row_of(const Unit& u, int64_t c, int64_t d, int64_t h, int64_t w) const {
  const int64_t ds = u.d1 - u.d0, hs = u.h1 - u.h0, ws = static_cast<int64_t>(axes_[2].phases.size());
  if (channels_inner_) return ((((d - u.d0) * hs + (h - u.h0)) * ws + w) * u.channels) + c;
  return ((c * ds + (d - u.d0)) * hs + (h - u.h0)) * ws + w;
}

template class PositionsKernel<float>;
template class PositionsKernel<double>;

}  // namespace ctconv::native
