// SPDX-License-Identifier: Apache-2.0
// The f64 answer of a sample of a layer's outputs on the CPU: what each GPU result is held against.
//
//   in:  a problem whose x, w, bias are made-up tensors (device_checks.h), counted n, c, d, h, w and
//        group, ci, co, d, h, w
//   out: for each sampled element (its number in n, c, d, h, w order): y in f64, the sum before bias and activation,
//        and sum |x w| + |bias|, the scale of its rounding error
//   Sampled are all corners, elements on the first or last row of an axis, and elements anywhere.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "cuda/forms.h"
#include "tests/cuda/gpu/device_checks.h"
#include "tests/cuda/random_problem.h"

namespace ctconv::cuda::testing {

struct Seeds {
  uint64_t x, w, bias;
  bool eight_bits;
};

inline Seeds seeds_of(uint64_t seed, bool eight_bits) { return {3 * seed, 3 * seed + 1, 3 * seed + 2, eight_bits}; }

// At most 20,000 elements and about 25 million products.
inline std::vector<int64_t> sample_of(const ctconv_cuda_problem& p, uint64_t seed) {
  int64_t e[5], total = 1;
  extents_of(p, true, e);
  for (const int64_t v : e) total *= v;
  int64_t products = p.ci;
  for (const auto& a : p.axis) products *= (a.k + a.s - 1) / a.s;
  const int64_t wanted = std::clamp<int64_t>(25000000 / std::max<int64_t>(1, products), 512, 20000);
  std::vector<int64_t> sample;
  if (total <= wanted) {
    for (int64_t i = 0; i < total; ++i) sample.push_back(i);
    return sample;
  }
  Random r(seed);
  const auto add = [&](const int64_t(&at)[5]) {
    sample.push_back((((at[0] * e[1] + at[1]) * e[2] + at[2]) * e[3] + at[3]) * e[4] + at[4]);
  };
  for (int corner = 0; corner < 32; ++corner) {
    int64_t at[5];
    for (int a = 0; a < 5; ++a) at[a] = corner >> a & 1 ? e[a] - 1 : 0;
    add(at);
  }
  while (static_cast<int64_t>(sample.size()) < wanted) {
    int64_t at[5];
    for (int a = 0; a < 5; ++a) at[a] = draw(r, 0, e[a] - 1);
    if (r() % 2) {
      const auto a = static_cast<int>(r() % 5);
      at[a] = r() % 2 ? e[a] - 1 : 0;
    }
    add(at);
  }
  std::sort(sample.begin(), sample.end());
  sample.erase(std::unique(sample.begin(), sample.end()), sample.end());
  return sample;
}

struct Truth {
  std::vector<double> y, sum, scale;
};

inline void truth_at(const ctconv_cuda_problem& p, const Seeds& s, int64_t e, double* y, double* sum_out,
                     double* scale_out) {
  const ctconv_cuda_axis *d = &p.axis[0], *h = &p.axis[1], *v = &p.axis[2];
  const int64_t in_plane = d->i * h->i * v->i, taps = d->k * h->k * v->k, plane = d->o * h->o * v->o;
  const int64_t ow = e % v->o, oh = e / v->o % h->o, od = e / v->o / h->o % d->o;
  const int64_t channel = e / plane % channels_out(p), n = e / plane / channels_out(p), g = channel / p.co,
                c = channel % p.co;
  const auto value = [&](uint64_t seed, int64_t at) {
    return static_cast<double>(value_at(seed, s.eight_bits, static_cast<uint64_t>(at)));
  };
  double sum = 0, scale = 0;
  for (int64_t td = 0; td < d->k; ++td) {
    int64_t id, ih, iw;
    if (!meets(*d, od, td, &id)) continue;
    for (int64_t th = 0; th < h->k; ++th) {
      if (!meets(*h, oh, th, &ih)) continue;
      for (int64_t tw = 0; tw < v->k; ++tw) {
        if (!meets(*v, ow, tw, &iw)) continue;
        const int64_t xp = (n * channels_in(p) + g * p.ci) * in_plane + (id * h->i + ih) * v->i + iw;
        const int64_t wp = (g * p.ci * p.co + c) * taps + (td * h->k + th) * v->k + tw;
        for (int64_t ci = 0; ci < p.ci; ++ci) {
          const double product = value(s.x, xp + ci * in_plane) * value(s.w, wp + ci * p.co * taps);
          sum += product;
          scale += std::fabs(product);
        }
      }
    }
  }
  const double b = p.bias == CTCONV_CUDA_BIAS_NONE ? 0.0 : value(s.bias, channel);
  *y = library_activation<double>(p, sum + b);
  *sum_out = sum;
  *scale_out = scale + std::fabs(b);
}

inline Truth truth_of(const ctconv_cuda_problem& p, const Seeds& seeds, const std::vector<int64_t>& sample,
                      unsigned threads) {
  const std::vector<double> none(sample.size());
  Truth t{none, none, none};
  std::atomic<size_t> next{0};
  const auto work = [&] {
    constexpr size_t kBlock = 64;
    for (size_t begin; (begin = next.fetch_add(kBlock)) < sample.size();) {
      for (size_t e = begin; e < std::min(sample.size(), begin + kBlock); ++e)
        truth_at(p, seeds, sample[e], &t.y[e], &t.sum[e], &t.scale[e]);
    }
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (auto& one : others) one.join();
  return t;
}

}  // namespace ctconv::cuda::testing
