// The f64 answer of a layer on the CPU, on every core: what each GPU result is held against.
//
//   in:  a problem and x, w, bias as values in dense order (n, c, d, h, w and group, ci, co, d, h, w)
//   out: y in dense n, c, d, h, w order and, beside it, sum |x w| + |bias|, the scale of each element's rounding error
//   sample > 1: only every sample-th element is computed, the rest stays NaN.
#pragma once

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "cuda/forms.h"
#include "tests/cuda/random_problem.h"

namespace ctconv::cuda::testing {

struct Truth {
  std::vector<double> y, scale;
};

inline Truth truth_of(const ctconv_cuda_problem& p, const std::vector<float>& x, const std::vector<float>& w,
                      const std::vector<float>& bias, int64_t sample) {
  const ctconv_cuda_axis *d = &p.axis[0], *h = &p.axis[1], *v = &p.axis[2];
  const int64_t plane = d->o * h->o * v->o, total = p.n * channels_out(p) * plane;
  Truth t{std::vector<double>(static_cast<size_t>(total), std::numeric_limits<double>::quiet_NaN()),
          std::vector<double>(static_cast<size_t>(total), 0.0)};
  const int64_t in_plane = d->i * h->i * v->i, taps = d->k * h->k * v->k;
  std::atomic<int64_t> next{0};
  const auto work = [&] {
    constexpr int64_t kBlock = 4096;
    for (int64_t begin; (begin = next.fetch_add(kBlock)) < total;) {
      for (int64_t e = begin; e < std::min(total, begin + kBlock); ++e) {
        if (sample > 1 && (e * 2654435761u >> 7) % static_cast<uint64_t>(sample) != 0) continue;
        const int64_t ow = e % v->o, oh = e / v->o % h->o, od = e / v->o / h->o % d->o;
        const int64_t channel = e / plane % channels_out(p), n = e / plane / channels_out(p), g = channel / p.co,
                      c = channel % p.co;
        double sum = 0, scale = 0;
        for (int64_t td = 0; td < d->k; ++td) {
          int64_t id, ih, iw;
          if (!meets(*d, od, td, &id)) continue;
          for (int64_t th = 0; th < h->k; ++th) {
            if (!meets(*h, oh, th, &ih)) continue;
            for (int64_t tw = 0; tw < v->k; ++tw) {
              if (!meets(*v, ow, tw, &iw)) continue;
              const float* xp = x.data() + (n * channels_in(p) + g * p.ci) * in_plane + (id * h->i + ih) * v->i + iw;
              const float* wp = w.data() + (g * p.ci * p.co + c) * taps + (td * h->k + th) * v->k + tw;
              for (int64_t ci = 0; ci < p.ci; ++ci) {
                const double product =
                    static_cast<double>(xp[ci * in_plane]) * static_cast<double>(wp[ci * p.co * taps]);
                sum += product, scale += std::fabs(product);
              }
            }
          }
        }
        const double b =
            p.bias == CTCONV_CUDA_BIAS_NONE ? 0.0 : static_cast<double>(bias[static_cast<size_t>(channel)]);
        t.y[static_cast<size_t>(e)] = library_activation<double>(p, sum + b);
        t.scale[static_cast<size_t>(e)] = scale + std::fabs(b);
      }
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  work();
  for (auto& one : threads) one.join();
  return t;
}

}  // namespace ctconv::cuda::testing
