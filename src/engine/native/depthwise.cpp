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
#include "src/engine/native/limits.h"

namespace ctconv::native {

namespace {

// Panels of 16-bit types, in elements of the computing type: the second-level cache holds one and its outputs.
constexpr int64_t kPanelElements = 65536, kWideElements = 16384;
constexpr int64_t kMostBlock = 512, kLeastBlock = 64;  // channels of a block
constexpr int64_t kLeastChunk = 8;                     // positions, so that what neighbours share is the smaller part
constexpr int64_t kChunkOutputs = 32768;               // outputs of a task where x is read in place

int64_t most_taps(const AxisPhases& axis) {
  int64_t most = 1;
  for (const Phase& p : axis.phases) most = std::max(most, p.taps);
  return most;
}

}  // namespace

// One output row od, oh of image n: positions u0 .. u1, channels c0 .. c1, the taps of d and h that are real there.
template <class T>
struct DepthwiseKernel<T>::Row {
  int64_t n, od, oh, u0, u1, c0, c1;
  int64_t pd, ph;  // phases
  int64_t ud, uh;
  Stretch d, h;
  int64_t first, last;  // input columns of the panel
};

template <class T>
std::unique_ptr<DepthwiseKernel<T>> DepthwiseKernel<T>::plan(const Problem& p, const PlanContext& context,
                                                             const Moves<T>& moves) {
  if (p.ci != 1 || p.co != 1 || p.groups < moves.lanes || p.x.c != 1 || p.y.c != 1) return nullptr;
  auto k = std::make_unique<DepthwiseKernel>();
  k->p_ = p;
  k->moves_ = moves;
  k->routines_ = depthwise_routines<T>();
  k->threads_ = std::max(1, context.threads);
  for (size_t a = 0; a < 3; ++a) {
    k->axes_[a] = kit::phases_of(p.axis[a]);
    if (kit::most_stretches(k->axes_[a]) > kMostStretches) return nullptr;
    for (const Phase& f : k->axes_[a].phases)
      k->stretches_[a].push_back(kit::stretches_of(k->axes_[a], f, f.u_begin, f.u_end));
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
  k->in_place_ = size_of(p.types.x) == sizeof(T);
  k->make_chunks();
  k->estimate();
  return k;
}

template <class T>
void DepthwiseKernel<T>::make_chunks() {
  const int64_t un = axes_[2].un, v = axes_[2].v_max;
  if (in_place_) {
    chunk_ = ceil_div(un, std::clamp<int64_t>(p_.axis[2].o * p_.groups / kChunkOutputs, 1, un));
  } else {
    const int64_t rows = most_taps(axes_[0]) * most_taps(axes_[1]);
    int64_t block = std::min(p_.groups, kMostBlock);
    while (block > 2 * kLeastBlock && rows * (v + kLeastChunk) * block > kPanelElements) block /= 2;
    blocks_ = ceil_div(p_.groups, block);
    block = ceil_div(p_.groups, blocks_);
    const int64_t fits = std::min(kWideElements / block, kPanelElements / (rows * block) - v);
    chunk_ = ceil_div(un, ceil_div(un, std::max(fits, kLeastChunk)));
    panel_row_ = std::min(p_.axis[2].i, chunk_ + v) * block;
    panel_elements_ = static_cast<int64_t>(round_up(static_cast<size_t>(rows * panel_row_), 16));
    wide_elements_ = chunk_ * block;
  }
  chunks_ = ceil_div(un, chunk_);
  const int64_t taps = 2 * max_taps_ * static_cast<int64_t>(8 / sizeof(T));
  worker_elements_ =
      static_cast<int64_t>(round_up(static_cast<size_t>(taps + 16 + panel_elements_ + wide_elements_), 16));
}

template <class T>
void DepthwiseKernel<T>::estimate() {
  const double lanes = moves_.lanes;
  double cycles = static_cast<double>(p_.out_elements()) / lanes * 4 + useful_flop(p_) / 2 / lanes * 1.6;
  if (!in_place_) {  // an input row is widened for every output row that meets it
    const double met = static_cast<double>(p_.axis[0].k * p_.axis[1].k) *
                       (1 + static_cast<double>(axes_[2].v_max) / static_cast<double>(chunk_));
    cycles += static_cast<double>(p_.in_elements()) * met / lanes * kWidenCycles +
              static_cast<double>(p_.out_elements()) / lanes * kPlaneCycles;
  }
  seconds_ = overlapped(cycles / threads_ / kHertz, moved_bytes(p_) / kBytesPerSecond) + kCallSeconds;
}

template <class T>
std::string DepthwiseKernel<T>::form() const {
  return std::string("depthwise, ") + moves_.name + (in_place_ ? ", x in place" : ", x widened in panels") +
         ", lanes over channels, " + std::to_string(weight_.size()) + " phases";
}

template <class T>
size_t DepthwiseKernel<T>::scratch_bytes() const {
  return static_cast<size_t>(static_cast<int64_t>(round_up(static_cast<size_t>(p_.groups), 16)) +
                             threads_ * worker_elements_) *
             sizeof(T) +
         kAlignment;
}

template <class T>
Status DepthwiseKernel<T>::run(const Operands& m, const Runner& given) const {
  const Runner runner = given.workers() <= threads_ ? given : Runner();
  T* bias = static_cast<T*>(align_up(m.scratch));
  if (m.bias) {
    std::memcpy(bias, m.bias, static_cast<size_t>(p_.groups) * sizeof(T));
  } else {
    std::memset(bias, 0, static_cast<size_t>(p_.groups) * sizeof(T));
  }
  T* workers = bias + round_up(static_cast<size_t>(p_.groups), 16);
  const bool ok = runner(p_.n * p_.axis[0].o * p_.axis[1].o * chunks_ * blocks_,
                         [&](int64_t i, int32_t w) { task(m, bias, i, workers + w * worker_elements_); });
  if (!ok) return runner_broke();
  return {};
}

// One chunk of one output row, one block of channels.
template <class T>
void DepthwiseKernel<T>::task(const Operands& m, const T* bias, int64_t index, T* scratch) const {
  const AxisPhases &D = axes_[0], &H = axes_[1], &W = axes_[2];
  Row r;
  const int64_t block = index % blocks_, chunk = index / blocks_ % chunks_;
  index = index / blocks_ / chunks_;
  r.oh = index % p_.axis[1].o;
  r.od = index / p_.axis[1].o % p_.axis[0].o;
  r.n = index / p_.axis[1].o / p_.axis[0].o;
  r.pd = r.od % D.s % static_cast<int64_t>(D.phases.size());
  r.ph = r.oh % H.s % static_cast<int64_t>(H.phases.size());
  r.ud = D.phases[static_cast<size_t>(r.pd)].u_begin + r.od / D.s;
  r.uh = H.phases[static_cast<size_t>(r.ph)].u_begin + r.oh / H.s;
  const auto real = [](const std::vector<Stretch>& all, int64_t u) {
    for (const Stretch& s : all) {
      if (u < s.u_end) return s;
    }
    return all.back();
  };
  r.d = real(stretches_[0][static_cast<size_t>(r.pd)], r.ud);
  r.h = real(stretches_[1][static_cast<size_t>(r.ph)], r.uh);
  r.u0 = W.u0 + chunk * chunk_;
  r.u1 = std::min(W.u0 + W.un, r.u0 + chunk_);
  r.c0 = p_.groups * block / blocks_;
  r.c1 = p_.groups * (block + 1) / blocks_;
  r.first = std::clamp<int64_t>(r.u0 - W.v_max, 0, W.i);
  r.last = std::clamp<int64_t>(r.u1, r.first, W.i);

  int64_t* taps = reinterpret_cast<int64_t*>(scratch);
  T* panel = static_cast<T*>(align_up(taps + 2 * max_taps_));
  T* wide = panel + panel_elements_;
  const T* x = panel;
  if (in_place_) {
    x = static_cast<const T*>(m.x) + r.n * p_.x.n + r.ud * p_.x.axis[0] + r.uh * p_.x.axis[1];
  } else {
    widen(m, r, panel);
  }
  for (int64_t f = 0; f < static_cast<int64_t>(W.phases.size()); ++f) {
    for (const Stretch& l : stretches_[2][static_cast<size_t>(f)]) phase(m, bias, r, x, f, l, taps, wide);
  }
}

// Columns first .. last of the input rows that the real taps of d and h meet: [tap of d][tap of h][column][channel].
template <class T>
void DepthwiseKernel<T>::widen(const Operands& m, const Row& r, T* panel) const {
  const AxisPhases &D = axes_[0], &H = axes_[1];
  const Phase &pd = D.phases[static_cast<size_t>(r.pd)], &ph = H.phases[static_cast<size_t>(r.ph)];
  const int64_t bytes = static_cast<int64_t>(size_of(p_.types.x)), channels = r.c1 - r.c0, columns = r.last - r.first;
  const bool dense = channels == p_.x.axis[2];
  for (int64_t i = r.d.j_begin; i < r.d.j_end; ++i) {
    for (int64_t j = r.h.j_begin; j < r.h.j_end; ++j, panel += panel_row_) {
      const int64_t id = r.ud - (pd.v0 + i * D.v_step), ih = r.uh - (ph.v0 + j * H.v_step);
      const char* from = static_cast<const char*>(m.x) +
                         (r.n * p_.x.n + id * p_.x.axis[0] + ih * p_.x.axis[1] + r.first * p_.x.axis[2] + r.c0) * bytes;
      if (dense) {
        moves_.load(from, 1, p_.types.x, columns * channels, panel);
        continue;
      }
      for (int64_t q = 0; q < columns; ++q) {
        moves_.load(from + q * p_.x.axis[2] * bytes, 1, p_.types.x, channels, panel + q * channels);
      }
    }
  }
}

// The positions of one phase whose taps are those of the stretch.
template <class T>
void DepthwiseKernel<T>::phase(const Operands& m, const T* bias, const Row& r, const T* x, int64_t f,
                               const Stretch& l, int64_t* taps, T* wide) const {
  const int64_t begin = std::max(l.u_begin, r.u0), end = std::min(l.u_end, r.u1);
  if (begin >= end) return;
  const AxisPhases &D = axes_[0], &H = axes_[1], &W = axes_[2];
  const Phase &pd = D.phases[static_cast<size_t>(r.pd)], &ph = H.phases[static_cast<size_t>(r.ph)],
              &pw = W.phases[static_cast<size_t>(f)];
  const int64_t channels = r.c1 - r.c0, column = in_place_ ? p_.x.axis[2] : channels;
  int64_t *x_tap = taps, *w_tap = taps + max_taps_;
  DepthwiseArgs<T> a;
  a.taps = 0;
  for (int64_t i = r.d.j_begin; i < r.d.j_end; ++i) {
    for (int64_t j = r.h.j_begin; j < r.h.j_end; ++j) {
      // In place counted from position (ud, uh), in a panel from its first row.
      const int64_t row = in_place_ ? -(pd.v0 + i * D.v_step) * p_.x.axis[0] - (ph.v0 + j * H.v_step) * p_.x.axis[1]
                                    : ((i - r.d.j_begin) * (r.h.j_end - r.h.j_begin) + j - r.h.j_begin) * panel_row_;
      for (int64_t q = l.j_begin; q < l.j_end; ++q) {
        x_tap[a.taps] = row - (pw.v0 + q * W.v_step) * column;
        w_tap[a.taps++] = ((i * ph.taps + j) * pw.taps + q) * p_.groups;
      }
    }
  }
  const int64_t hs = static_cast<int64_t>(H.phases.size()), ws = static_cast<int64_t>(W.phases.size());
  const int64_t bytes = static_cast<int64_t>(size_of(p_.types.x)), first = W.out(begin, pw), count = end - begin;
  char* y = static_cast<char*>(m.y) +
            (r.n * p_.y.n + r.od * p_.y.axis[0] + r.oh * p_.y.axis[1] + first * p_.y.axis[2] + r.c0) * bytes;
  a.x_tap = x_tap;
  a.w_tap = w_tap;
  a.x = x + (in_place_ ? begin : begin - r.first) * column;
  a.x_step = column;
  a.w = static_cast<const T*>(m.packed) + weight_[static_cast<size_t>((r.pd * hs + r.ph) * ws + f)] + r.c0;
  a.bias = bias + r.c0;
  a.out = in_place_ ? reinterpret_cast<T*>(y) : wide;
  a.out_step = in_place_ ? W.s * p_.y.axis[2] : channels;
  a.count = count;
  a.channels = channels;
  routines_.positions(a);
  if (in_place_) {
    for (int64_t q = 0; p_.epilogue.activation.kind != Activation::kNone && q < count; ++q) {
      moves_.activate(p_.epilogue.activation, a.out + q * a.out_step, channels);
    }
    return;
  }
  if (p_.epilogue.activation.kind != Activation::kNone) moves_.activate(p_.epilogue.activation, wide, count * channels);
  for (int64_t q = 0; q < count; ++q) {
    moves_.store(wide + q * channels, channels, p_.types.x, y + q * W.s * p_.y.axis[2] * bytes, 1, false);
  }
}

template <class T>
size_t DepthwiseKernel<T>::packed_bytes() const {
  return static_cast<size_t>(weights_) * sizeof(T);
}

template <class T>
std::string DepthwiseKernel<T>::packing() const {
  std::string key = std::string("native.depthwise/") + name_of(p_.types.x);
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
          moves_.load(static_cast<const char*>(w) + at * static_cast<int64_t>(size_of(p_.types.x)), p_.w.g, p_.types.x,
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
