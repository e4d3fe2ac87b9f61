// SPDX-License-Identifier: Apache-2.0
// Random layers for the cost audit: every rank, type, layout, group count, stride, extent, kernel and batch.
//
//   in:  a seed, the number of a layer, bounds;   out: the layer, the same for the same three
//   Each layer has one size beyond the common: a long signal, a large batch, many groups, many taps, a wide stride ...
//   flop = 2 * n * ci/groups * co * product of (i * k), elements of x, w and y each: within the bounds
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace audit {

struct Bounds {
  double flop = 2e8;
  double elements = 4e6;
};

struct Layer {
  std::string type;        // "float32", "float64", "float16", "bfloat16"
  bool last = false;       // channels innermost
  const char* theme = "";  // what is beyond the common
  int64_t n = 1, ci = 1, co = 1, groups = 1;
  std::vector<int64_t> i, k, s, d, begin, end;  // one each axis

  // Outputs along an axis.
  int64_t o(size_t a) const { return (i[a] - 1) * s[a] + (k[a] - 1) * d[a] + 1 - begin[a] - end[a]; }
  double x_elements() const;
  double y_elements() const;
  double w_elements() const;
  double flop() const;
  std::vector<int64_t> x_shape() const, y_shape() const, w_shape() const;
  // The command that times it.
  std::string command() const;
};

Layer random_layer(uint64_t seed, uint64_t number, const Bounds& bounds);

}  // namespace audit
