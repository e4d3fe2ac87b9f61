// Running the form "rows"; see rows.h.
//
//   in:  x, weights, bias with rows contiguous, one channel per group
//   out: the core of y
#include "src/engine/native/rows.h"

#include <algorithm>
#include <atomic>

#include "src/base/checked.h"
#include "src/engine/native/costs.h"

namespace ctconv::native {

template <class T>
std::unique_ptr<RowsKernel<T>> RowsKernel<T>::plan(const Problem& p, const PlanContext& context,
                                                   const Moves<T>& moves) {
  if (p.ci != 1 || p.co != 1 || p.y.axis[2] != 1 || size_of(p.types.x) != sizeof(T)) return nullptr;
  const int32_t threads = std::max(1, context.threads);
  auto k = std::make_unique<RowsKernel>();
  k->p_ = p;
  k->one_ = p;
  k->one_.n = k->one_.groups = 1;
  k->moves_ = moves;
  k->routines_ = rows_routines<T>();
  k->threads_ = threads;
  k->places_ = std::min<int64_t>(threads, p.n * p.groups);
  for (size_t a = 0; a < 3; ++a) k->axes_[a] = kit::phases_of(p.axis[a]);
  const AxisPhases& w = k->axes_[2];
  if (!w.complete() || w.s > kMostRowPhases || k->routines_.row[w.s] == nullptr) return nullptr;
  k->grid_ = kit::plane_grid(k->axes_, 4 * moves.lanes + 16, moves.lanes);

  double taps = 0;
  for (const Phase& d : k->axes_[0].phases) {
    for (const Phase& h : k->axes_[1].phases) {
      Combo c;
      c.weight = k->weights_;
      for (const Phase& l : w.phases) {
        c.begin.push_back(static_cast<int32_t>(c.x_tap.size()));
        const int64_t late = l.u_begin - w.u0;  // its position 0 lies so much further
        for (int64_t i = 0; i < d.taps; ++i) {
          for (int64_t j = 0; j < h.taps; ++j) {
            for (int64_t q = 0; q < l.taps; ++q) {
              c.x_tap.push_back((k->axes_[0].v_max - d.v0 - i * k->axes_[0].v_step) * k->grid_.stride[0] +
                                (k->axes_[1].v_max - h.v0 - j * k->axes_[1].v_step) * k->grid_.stride[1] +
                                (w.v_max - l.v0 - q * w.v_step) + late);
              c.w_tap.push_back((d.t0 + i * k->axes_[0].t_step) * p.w.tap[0] +
                                (h.t0 + j * k->axes_[1].t_step) * p.w.tap[1] + (l.t0 + q * w.t_step) * p.w.tap[2]);
            }
          }
        }
      }
      c.begin.push_back(static_cast<int32_t>(c.x_tap.size()));
      k->weights_ += static_cast<int64_t>(c.x_tap.size());
      taps += static_cast<double>(c.x_tap.size());
      k->combos_.push_back(std::move(c));
    }
  }
  const bool stream = static_cast<double>(p.out_elements()) * size_of(p.types.x) > kStreamBytes;
  k->room_ = stream || p.epilogue.activation.kind != Activation::kNone ? p.axis[2].o + (stream ? 4096 : 0) : 0;
  k->worker_elements_ = static_cast<int64_t>(round_up(static_cast<size_t>(k->grid_.plane + k->room_ + 32), 16));

  const double outputs = static_cast<double>(p.out_elements()), phases = static_cast<double>(k->combos_.size()) * w.s;
  double cycles = outputs / moves.lanes * (taps / phases * kRowTapCycles + kRowStoreCycles);
  cycles += outputs / static_cast<double>(p.axis[2].o) * kRowCycles;
  cycles += static_cast<double>(p.n * p.groups * k->grid_.plane) / moves.lanes * kPlaneCycles;
  // Whole channels are handed out: the slowest thread has so many of them.
  const double share = static_cast<double>(ceil_div(p.n * p.groups, threads)) / static_cast<double>(p.n * p.groups);
  k->seconds_ = overlapped(cycles * share / kHertz, moved_bytes(p) / kBytesPerSecond) + kCallSeconds;
  return k;
}

template <class T>
std::string RowsKernel<T>::form() const {
  return std::string("rows of y, ") + moves_.name + ", a padded plane per worker, " + std::to_string(combos_.size()) +
         " x " + std::to_string(axes_[2].s) + " phases" + (streams() ? ", streaming stores" : "");
}

template <class T>
size_t RowsKernel<T>::scratch_bytes() const {
  return static_cast<size_t>(places_ * worker_elements_) * sizeof(T) + kAlignment;
}

template <class T>
Status RowsKernel<T>::run(const Operands& m, const Runner& given) const {
  const Runner runner = given.workers() <= threads_ ? given : Runner();
  T* workers = static_cast<T*>(align_up(m.scratch));
  const bool own = places_ == p_.n * p_.groups;  // each channel has a place of its own
  if (!runner(p_.n * p_.groups,
              [&](int64_t i, int32_t w) { channel(m, i, workers + (own ? i : w) * worker_elements_); })) {
    return runner_broke();
  }
  return {};
}

// One channel of one image.
template <class T>
void RowsKernel<T>::channel(const Operands& m, int64_t index, T* plane) const {
  const int64_t n = index / p_.groups, g = index % p_.groups, bytes = static_cast<int64_t>(sizeof(T));
  const char* x = static_cast<const char*>(m.x) + (n * p_.x.n + g * p_.x.c) * bytes;
  kit::plane_part(moves_, one_, grid_, x, 0, 1, 0, grid_.plane, grid_.plane, plane);

  const AxisPhases &D = axes_[0], &H = axes_[1], &W = axes_[2];
  T* y = static_cast<T*>(m.y) + n * p_.y.n + g * p_.y.c;
  T* stage = plane + grid_.plane;
  T* staged_at = nullptr;  // where the stage's values belong
  int64_t filled = 0;
  const auto flush = [&] {
    if (filled != 0) moves_.store(stage, filled, p_.types.x, staged_at, 1, streams());
    filled = 0;
  };
  RowsArgs<T> a;
  a.bias = m.bias ? static_cast<const T*>(m.bias)[g] : T(0);
  a.values = p_.axis[2].o;
  // Remainders and quotients by the stride are counted along: a division costs as much as a short row.
  for (int64_t od = 0, fd = 0, qd = 0; od < D.o; ++od, fd = fd + 1 < D.s ? fd + 1 : 0, qd += fd == 0) {
    const Phase& pd = D.phases[static_cast<size_t>(fd)];
    const int64_t ud = pd.u_begin + qd - D.u0;
    for (int64_t oh = 0, fh = 0, qh = 0; oh < H.o; ++oh, fh = fh + 1 < H.s ? fh + 1 : 0, qh += fh == 0) {
      const Phase& ph = H.phases[static_cast<size_t>(fh)];
      const int64_t uh = ph.u_begin + qh - H.u0;
      const Combo& c = combos_[static_cast<size_t>(fd) * H.phases.size() + static_cast<size_t>(fh)];
      T* to = y + od * p_.y.axis[0] + oh * p_.y.axis[1];
      a.x = plane + ud * grid_.stride[0] + uh * grid_.stride[1];
      a.x_tap = c.x_tap.data();
      a.w = static_cast<const T*>(m.packed) + g * weights_ + c.weight;
      a.begin = c.begin.data();
      a.y = to;
      if (room_ != 0) {
        if (filled != 0 && (staged_at + filled != to || filled + a.values > room_)) flush();
        if (filled == 0) staged_at = to;
        a.y = stage + filled;
        filled += a.values;
      }
      routines_.row[W.s](a);
      if (p_.epilogue.activation.kind != Activation::kNone) moves_.activate(p_.epilogue.activation, a.y, a.values);
    }
  }
  flush();
  if (streams()) moves_.fence();
}

template <class T>
size_t RowsKernel<T>::packed_bytes() const {
  return static_cast<size_t>(p_.groups * weights_) * sizeof(T);
}

template <class T>
std::string RowsKernel<T>::packing() const {
  std::string key = std::string("native.rows/") + name_of(p_.types.x);
  for (const AxisPhases& a : axes_) {
    key += "/s" + std::to_string(a.s) + "f" + std::to_string(a.first_f) + "x" + std::to_string(a.phases.size());
  }
  return key;
}

template <class T>
Result<bool> RowsKernel<T>::pack(const void* w, void* packed, const Runner& runner) const {
  std::atomic<bool> finite{true};
  const bool ok = runner(p_.groups, [&](int64_t g, int32_t) {
    const int64_t row = g * p_.w.g;
    bool fine = true;
    for (const Combo& c : combos_) {
      const kit::RowPack rows{0, 1, 0, &row, 1, 1, c.w_tap.data(), static_cast<int64_t>(c.w_tap.size())};
      fine &= kit::pack_rows<T>(p_, w, rows, static_cast<T*>(packed) + g * weights_ + c.weight);
    }
    if (!fine) finite.store(false, std::memory_order_relaxed);
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template class RowsKernel<float>;
template class RowsKernel<double>;

}  // namespace ctconv::native
