// SPDX-License-Identifier: Apache-2.0
// Elements of any type of the table, as doubles and as bits.
//
//   in:  memory, a Dtype, the number of an element;   out: its value, exactly; or its bit pattern
//   store rounds once, to nearest even: f16 and bf16 by way of f32, integers saturate.
//   Any two NaNs have the same bits here: their payload is nobody's promise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/base/dtype.h"
#include "src/base/half.h"

namespace ctconv::rig {

template <class T>
T element(const void* data, int64_t at) {
  T v;
  std::memcpy(&v, static_cast<const char*>(data) + at * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return v;
}

inline double load(const void* data, Dtype t, int64_t at) {
  switch (t) {
    case Dtype::kF32:
      return element<float>(data, at);
    case Dtype::kF64:
      return element<double>(data, at);
    case Dtype::kF16:
      return f16_to_f32(element<uint16_t>(data, at));
    case Dtype::kBf16:
      return bf16_to_f32(element<uint16_t>(data, at));
    case Dtype::kI8:
      return element<int8_t>(data, at);
    case Dtype::kI32:
      return element<int32_t>(data, at);
  }
  return 0;
}

template <class T>
void put(void* data, int64_t at, T v) {
  std::memcpy(static_cast<char*>(data) + at * static_cast<int64_t>(sizeof(T)), &v, sizeof(T));
}

template <class Int>
Int saturated(double v) {
  constexpr double kLeast = std::numeric_limits<Int>::min(), kMost = std::numeric_limits<Int>::max();
  return std::isnan(v) ? Int(0) : static_cast<Int>(std::clamp(std::nearbyint(v), kLeast, kMost));
}

inline void store(void* data, Dtype t, int64_t at, double v) {
  switch (t) {
    case Dtype::kF32:
      return put(data, at, static_cast<float>(v));
    case Dtype::kF64:
      return put(data, at, v);
    case Dtype::kF16:
      return put(data, at, f32_to_f16(static_cast<float>(v)));
    case Dtype::kBf16:
      return put(data, at, f32_to_bf16(static_cast<float>(v)));
    case Dtype::kI8:
      return put(data, at, saturated<int8_t>(v));
    case Dtype::kI32:
      return put(data, at, saturated<int32_t>(v));
  }
}

inline double rounded(Dtype t, double v) {
  uint64_t memory = 0;
  store(&memory, t, 0, v);
  return load(&memory, t, 0);
}

inline uint64_t bits_of(const void* data, Dtype t, int64_t at) {
  if (std::isnan(load(data, t, at))) return ~uint64_t{0};
  uint64_t u = 0;
  std::memcpy(&u, static_cast<const char*>(data) + at * static_cast<int64_t>(size_of(t)), size_of(t));
  return u;
}

inline bool is_integer(Dtype t) { return t == Dtype::kI8 || t == Dtype::kI32; }

}  // namespace ctconv::rig
