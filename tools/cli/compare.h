// SPDX-License-Identifier: Apache-2.0
// How far an engine's output is from the reference's, and whether rounding explains it.
//
//   Any order of summation of K products with rounding unit u stays within about K * u * S of the exact sum, where S is
//   the sum of the products' magnitudes (Layer::magnitude). Both outputs may err, so the limit per element is
//     u_y |y| + 2 (K + 4) u S
//   with u_y the unit of the element type and u that of the accumulator (float32 for the 16-bit types).
#pragma once

#include <cstddef>
#include <optional>

#include "tools/cli/array.h"
#include "tools/cli/layer.h"

namespace cli {

struct Difference {
  bool same_bits = true;
  double max_abs = 0;      // largest |y - reference|
  double relative = 0;     // the same over the largest |reference|
  double of_bound = 0;     // largest share of the limit above; 0 where no magnitude was given
  size_t worst = 0;        // index of the largest |y - reference|
  bool nonfinite = false;  // one is finite (or NaN) where the other is not
  bool explained() const { return !nonfinite && of_bound <= 1; }
};

// terms: average number of products per output element.
Difference compare(const Array& y, const Array& reference, const Array* magnitude, double terms);

// Products per output element of a described call.
double terms_of(const Facts& facts, const Array& y);

}  // namespace cli
