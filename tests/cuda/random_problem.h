// SPDX-License-Identifier: Apache-2.0
// Random problems and a scalar reference for the CUDA kernels' source, all on the CPU.
//
//   in:  a seed
//   out: a problem record with memory for x, w, bias, y (y poisoned, guard elements around it)
//   reference: the tests' one definition (tests/rig/definition.h) of what the record says; it shares no index code with
//   the kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "cuda/exchange.h"
#include "cuda/forms.h"
#include "tests/rig/cuda_record.h"

namespace ctconv::cuda::testing {

using Random = std::mt19937_64;
inline int64_t draw(Random& r, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(r() % static_cast<uint64_t>(high - low + 1));
}

enum class Layout { kFirst, kLast, kFirstPadded, kLastPadded };

inline void set_strides(Layout layout, const int64_t (&extent)[5], int64_t (&stride)[5], int64_t padding) {
  static constexpr int kFirst[5] = {4, 3, 2, 1, 0}, kLast[5] = {1, 4, 3, 2, 0};
  const bool first = layout == Layout::kFirst || layout == Layout::kFirstPadded;
  int64_t step = 1;
  for (int e = 0; e < 5; ++e) {
    const int a = first ? kFirst[e] : kLast[e];
    stride[a] = step;
    step *= extent[a];
    if (e == 0 && padding) step += padding;  // a slice of a wider tensor
  }
}

template <class T>
struct Case {
  ctconv_cuda_problem p{};      // as the kernels see it
  ctconv_cuda_problem given{};  // a data gradient before it was exchanged; else it writes y
  int64_t w_first = 0;          // where p's weights begin in w
  std::vector<T> x, w, y;

  void take(const ctconv_cuda_problem& problem) {
    given = problem;
    const bool gradient = problem.written == CTCONV_CUDA_WRITES_X;
    p = gradient ? exchanged(problem) : problem;
    w_first = gradient ? last_tap(problem) : 0;
  }
  std::vector<Accumulator<T>> bias;
  std::vector<T> bias_element;
  const void* bias_data() const {
    if (p.bias == CTCONV_CUDA_BIAS_NONE) return nullptr;
    return p.bias == CTCONV_CUDA_BIAS_ACCUMULATOR ? static_cast<const void*>(bias.data()) : bias_element.data();
  }
};

template <class T>
constexpr int32_t dtype_of() {
  return std::is_same_v<T, float>    ? CTCONV_CUDA_F32
         : std::is_same_v<T, double> ? CTCONV_CUDA_F64
         : std::is_same_v<T, F16>    ? CTCONV_CUDA_F16
                                     : CTCONV_CUDA_BF16;
}

template <class T>
T poison() {
  T v;
  std::memset(&v, 0xff, sizeof(v));  // a NaN in every type
  return v;
}

inline int64_t span_of(const int64_t (&extent)[5], const int64_t (&stride)[5]) {
  int64_t last = 0;
  for (int a = 0; a < 5; ++a) last += (extent[a] - 1) * stride[a];
  return last + 1;
}

// Fills p's memory: integers (exact in every order of sums) or reals.
template <class T>
void fill(Random& r, Case<T>* c, bool integers, bool special) {
  using Acc = Accumulator<T>;
  int64_t ex[5], ey[5];
  extents_of(c->p, false, ex);
  extents_of(c->p, true, ey);
  std::uniform_real_distribution<double> real(-1, 1);
  const auto value = [&] {
    return narrow<T>(static_cast<Acc>(integers ? static_cast<double>(draw(r, -3, 3)) : real(r)));
  };
  c->x.resize(static_cast<size_t>(span_of(ex, c->p.x)));
  c->w.resize(static_cast<size_t>(weight_elements(c->p)));
  for (T& v : c->x) v = value();
  for (T& v : c->w) v = value();
  if (special) {
    c->w[r() % c->w.size()] = narrow<T>(std::numeric_limits<Acc>::infinity());
    c->x[r() % c->x.size()] = narrow<T>(-std::numeric_limits<Acc>::infinity());
  }
  c->y.assign(static_cast<size_t>(span_of(ey, c->p.y)) + 32, poison<T>());
  const auto channels = static_cast<size_t>(channels_out(c->p) * c->p.bias_stride);
  c->bias.resize(channels);
  c->bias_element.resize(channels);
  for (size_t i = 0; i < channels; ++i) {
    c->bias_element[i] = i == 0 ? narrow<T>(Acc(-0.0)) : value();
    c->bias[i] = widen(c->bias_element[i]);
  }
}

struct Limits {
  bool k_is_s = false, depthwise = false, few_ci = false, tails = true, gradient = false;
};

inline ctconv_cuda_problem random_problem(Random& r, int32_t dtype, Limits limits) {
  ctconv_cuda_problem p{};
  p.dtype = dtype;
  p.rank = static_cast<int32_t>(draw(r, 1, 3));
  p.n = draw(r, 1, 3);
  p.groups = limits.depthwise ? draw(r, 1, 9) : draw(r, 1, 3);
  p.ci = limits.depthwise ? 1 : draw(r, 1, limits.few_ci ? 3 : r() % 4 ? 8 : 40);
  p.co = limits.depthwise ? draw(r, 1, 2) : draw(r, 1, r() % 2 ? 6 : 20);
  for (int a = 0; a < 3; ++a) {
    ctconv_cuda_axis& axis = p.axis[a];
    axis = {1, 1, 1, 1, 1, 0, 0};
    if (a < 3 - p.rank) continue;
    axis.i = draw(r, 1, a == 2 ? 14 : 3);
    axis.s = draw(r, 1, 5);
    if (a == 2 && r() % 8 == 0) axis.s = 8;
    axis.k = limits.k_is_s ? axis.s : draw(r, 1, 6);
    axis.d = limits.k_is_s || r() % 2 ? 1 : draw(r, 1, 3);
    const int64_t reach = (axis.i - 1) * axis.s + axis.d * (axis.k - 1) + 1;
    if (limits.k_is_s) {
      axis.lo = r() % 2 ? 0 : draw(r, 0, reach - 1);
      axis.o = r() % 2 ? reach - axis.lo : draw(r, 1, reach - axis.lo);
    } else {
      axis.lo = draw(r, -2, std::min<int64_t>(reach - 1, 5));
      axis.o = draw(r, 1, std::max<int64_t>(1, reach - axis.lo + 3));
    }
    axis.tail = limits.tails && r() % 6 == 0 ? draw(r, 1, 2) : 0;
  }
  int64_t ex[5], ey[5];
  extents_of(p, false, ex);
  extents_of(p, true, ey);
  const bool first = r() % 2 == 0;
  const auto pick = [&] {
    return first ? (r() % 3 ? Layout::kFirst : Layout::kFirstPadded) : (r() % 3 ? Layout::kLast : Layout::kLastPadded);
  };
  Layout lx = pick(), ly = pick();
  if (limits.k_is_s) lx = ly = first ? Layout::kFirst : Layout::kLast;
  const auto padding = [&](Layout l) {
    return l == Layout::kFirstPadded || l == Layout::kLastPadded ? draw(r, 1, 8) : 0;
  };
  set_strides(lx, ex, p.x, padding(lx));
  set_strides(ly, ey, p.y, padding(ly));
  int order[6] = {5, 4, 3, 2, 1, 0};  // fastest first; torch's order or a random one
  if (r() % 2) std::shuffle(order, order + 6, r);
  const int64_t ew[6] = {p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
  int64_t step = 1;
  for (const int a : order) {
    p.w[a] = step;
    step *= ew[a];
  }
  p.bias = static_cast<int32_t>(draw(r, 0, 2));
  p.bias_stride = draw(r, 1, 2);
  p.activation = static_cast<int32_t>(draw(r, 0, 5));
  p.alpha = p.activation == 5 ? -0.5 : 0.125;
  p.beta = 0.75;
  return p;
}

// Calls f(index in y, core?, n, channel, d, h, w) for every element of y, tail included.
template <class F>
void for_each_output(const ctconv_cuda_problem& p, F&& f) {
  int64_t e[5];
  extents_of(p, true, e);
  for (int64_t n = 0; n < e[0]; ++n) {
    for (int64_t c = 0; c < e[1]; ++c) {
      for (int64_t d = 0; d < e[2]; ++d) {
        for (int64_t h = 0; h < e[3]; ++h) {
          for (int64_t w = 0; w < e[4]; ++w) {
            f(n * p.y[0] + c * p.y[1] + d * p.y[2] + h * p.y[3] + w * p.y[4],
              d < p.axis[0].o && h < p.axis[1].o && w < p.axis[2].o, n, c, d, h, w);
          }
        }
      }
    }
  }
}

// True and the input where tap t of output o meets one.
inline bool meets(const ctconv_cuda_axis& a, int64_t o, int64_t t, int64_t* i) {
  *i = rig::input_at(rig::axis_of(a), o, t);
  return *i >= 0;
}

// The sum of one output before bias and activation: one chain of fma, as the reference's.
template <class T>
Accumulator<T> plain_sum(const Case<T>& c, int64_t n, int64_t channel, int64_t od, int64_t oh, int64_t ow) {
  rig::Sum<Accumulator<T>> sum(0);
  if (c.given.written == CTCONV_CUDA_WRITES_X) {
    const Problem gradient = rig::problem_of(c.given);
    rig::Definition(gradient, {.w = c.w.data(), .y = c.x.data()})
        .terms({n, channel / gradient.ci, channel % gradient.ci, 0, {od, oh, ow}}, &sum);
    return sum.total();
  }
  const Problem p = rig::problem_of(c.p);
  rig::Definition(p, {.x = c.x.data(), .w = c.w.data()})
      .terms({n, channel / p.co, 0, channel % p.co, {od, oh, ow}}, &sum);
  return sum.total();
}

template <class A>
A library_activation(const ctconv_cuda_problem& p, A v) {
  return rig::activated<A>(rig::problem_of(p).epilogue.activation, v);
}

template <class T>
T finish(const Case<T>& c, int64_t channel, Accumulator<T> sum) {
  using Acc = Accumulator<T>;
  const auto at = static_cast<size_t>(channel * c.p.bias_stride);
  const Acc bias = c.p.bias == CTCONV_CUDA_BIAS_NONE ? Acc(0) : c.bias[at];
  return narrow<T>(library_activation<Acc>(c.p, sum + bias));
}

template <class T>
bool same_bits(T a, T b) {
  if (std::isnan(widen(a)) && std::isnan(widen(b))) return true;
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

}  // namespace ctconv::cuda::testing
