// Running the form "depthwise"; see depthwise.h.
//
//   in:  x, weights, bias with channels innermost, one channel per group
//   out: the core of y
#include "src/engine/native/depthwise.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "src/base/checked.h"
#include "src/engine/native/costs.h"
#include "src/engine/native/pack.h"
#include "src/engine/native/pad.h"

namespace ctconv::native {
namespace {

// The same tensor as one group of many channels, as the copy sees it.
Problem as_one_group(const Problem& p) {
  Problem q = p;
  q.ci = p.groups;
  q.groups = 1;
  return q;
}

}  // namespace

template <class T>
std::unique_ptr<DepthwiseKernel<T>> DepthwiseKernel<T>::plan(const Problem& p, const PlanContext& context,
                                                             const Simd<T>& simd) {
  if (p.ci != 1 || p.co != 1 || p.groups < simd.lanes || p.x.c != 1 || p.y.c != 1) return nullptr;
  auto k = std::make_unique<DepthwiseKernel>();
  k->p_ = p;
  k->simd_ = simd;
  k->threads_ = std::max(1, context.threads);
  for (size_t a = 0; a < 3; ++a) {
    k->axes_[a] = phases_of(p.axis[a]);
    for (const Phase& f : k->axes_[a].phases)
      k->stretches_[a].push_back(stretches_of(k->axes_[a], f, f.u_begin, f.u_end));
  }
  for (const Phase& d : k->axes_[0].phases) {
    for (const Phase& h : k->axes_[1].phases) {
      for (const Phase& w : k->axes_[2].phases) {
        const int64_t taps = d.taps * h.taps * w.taps;
        k->weight_.push_back(k->weights_);
        k->weights_ += taps * p.groups;
        k->max_taps_ = std::max(k->max_taps_, taps);
      }
    }
  }
  k->in_place_ = size_of(p.dtype) == sizeof(T);
  if (k->in_place_) {
    k->x_stride_ = {p.x.n, p.x.axis[0], p.x.axis[1], p.x.axis[2]};
  } else {
    const int64_t sw = p.groups, sh = sw * p.axis[2].i, sd = sh * p.axis[1].i;
    k->x_stride_ = {sd * p.axis[0].i, sd, sh, sw};
  }
  const int64_t un = k->axes_[2].un;
  k->chunks_ = std::clamp<int64_t>(p.axis[2].o * p.groups / 32768, 1, un);
  k->chunk_ = ceil_div(un, k->chunks_);
  k->chunks_ = ceil_div(un, k->chunk_);
  const int64_t taps = 2 * k->max_taps_ * static_cast<int64_t>(8 / sizeof(T));
  k->worker_elements_ =
      static_cast<int64_t>(round_up(static_cast<size_t>(taps + 16 + (k->in_place_ ? 0 : p.axis[2].o * p.groups)), 16));

  const double lanes = simd.lanes;
  double cycles = static_cast<double>(p.out_elements()) / lanes * 4 + useful_flop(p) / 2 / lanes * 1.6;
  if (!k->in_place_) cycles += static_cast<double>(p.in_elements() + p.out_elements()) / lanes * kPlaneCycles;
  k->seconds_ = overlapped(cycles / k->threads_ / kHertz, moved_bytes(p) / kBytesPerSecond) + kCallSeconds;
  return k;
}

template <class T>
std::string DepthwiseKernel<T>::form() const {
  return std::string("depthwise, ") + simd_.name + (in_place_ ? ", x in place" : ", x widened") +
         ", lanes over channels, " + std::to_string(weight_.size()) + " phases";
}

template <class T>
size_t DepthwiseKernel<T>::scratch_bytes() const {
  const int64_t copy = in_place_ ? 0 : p_.in_elements();
  return static_cast<size_t>(static_cast<int64_t>(round_up(static_cast<size_t>(p_.groups), 16)) + copy +
                             threads_ * worker_elements_) *
             sizeof(T) +
         kAlignment;
}

template <class T>
Status DepthwiseKernel<T>::run(const CallMemory& m, const Runner& given) const {
  const Runner runner = given.workers() <= threads_ ? given : Runner();
  T* bias = static_cast<T*>(align_up(m.scratch));
  if (m.bias) {
    std::memcpy(bias, m.bias, static_cast<size_t>(p_.groups) * sizeof(T));
  } else {
    std::memset(bias, 0, static_cast<size_t>(p_.groups) * sizeof(T));
  }
  T* workers = bias + round_up(static_cast<size_t>(p_.groups), 16);
  T* copy = workers + threads_ * worker_elements_;
  const char* x = static_cast<const char*>(m.x);
  bool ok = true;
  if (!in_place_) {
    const Problem q = as_one_group(p_);
    ok = runner(channel_tasks<T>(q, p_.n), [&](int64_t i, int32_t) { channel_task(simd_, q, x, 0, i, q.ci, copy); });
  }
  const T* from = in_place_ ? static_cast<const T*>(m.x) : copy;
  ok = ok && runner(p_.n * p_.axis[0].o * p_.axis[1].o * chunks_,
                    [&](int64_t i, int32_t w) { task(m, from, bias, i, workers + w * worker_elements_); });
  if (!ok) return runner_broke();
  return {};
}

// One chunk of one output row.
template <class T>
void DepthwiseKernel<T>::task(const CallMemory& m, const T* x, const T* bias, int64_t index, T* scratch) const {
  const int64_t chunk = index % chunks_;
  const int64_t oh = index / chunks_ % p_.axis[1].o, od = index / chunks_ / p_.axis[1].o % p_.axis[0].o;
  const int64_t n = index / chunks_ / p_.axis[1].o / p_.axis[0].o;
  const AxisPhases &D = axes_[0], &H = axes_[1], &W = axes_[2];
  const int64_t ds = static_cast<int64_t>(D.phases.size()), hs = static_cast<int64_t>(H.phases.size()),
                ws = static_cast<int64_t>(W.phases.size());
  const Phase &pd = D.phases[static_cast<size_t>(od % D.s % ds)], &ph = H.phases[static_cast<size_t>(oh % H.s % hs)];
  const int64_t ud = pd.u_begin + od / D.s, uh = ph.u_begin + oh / H.s;
  const auto real = [](const std::vector<Stretch>& all, int64_t u) {
    for (const Stretch& s : all) {
      if (u < s.u_end) return s;
    }
    return all.back();
  };
  const Stretch d = real(stretches_[0][static_cast<size_t>(&pd - D.phases.data())], ud);
  const Stretch h = real(stretches_[1][static_cast<size_t>(&ph - H.phases.data())], uh);

  int64_t* x_tap = reinterpret_cast<int64_t*>(scratch);
  int64_t* w_tap = x_tap + max_taps_;
  T* wide = reinterpret_cast<T*>(w_tap + max_taps_);
  const int64_t bytes = static_cast<int64_t>(size_of(p_.dtype));
  char* y = static_cast<char*>(m.y) + (n * p_.y.n + od * p_.y.axis[0] + oh * p_.y.axis[1]) * bytes;
  const int64_t out_w = in_place_ ? p_.y.axis[2] : p_.groups;
  T* out = in_place_ ? reinterpret_cast<T*>(y) : wide;
  const int64_t u0 = W.u0 + chunk * chunk_, u1 = std::min(W.u0 + W.un, u0 + chunk_);
  for (int64_t f = 0; f < ws; ++f) {
    const Phase& pw = W.phases[static_cast<size_t>(f)];
    for (const Stretch& l : stretches_[2][static_cast<size_t>(f)]) {
      const int64_t begin = std::max(l.u_begin, u0), end = std::min(l.u_end, u1);
      if (begin >= end) continue;
      DepthwiseArgs<T> a;
      a.taps = 0;
      for (int64_t i = d.j_begin; i < d.j_end; ++i) {
        for (int64_t j = h.j_begin; j < h.j_end; ++j) {
          for (int64_t q = l.j_begin; q < l.j_end; ++q) {
            x_tap[a.taps] = -(pd.v0 + i * D.v_step) * x_stride_[1] - (ph.v0 + j * H.v_step) * x_stride_[2] -
                            (pw.v0 + q * W.v_step) * x_stride_[3];
            w_tap[a.taps++] = ((i * ph.taps + j) * pw.taps + q) * p_.groups;
          }
        }
      }
      a.x_tap = x_tap;
      a.w_tap = w_tap;
      a.x_step = x_stride_[3];
      a.out_step = W.s * out_w;
      a.count = end - begin;
      const T* w = static_cast<const T*>(m.packed) +
                   weight_[static_cast<size_t>(((&pd - D.phases.data()) * hs + (&ph - H.phases.data())) * ws + f)];
      const T* from = x + n * x_stride_[0] + ud * x_stride_[1] + uh * x_stride_[2] + begin * x_stride_[3];
      T* to = out + W.out(begin, pw) * out_w;
      a.channels = p_.groups;
      a.x = from;
      a.w = w;
      a.bias = bias;
      a.out = to;
      simd_.depthwise(a);
    }
  }
  if (in_place_ && p_.act.kind == Epilogue::kNone) return;
  for (int64_t f = 0; f < ws; ++f) {
    const Phase& pw = W.phases[static_cast<size_t>(f)];
    for (int64_t u = std::max(u0, pw.u_begin); u < std::min(u1, pw.u_end); ++u) {
      T* row = out + W.out(u, pw) * out_w;
      simd_.activate(p_.act, row, p_.groups);
      if (!in_place_) simd_.store(row, p_.groups, p_.dtype, y + W.out(u, pw) * p_.y.axis[2] * bytes, 1, false);
    }
  }
}

template <class T>
size_t DepthwiseKernel<T>::packed_bytes() const {
  return static_cast<size_t>(weights_) * sizeof(T);
}

template <class T>
std::string DepthwiseKernel<T>::packing() const {
  std::string key = std::string("native.depthwise/") + name_of(p_.dtype);
  for (const AxisPhases& a : axes_) {
    key += "/s" + std::to_string(a.s) + "f" + std::to_string(a.first_f) + "x" + std::to_string(a.phases.size());
  }
  return key;
}

template <class T>
Result<bool> DepthwiseKernel<T>::pack(const void* w, void* packed, const Runner& runner) const {
  T* out = static_cast<T*>(packed);
  const int64_t hs = static_cast<int64_t>(axes_[1].phases.size()), ws = static_cast<int64_t>(axes_[2].phases.size());
  std::atomic<bool> finite{true};
  const bool ok = runner(static_cast<int64_t>(weight_.size()), [&](int64_t index, int32_t) {
    const Phase &d = axes_[0].phases[static_cast<size_t>(index / ws / hs)],
                &h = axes_[1].phases[static_cast<size_t>(index / ws % hs)],
                &l = axes_[2].phases[static_cast<size_t>(index % ws)];
    T* to = out + weight_[static_cast<size_t>(index)];
    bool fine = true;
    for (int64_t i = 0; i < d.taps; ++i) {
      for (int64_t j = 0; j < h.taps; ++j) {
        for (int64_t q = 0; q < l.taps; ++q, to += p_.groups) {
          const int64_t at = (d.t0 + i * axes_[0].t_step) * p_.w.tap[0] + (h.t0 + j * axes_[1].t_step) * p_.w.tap[1] +
                             (l.t0 + q * axes_[2].t_step) * p_.w.tap[2];
          simd_.load(static_cast<const char*>(w) + at * static_cast<int64_t>(size_of(p_.dtype)), p_.w.g, p_.dtype,
                     p_.groups, to);
          T sum = 0;
          for (int64_t g = 0; g < p_.groups; ++g) sum += to[g] * T(0);  // NaN where one is not finite
          fine = fine && sum == 0;
        }
      }
    }
    if (!fine) finite.store(false, std::memory_order_relaxed);
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template class DepthwiseKernel<float>;
template class DepthwiseKernel<double>;

}  // namespace ctconv::native
