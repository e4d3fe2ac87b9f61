// Running the form "positions"; see positions.h.
//
//   in:  x, packed weights, bias
//   out: the core of y
#include "src/engine/native/positions.h"

#include <algorithm>
#include <cstring>

#include "src/base/checked.h"
#include "src/engine/native/costs.h"

namespace ctconv::native {

template <class T>
std::string PositionsKernel<T>::form() const {
  return std::string("positions, ") + moves_.name +
         (in_place_    ? ", x in place"
          : own_panel_ ? ", padded panels"
                       : ", padded planes") +
         ", " + std::to_string(units_.size()) + " units of up to " + std::to_string(max_rows_) + " rows, " +
         std::to_string(tiles_) + " tiles of " + std::to_string(groups_per_tile_ * group_strips_) + " strips" +
         (store_.stream() ? ", streaming stores" : "");
}

template <class T>
size_t PositionsKernel<T>::scratch_bytes() const {
  const int64_t planes = in_place_ || own_panel_ ? 0 : images_ * p_.groups * p_.ci * grid_.plane;
  const int64_t bias = static_cast<int64_t>(round_up(static_cast<size_t>(p_.groups * p_.co), 16));
  return static_cast<size_t>(planes + bias + threads_ * worker_elements_) * sizeof(T) + kAlignment;
}

template <class T>
Status PositionsKernel<T>::run(const Operands& m, const Runner& given) const {
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
    if (!in_place_ && !own_panel_) {
      ok = runner(kit::plane_tasks<T>(p_, images, threads_),
                  [&](int64_t i, int32_t) { kit::plane_task(moves_, p_, grid_, x, n0, threads_, i, planes); });
    }
    ok = ok && runner(images * p_.groups * tiles_ * unit_groups_,
                      [&](int64_t i, int32_t w) { task(m, planes, bias, n0, i, workers + w * worker_elements_); });
    if (!ok) return runner_broke();
  }
  return {};
}

// One tile of positions of one image and group, for a share of the units.
template <class T>
void PositionsKernel<T>::task(const Operands& m, const T* x, const T* bias, int64_t n0, int64_t index,
                              T* scratch) const {
  const int64_t share = index % unit_groups_, tile = index / unit_groups_ % tiles_;
  const int64_t g = index / unit_groups_ / tiles_ % p_.groups, n = index / unit_groups_ / tiles_ / p_.groups;
  const int64_t units = static_cast<int64_t>(units_.size());
  const int64_t unit0 = units * share / unit_groups_, unit1 = units * (share + 1) / unit_groups_;
  const int64_t lanes = moves_.lanes;
  T* panel =
      scratch;  // [ci][group of strips] where x is read in place, [ci][places of the tile] where it is padded here
  T* rows = scratch + panel_elements_;
  T* stage = rows + row_elements_;
  Piece* pieces = reinterpret_cast<Piece*>(stage + stage_elements_);
  RowPart* parts = reinterpret_cast<RowPart*>(pieces + width_ + 1);

  const int64_t group_end = std::min(groups_, (tile + 1) * groups_per_tile_);
  int64_t place = 0;  // of the panel's first column
  if (own_panel_) {
    const auto [first, last] = places_of(tile * groups_per_tile_, group_end);
    place = first;
    const char* image = static_cast<const char*>(m.x) + (n0 + n) * p_.x.n * static_cast<int64_t>(size_of(p_.types.x));
    kit::plane_part(moves_, p_, grid_, image, g * p_.ci, (g + 1) * p_.ci, first, last, panel_pitch_, panel);
  }
  for (int64_t k = tile * groups_per_tile_; k < group_end; ++k) {
    const int64_t slab = k / slab_groups_, own = k % slab_groups_;
    const int64_t s0 = slab_strips_ * own / slab_groups_, s1 = slab_strips_ * (own + 1) / slab_groups_;
    const int64_t j0 = start_of(own), width = start_of(own + 1) - j0;
    const int64_t count = std::min(width, slab_positions_ - j0);
    const T *from, *ahead = nullptr;  // ahead: what the next group will read where this one reads `from`
    int64_t x_ci, ahead_ci = 0;
    if (in_place_) {
      const int64_t bytes = static_cast<int64_t>(size_of(p_.types.x));
      const char* source =
          static_cast<const char*>(m.x) + ((n0 + n) * p_.x.n + g * p_.ci * p_.x.c + j0 * p_.x.axis[2]) * bytes;
      from = reinterpret_cast<const T*>(source);
      x_ci = p_.x.c;
      if (count < width || pack_panel_) {
        if (p_.x.c == 1 && p_.x.axis[2] != 1 && bytes == static_cast<int64_t>(sizeof(T))) {
          moves_.transpose(from, p_.x.axis[2], count, p_.ci, panel, panel_pitch_);
        } else {
          for (int64_t c = 0; c < p_.ci; ++c) {
            moves_.load(source + c * p_.x.c * bytes, p_.x.axis[2], p_.types.x, count, panel + c * panel_pitch_);
          }
        }
        if (k + 1 < group_end && p_.x.axis[2] == 1 && bytes == static_cast<int64_t>(sizeof(T))) {
          ahead = from + width;
          ahead_ci = p_.x.c;
        }
        from = panel;
        x_ci = panel_pitch_;
      }
    } else if (own_panel_) {
      from = panel + slab * slab_step_ + j0 - place;
      x_ci = panel_pitch_;
    } else {
      from = x + (n * p_.groups + g) * p_.ci * grid_.plane + slab * slab_step_ + j0;
      x_ci = ahead_ci = grid_.plane;
      if (grid_.last != 0) ahead = from + grid_.last + width;
    }
    const int64_t found = pieces_of(slab, j0, count, pieces);
    for (int64_t u = unit0; u < unit1; ++u) {
      const Unit& unit = units_[static_cast<size_t>(u)];
      for (int64_t s = s0; s < s1; ++s) {
        const int64_t v0 = slab_vectors_ * s / slab_strips_, v1 = slab_vectors_ * (s + 1) / slab_strips_;
        const int64_t at = v0 * lanes - j0;
        multiply(m, from + at, x_ci, u == unit0 && ahead ? ahead + at : nullptr, ahead_ci, bias, g, slab, unit,
                 static_cast<int>(v1 - v0), rows + kMaxLanes + at);
      }
      if (p_.epilogue.activation.kind != Activation::kNone) activate(unit, width, rows);
      finish(m, n0 + n, g, unit, pieces, found, width, rows + kMaxLanes, stage, parts);
    }
  }
  if (store_.stream()) moves_.fence();
}

template <class T>
int64_t PositionsKernel<T>::start_of(int64_t k) const {
  return slab_vectors_ * (slab_strips_ * k / slab_groups_) / slab_strips_ * moves_.lanes;
}

template <class T>
std::array<int64_t, 2> PositionsKernel<T>::places_of(int64_t k0, int64_t k1) const {
  const auto end = [&](int64_t k) {
    return k / slab_groups_ * slab_step_ + start_of(k % slab_groups_ + 1) + grid_.last;
  };
  const int64_t whole = (k1 - 1) / slab_groups_ * slab_groups_ - 1;  // the last group of the slab before
  return {k0 / slab_groups_ * slab_step_ + start_of(k0 % slab_groups_),
          std::max(end(k1 - 1), whole >= k0 ? end(whole) : 0)};
}

// Where positions j0 .. j0+count of a slab lie in the u grid.
template <class T>
int64_t PositionsKernel<T>::pieces_of(int64_t slab, int64_t j0, int64_t count, Piece* pieces) const {
  int64_t found = 0;
  for (int64_t j = j0; j < j0 + count;) {
    const int64_t ud = slabs_ > 1 ? slab : j / grid_.stride[0];
    const int64_t uh = (slabs_ > 1 ? j : j % grid_.stride[0]) / grid_.stride[1], uw = j % grid_.stride[1];
    const int64_t next = std::min(j0 + count, j - uw + grid_.stride[1]);  // the next row of the grid
    const int64_t end = std::min(uw + next - j, axes_[2].un);
    if (uw < end && uh < axes_[1].un) {
      pieces[found++] = {ud + axes_[0].u0, uh + axes_[1].u0, j - j0, store_.span(uw, end)};
    }
    j = next;
  }
  return found;
}

// All rows of one unit for one strip of positions.
template <class T>
void PositionsKernel<T>::multiply(const Operands& m, const T* x, int64_t x_ci, const T* ahead, int64_t ahead_ci,
                                  const T* bias, int64_t g, int64_t slab, const Unit& u, int vectors, T* rows) const {
  const T* packed = static_cast<const T*>(m.packed) + g * group_weights_;
  const int64_t lanes = moves_.lanes;
  PositionsArgs<T> a;
  a.x_ci = x_ci;
  a.ci = p_.ci;
  a.bias = bias + g * p_.co;
  for (int32_t b = u.block0; b < u.block1; ++b) {
    const Block& block = blocks_[static_cast<size_t>(b)];
    const TapList& list = lists_[static_cast<size_t>(block.list)];
    int64_t first = 0, last = list.d_taps;  // along d, the taps that meet the input in this slab
    if (slabs_ > 1) {
      const int64_t at = slab + axes_[0].u0 - list.d_v0;
      first = std::clamp<int64_t>(floor_div(at - axes_[0].i, axes_[0].v_step) + 1, 0, list.d_taps);
      last = std::clamp<int64_t>(floor_div(at, axes_[0].v_step) + 1, first, list.d_taps);
    }
    a.x_tap = list.x_tap.data() + first * list.hw_taps;
    a.taps = (last - first) * list.hw_taps;
    a.w = packed + block.weight + first * list.hw_taps * block.rows;
    a.w_ci = static_cast<int64_t>(list.x_tap.size()) * block.rows;
    a.row = rows_.data() + block.row;
    a.row_c = row_c_.data() + block.row;
    const bool fetch = ahead != nullptr && b == u.block0;
    a.x_ahead_ci = ahead_ci;
    const int most = std::min(kMostPositionVectors, moves_.accumulators / block.rows);
    const int pieces = (vectors + most - 1) / most;
    for (int i = 0; i < pieces; ++i) {
      const int v0 = vectors * i / pieces, v1 = vectors * (i + 1) / pieces;
      a.x = x + v0 * lanes;
      a.x_ahead = fetch ? ahead + v0 * lanes : nullptr;
      a.out = rows + v0 * lanes;
      routines_.block[block.rows - 1][v1 - v0 - 1](a);
    }
  }
}

template <class T>
void PositionsKernel<T>::activate(const Unit& u, int64_t count, T* rows) const {
  const int64_t unit_rows = u.channels * (u.d1 - u.d0) * (u.h1 - u.h0) * static_cast<int64_t>(axes_[2].phases.size());
  for (int64_t r = 0; r < unit_rows; ++r) moves_.activate(p_.epilogue.activation, rows + r * width_, count + kMaxLanes);
}

// Channel by channel in the order of y, so that rows which follow each other there are stored as one run; short rows
// of a plain y all together.
template <class T>
void PositionsKernel<T>::finish(const Operands& m, int64_t n, int64_t g, const Unit& u, const Piece* pieces,
                                int64_t count, int64_t width, const T* rows, T* stage, RowPart* parts) const {
  const int64_t bytes = static_cast<int64_t>(size_of(p_.types.x));
  char* y = static_cast<char*>(m.y) + (n * p_.y.n + (g * p_.co + u.c0) * p_.y.c) * bytes;
  if (count > 1 && store_.plain()) return finish_short(u, pieces, count, width, rows, y, stage, parts);
  const int64_t hs = u.h1 - u.h0;
  typename RowStore<T>::Run run{stage};
  for (int64_t c = 0; c < u.channels; c += channels_inner_ ? u.channels : 1) {
    for (int64_t d = u.d0; d < u.d1; ++d) {
      const Phase& pd = axes_[0].phases[static_cast<size_t>(d)];
      for (int64_t k = 0; k < count; ++k) {
        const Piece& at = pieces[k];
        if (at.ud < pd.u_begin || at.ud >= pd.u_end) continue;
        char* plane = y + (axes_[0].out(at.ud, pd) * p_.y.axis[0] + c * p_.y.c) * bytes;
        for (int64_t i = 0; i < hs; ++i) {  // late phases of a position come before the others in y
          const int64_t h = u.h0 + (hs > 1 ? (i + axes_[1].wrap) % hs : 0);
          const Phase& ph = axes_[1].phases[static_cast<size_t>(h)];
          if (at.uh < ph.u_begin || at.uh >= ph.u_end) continue;
          store_(rows + row_of(u, c, d, h, 0) * width_ + at.at, width_, at.span,
                 plane + axes_[1].out(at.uh, ph) * p_.y.axis[1] * bytes, run);
        }
      }
    }
  }
  store_.flush(run);
}

template <class T>
void PositionsKernel<T>::finish_short(const Unit& u, const Piece* pieces, int64_t count, int64_t width, const T* rows,
                                      char* y, T* stage, RowPart* parts) const {
  for (int64_t d = u.d0; d < u.d1; ++d) {
    const Phase& pd = axes_[0].phases[static_cast<size_t>(d)];
    for (int64_t h = u.h0; h < u.h1; ++h) {
      const Phase& ph = axes_[1].phases[static_cast<size_t>(h)];
      int64_t found = 0;
      for (int64_t k = 0; k < count; ++k) {
        const Piece& at = pieces[k];
        if (at.ud < pd.u_begin || at.ud >= pd.u_end || at.uh < ph.u_begin || at.uh >= ph.u_end) continue;
        parts[found] = store_.part(at.span, at.at);
        parts[found++].to += axes_[0].out(at.ud, pd) * p_.y.axis[0] + axes_[1].out(at.uh, ph) * p_.y.axis[1];
      }
      if (found == 0) continue;
      for (int64_t c = 0; c < u.channels; c += channels_inner_ ? u.channels : 1) {
        store_.many(rows + row_of(u, c, d, h, 0) * width_, width_, width, parts, found,
                    y + c * p_.y.c * static_cast<int64_t>(sizeof(T)), stage);
      }
    }
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
