// SPDX-License-Identifier: Apache-2.0
// How exact an answer is: errors against f64 in units of the terms' magnitudes, and data that make them hard to keep.
//
//   in:  a Case in f32;   out: its channels and weights scaled by powers of two
//   in:  answers and what they are in f64;   out: Errors, the largest and the RMS of |y - exact| / (sum of |x*w|)
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/rig/checked.h"

namespace ctconv::rig {

// Channels of x and single weights times powers of two.
inline void scale_badly(Case* c, Rng& rng) {
  const Problem& p = c->p;
  const int64_t channels = p.groups * p.ci;
  std::vector<double> scale(static_cast<size_t>(channels));
  for (double& s : scale) s = std::ldexp(1.0, static_cast<int>(pick(rng, -20, 20)));
  auto* x = static_cast<float*>(c->x.data(Dtype::kF32));
  for (int64_t at = 0; at < p.in_elements(); ++at)
    x[at] *= static_cast<float>(scale[static_cast<size_t>(at % channels)]);
  auto* w = static_cast<float*>(c->w.data(Dtype::kF32));
  for (int64_t at = 0; at < p.weight_elements(); ++at) w[at] *= std::ldexp(1.0f, static_cast<int>(pick(rng, -20, 20)));
}

struct Errors {
  double largest = 0, squares = 0;
  int64_t count = 0, layers = 0;
  double rms() const { return std::sqrt(squares / static_cast<double>(std::max<int64_t>(count, 1))); }
};

inline void add(const std::vector<double>& y, const std::vector<Exact>& exact, Errors* e) {
  ++e->layers;
  for (size_t k = 0; k < y.size(); ++k) {
    if (exact[k].magnitude == 0) continue;
    const double error = std::fabs(y[k] - exact[k].value) / exact[k].magnitude;
    e->largest = std::max(e->largest, error);
    e->squares += error * error;
    ++e->count;
  }
}

}  // namespace ctconv::rig
