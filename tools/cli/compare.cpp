// SPDX-License-Identifier: Apache-2.0
// Element by element, in double; bits by memcmp.
#include "tools/cli/compare.h"

#include <cmath>
#include <cstring>

namespace cli {

double terms_of(const Facts& facts, const Array& y) {
  return y.elements() ? facts.number("flop") / 2 / static_cast<double>(y.elements()) : 0;
}

Difference compare(const Array& y, const Array& reference, const Array* magnitude, double terms) {
  Difference d;
  d.same_bits = y.bytes() == reference.bytes() && std::memcmp(y.data(), reference.data(), y.bytes()) == 0;
  const auto type = reference.dtype();
  const double unit = type == ctconv::kFloat64 ? 0x1p-53 : 0x1p-24;
  const double unit_y = type == ctconv::kFloat16 ? 0x1p-10 : type == ctconv::kBfloat16 ? 0x1p-7 : unit;
  double largest = 0;
  for (size_t i = 0; i < reference.elements(); ++i) {
    const double a = y.get(i), b = reference.get(i);
    if (!std::isfinite(a) || !std::isfinite(b)) {
      if (!(a == b || (std::isnan(a) && std::isnan(b)))) {
        d.nonfinite = true;
        d.worst = i;
      }
      continue;
    }
    const double error = std::fabs(a - b);
    if (error > d.max_abs) {
      d.max_abs = error;
      d.worst = i;
    }
    largest = std::max(largest, std::fabs(b));
    if (magnitude && error > 0)
      d.of_bound = std::max(d.of_bound, error / (unit_y * std::fabs(b) + 2 * (terms + 4) * unit * magnitude->get(i)));
  }
  d.relative = largest > 0 ? d.max_abs / largest : d.max_abs;
  return d;
}

}  // namespace cli
