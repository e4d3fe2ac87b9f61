// SPDX-License-Identifier: Apache-2.0
// Whether values hold an Inf or NaN.
//
//   in:  values of a computing type
//   out: marks, which are 0 where all are finite
//   Integer work on the exponents, so that compilers make vectors of it; a sum of floats would wait for itself.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace ctconv::kit {

template <class T>
using Marks = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

// All bits of the exponent are set: 1, else 0.
template <class T>
inline Marks<T> not_finite(T value) {
  constexpr auto kExponent = static_cast<Marks<T>>(sizeof(T) == 4 ? 0x7f800000u : 0x7ff0000000000000u);
  Marks<T> bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<Marks<T>>((bits & kExponent) == kExponent);
}

template <class T>
inline Marks<T> not_finite(const T* values, int64_t count) {
  Marks<T> marks = 0;
  for (int64_t k = 0; k < count; ++k) marks |= not_finite(values[k]);
  return marks;
}

}  // namespace ctconv::kit
