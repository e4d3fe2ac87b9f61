// SPDX-License-Identifier: Apache-2.0
// f16 and bf16 against their definitions: every pattern, and every place where rounding to nearest even decides.
#include "src/base/half.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>

using namespace ctconv;

namespace {

// (-1)^sign * (implicit + mantissa / 2^bits) * 2^exponent, in double: exact for both formats.
double value_of(uint16_t pattern, int bits, int bias) {
  const int exponent = (pattern & 0x7fff) >> bits, mantissa = pattern & ((1 << bits) - 1);
  const double sign = pattern & 0x8000 ? -1 : 1;
  if (exponent == (0x7fff >> bits)) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  const double fraction = std::ldexp(mantissa, -bits) + (exponent ? 1 : 0);
  return sign * std::ldexp(fraction, (exponent ? exponent : 1) - bias);
}

struct Format {
  int bits, bias;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
};
constexpr Format kFormats[] = {{10, 15, f16_to_f32, f32_to_f16}, {7, 127, bf16_to_f32, f32_to_bf16}};

}  // namespace

TEST_CASE("half: each of the 65,536 patterns widens to its value and comes back") {
  for (const Format& format : kFormats) {
    int64_t wrong = 0;
    for (uint32_t n = 0; n < 65536; ++n) {
      const auto pattern = static_cast<uint16_t>(n);
      const double want = value_of(pattern, format.bits, format.bias);
      const float got = format.widen(pattern);
      const uint16_t back = format.narrow(got);
      if (std::isnan(want)) {
        // Still a NaN, quiet, of the same sign.
        const int quiet = 1 << (format.bits - 1);
        wrong += !std::isnan(got) || !std::isnan(value_of(back, format.bits, format.bias));
        wrong += (back & quiet) == 0 || (back & 0x8000) != (pattern & 0x8000);
      } else {
        wrong += static_cast<double>(got) != want || std::signbit(got) != std::signbit(want) || back != pattern;
      }
    }
    INFO("bits of the mantissa: " << format.bits);
    CHECK(wrong == 0);
  }
}

TEST_CASE("half: between each two neighbours the middle goes to the even one, all else to the nearer") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Format& format : kFormats) {
    const auto last = static_cast<uint16_t>((0x7fff >> format.bits << format.bits) - 1);  // the largest finite one
    int64_t wrong = 0;
    for (uint32_t n = 0; n <= last; ++n) {
      const auto low = static_cast<uint16_t>(n), high = static_cast<uint16_t>(n + 1);
      const double a = value_of(low, format.bits, format.bias);
      // Beyond the largest finite one lies infinity; the grid goes on there as if the exponent did.
      const double b = n == last ? 2 * a - value_of(static_cast<uint16_t>(n - 1), format.bits, format.bias)
                                 : value_of(high, format.bits, format.bias);
      const auto middle = static_cast<float>((a + b) / 2);
      if (static_cast<double>(middle) != (a + b) / 2) continue;  // bf16's subnormals: f32 has no value between
      const uint16_t even = n % 2 == 0 ? low : high;
      wrong += format.narrow(middle) != even;
      wrong += format.narrow(-middle) != (even | 0x8000);
      wrong += format.narrow(std::nextafterf(middle, 0)) != low;
      wrong += format.narrow(std::nextafterf(middle, infinity)) != high;
    }
    INFO("bits of the mantissa: " << format.bits);
    CHECK(wrong == 0);
    CHECK(format.narrow(std::numeric_limits<float>::max()) == last + 1);
    CHECK(format.narrow(infinity) == last + 1);
  }
}
