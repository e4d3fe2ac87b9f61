// SPDX-License-Identifier: Apache-2.0
// The gradient of the weights: what its kernels share, one thread a weight, and the sum of the chains.
//
//   in:  x and y (the gradient of the output) by their strides
//   out: w[g, ci, co, t] = sum over places (n, i) of x[n, g*ci + k, i] * y[n, g*co + c, i*s + t*d - lo]
//   kChain places are one chain of fused multiply-adds from +0; the chains are added in their order, from +0: the
//   reference's bits (docs/decisions/gradient-sums.md). No atomics: the same bits on every run.
//   Chains of one weight are summed by the thread that owns it, or side by side: then `sums` takes them, one row a
//   chain, and weights_add sums the rows of a launch into `running`, after the last launch into w.
//   weights_element: any strides, 64-bit indices.   refuses: nothing
#pragma once

#include "cuda/index.h"

namespace ctconv::cuda {

inline constexpr int32_t kChain = 4096;  // = kChainTerms of src/problem/problem.h

struct WeightsParams {
  const void *x, *y;
  void *w, *sums, *running;  // sums null: whoever computes a weight writes it
  int64_t groups, ci, co;
  int64_t i[3], o[3], k[3], s[3], d[3], lo[3];
  int64_t xs[5], ys[5], ws[6];
  int64_t taps, weights, places, chains;
  int64_t first, count;  // chains of this launch
  int32_t last;          // it is the last one
  int32_t wide;          // w takes accumulators
  int32_t taps_fastest;  // neighbouring threads: taps of a weight, else channels of y
  Divider by_i[3];       // where the places fit 31 bits
};

// One weight by its place in a dense [group][ci][co][d][h][w].
struct WeightAt {
  int64_t g, ci, co, t[3];
};

CTCONV_HD WeightAt weight_at(const WeightsParams& p, int64_t index) {
  WeightAt a;
  int64_t rest = index;
  CTCONV_UNROLL
  for (int e = 2; e >= 0; --e) {
    a.t[e] = rest % p.k[e];
    rest /= p.k[e];
  }
  a.co = rest % p.co;
  rest /= p.co;
  a.ci = rest % p.ci;
  a.g = rest / p.ci;
  return a;
}

CTCONV_HD int64_t weight_index(const WeightsParams& p, const WeightAt& a) {
  return ((((a.g * p.ci + a.ci) * p.co + a.co) * p.k[0] + a.t[0]) * p.k[1] + a.t[1]) * p.k[2] + a.t[2];
}

// The weight of a thread: neighbours read neighbours of y.
CTCONV_HD WeightAt weight_of_thread(const WeightsParams& p, int64_t index) {
  if (p.taps_fastest) return weight_at(p, index);
  WeightAt a;
  int64_t rest = index;
  a.co = rest % p.co;
  rest /= p.co;
  a.g = rest % p.groups;
  rest /= p.groups;
  a.ci = rest % p.ci;
  rest /= p.ci;
  CTCONV_UNROLL
  for (int e = 2; e >= 0; --e) {
    a.t[e] = rest % p.k[e];
    rest /= p.k[e];
  }
  return a;
}

template <class T>
CTCONV_HD void weight_write(const WeightsParams& p, const WeightAt& a, Accumulator<T> sum) {
  const int64_t at =
      a.g * p.ws[0] + a.ci * p.ws[1] + a.co * p.ws[2] + a.t[0] * p.ws[3] + a.t[1] * p.ws[4] + a.t[2] * p.ws[5];
  if (p.wide) {
    static_cast<Accumulator<T>*>(p.w)[at] = sum;
  } else {
    static_cast<T*>(p.w)[at] = narrow<T>(sum);
  }
}

// A finished sum of chain `chain` of this launch, or of all chains, to where it belongs.
template <class T>
CTCONV_HD void weight_leave(const WeightsParams& p, const WeightAt& a, int64_t chain, Accumulator<T> sum) {
  if (p.sums == nullptr) return weight_write<T>(p, a, sum);
  static_cast<Accumulator<T>*>(p.sums)[(chain - p.first) * p.weights + weight_index(p, a)] = sum;
}

// The last chain, exclusive, of a thread whose first one is `chain`.
CTCONV_HD int64_t chains_end(const WeightsParams& p, int64_t chain) { return p.sums == nullptr ? p.chains : chain + 1; }

// Inputs whose output lies in the core, for one tap.
struct InputRange {
  int64_t begin, end;
};
CTCONV_HD InputRange inputs_of_tap(const WeightsParams& p, int a, int64_t t) {
  const int64_t at = t * p.d[a] - p.lo[a], top = p.o[a] - 1 - at;  // output of input 0; inputs * s stay at or below top
  InputRange r{at >= 0 ? 0 : (-at + p.s[a] - 1) / p.s[a], top < 0 ? 0 : top / p.s[a] + 1};
  if (r.end > p.i[a]) r.end = p.i[a];
  return r;
}

// part = fma(x, y, part) over `count` neighbours along w; four loads on their way together.
template <class T>
CTCONV_HD Accumulator<T> weight_row(const T* x, const T* y, int64_t x_step, int64_t y_step, int64_t count,
                                    Accumulator<T> part) {
  int64_t e = 0;
  for (; e + 4 <= count; e += 4) {
    T a[4], b[4];
    CTCONV_UNROLL
    for (int v = 0; v < 4; ++v) {
      a[v] = x[(e + v) * x_step];
      b[v] = y[(e + v) * y_step];
    }
    CTCONV_UNROLL
    for (int v = 0; v < 4; ++v) part = fused(widen(a[v]), widen(b[v]), part);
  }
  for (; e < count; ++e) part = fused(widen(x[e * x_step]), widen(y[e * y_step]), part);
  return part;
}

template <class T>
CTCONV_HD Accumulator<T> weight_chain(const WeightsParams& p, const WeightAt& a, const InputRange (&in)[3],
                                      int64_t chain) {
  using Acc = Accumulator<T>;
  if (p.places == 0) return Acc(0);
  for (const InputRange& range : in) {
    if (range.begin >= range.end) return Acc(0);  // y may be empty, and its memory nowhere
  }
  const T* x = static_cast<const T*>(p.x) + (a.g * p.ci + a.ci) * p.xs[1];
  const T* y = static_cast<const T*>(p.y) + (a.g * p.co + a.co) * p.ys[1];
  const int64_t stop = (chain + 1) * kChain < p.places ? (chain + 1) * kChain : p.places;
  int64_t place = chain * kChain, iw = place % p.i[2], n = place / p.i[2];
  int64_t ih = n % p.i[1];
  n /= p.i[1];
  int64_t id = n % p.i[0];
  n /= p.i[0];
  const auto output = [&](int e, int64_t input) { return input * p.s[e] + a.t[e] * p.d[e] - p.lo[e]; };
  Acc part(0);
  while (place < stop) {
    const int64_t row = p.i[2] - iw, length = stop - place < row ? stop - place : row;
    if (id >= in[0].begin && id < in[0].end && ih >= in[1].begin && ih < in[1].end) {
      const int64_t from = iw > in[2].begin ? iw : in[2].begin;
      const int64_t to = iw + length < in[2].end ? iw + length : in[2].end;
      if (from < to) {
        const T* xr = x + n * p.xs[0] + id * p.xs[2] + ih * p.xs[3] + from * p.xs[4];
        const T* yr = y + n * p.ys[0] + output(0, id) * p.ys[2] + output(1, ih) * p.ys[3] + output(2, from) * p.ys[4];
        part = weight_row<T>(xr, yr, p.xs[4], p.s[2] * p.ys[4], to - from, part);
      }
    }
    place += length;
    iw = 0;
    if (++ih == p.i[1]) {
      ih = 0;
      if (++id == p.i[0]) {
        id = 0;
        ++n;
      }
    }
  }
  return part;
}

template <class T>
CTCONV_HD void weights_element(const WeightsParams& p, int64_t index, int64_t chain) {
  using Acc = Accumulator<T>;
  const WeightAt a = weight_of_thread(p, index);
  const InputRange in[3] = {inputs_of_tap(p, 0, a.t[0]), inputs_of_tap(p, 1, a.t[1]), inputs_of_tap(p, 2, a.t[2])};
  Acc sum(0);
  const int64_t end = chains_end(p, chain);
  for (int64_t c = chain; c < end; ++c) sum = sum + weight_chain<T>(p, a, in, c);
  weight_leave<T>(p, a, chain, sum);
}

// The rows of one launch, added in their order to what earlier launches left.
template <class T>
CTCONV_HD void weights_add(const WeightsParams& p, int64_t index) {
  using Acc = Accumulator<T>;
  Acc* running = static_cast<Acc*>(p.running) + index;
  const Acc* row = static_cast<const Acc*>(p.sums) + index;
  Acc sum = p.first == 0 ? Acc(0) : *running;
  for (int64_t c = 0; c < p.count; ++c) sum = sum + row[c * p.weights];
  if (p.last) {
    weight_write<T>(p, weight_at(p, index), sum);
  } else {
    *running = sum;
  }
}

}  // namespace ctconv::cuda
