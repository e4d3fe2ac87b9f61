// SPDX-License-Identifier: Apache-2.0
// The vector routines one by one, at every odd size, on every instruction set: what is right is a loop of three lines.
//
//   Every destination lies between guard values; what a routine must not write stays as it was.
#include "src/kit/moves.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "hwy/targets.h"
#include "src/base/half.h"

namespace ctconv::kit {
namespace {

constexpr int64_t kGuard = 80;
constexpr int kUntouched = -7777;

void on_every_target(const std::function<void()>& body) {
  const int64_t all = hwy::SupportedTargets();
  int64_t ran = 0;
  for (int64_t target : {HWY_AVX3, HWY_AVX2, HWY_NEON}) {
    if ((all & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    INFO(hwy::TargetName(target));
    if (moves<float>().lanes != 0) {
      body();
      ++ran;
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
  CHECK((ran > 0 || moves<float>().lanes == 0));
}

template <class T>
std::vector<T> numbers(int64_t count) {
  std::vector<T> v(static_cast<size_t>(count));
  for (size_t k = 0; k < v.size(); ++k) v[k] = static_cast<T>(k + 1);
  return v;
}

// dst between guards, and the same filled by a plain loop.
template <class T>
struct Pair {
  std::vector<T> got, want;
  explicit Pair(int64_t count) : got(static_cast<size_t>(count + 2 * kGuard), static_cast<T>(kUntouched)), want(got) {}
  T* out() { return got.data() + kGuard; }
  T& at(int64_t index) { return want[static_cast<size_t>(kGuard + index)]; }
  bool same() const { return std::memcmp(got.data(), want.data(), got.size() * sizeof(T)) == 0; }
};

template <class T>
void interleaves() {
  const Moves<T> s = moves<T>();
  const int64_t stride = 101;
  for (int64_t rows = 1; rows <= 18; ++rows) {
    const std::vector<T> src = numbers<T>(rows * stride + kGuard);  // whole vectors of each row are read
    for (int64_t count = 0; count <= 67; ++count) {
      Pair<T> p(rows * count);
      std::vector<T> spare(static_cast<size_t>(rows * (count + s.lanes)));
      s.interleave(src.data(), stride, rows, count, p.out(), spare.data());
      for (int64_t q = 0; q < count; ++q) {
        for (int64_t f = 0; f < rows; ++f) p.at(q * rows + f) = src[static_cast<size_t>(f * stride + q)];
      }
      if (!p.same()) FAIL("interleave of " << rows << " rows of " << count);
    }
  }
}

template <class T>
void transposes() {
  const Moves<T> s = moves<T>();
  for (int64_t rows = 0; rows <= 37; ++rows) {
    for (int64_t columns = 0; columns <= 37; ++columns) {
      const int64_t from = columns + rows % 3, to = rows + columns % 4;
      const std::vector<T> src = numbers<T>(rows * from);
      Pair<T> p(columns * to);
      s.transpose(src.data(), from, rows, columns, p.out(), to);
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) p.at(j * to + i) = src[static_cast<size_t>(i * from + j)];
      }
      if (!p.same()) FAIL("transpose of " << rows << " x " << columns);
    }
  }
}

template <class T>
void copies() {
  const Moves<T> s = moves<T>();
  const std::vector<T> src = numbers<T>(400);
  for (int64_t count = 0; count <= 70; ++count) {
    for (int64_t gap = 0; gap <= 35; ++gap) {
      const RowPart parts[] = {
          {3, gap, count, gap}, {17, 2 * gap + count, count / 2, gap}, {1, 2 * gap + 2 * count, 1}};
      Pair<T> p(2 * gap + 2 * count + 1);
      s.copy(src.data(), parts, 3, p.out());
      for (const RowPart& part : parts) {
        for (int64_t k = 0; k < part.gap; ++k) p.at(part.to - part.gap + k) = 0;
        for (int64_t k = 0; k < part.count; ++k) p.at(part.to + k) = src[static_cast<size_t>(part.from + k)];
      }
      if (!p.same()) FAIL("copy of " << count << " behind " << gap << " zeros");
    }
  }
}

template <class T>
void loads_and_stores(Dtype same) {
  const Moves<T> s = moves<T>();
  const std::vector<T> src = numbers<T>(1000);
  for (int64_t count = 0; count <= 70; ++count) {
    for (int64_t stride : {1, 2, 5, -1, -3}) {
      const T* from = src.data() + (stride < 0 ? 400 : 3);
      Pair<T> loaded(count);
      s.load(from, stride, same, count, loaded.out());
      for (int64_t k = 0; k < count; ++k) loaded.at(k) = from[k * stride];
      Pair<T> stored(8 * 70);
      const int64_t first = stride < 0 ? 300 : count % 17;
      for (bool stream : {false, true}) {
        if (stream && stride != 1) continue;
        s.store(src.data(), count, same, stored.out() + first, stride, stream);
        s.fence();
      }
      for (int64_t k = 0; k < count; ++k) stored.at(first + k * stride) = src[static_cast<size_t>(k)];
      if (!loaded.same() || !stored.same()) FAIL("load or store of " << count << ", stride " << stride);
    }
  }
}

bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0 || (std::isnan(a) && std::isnan(b));  // a NaN's payload is nobody's promise
}

// By definition, in f64: sign, exponent, mantissa.
float widened(uint16_t h, Dtype type) {
  const int bits = type == Dtype::kF16 ? 10 : 7, bias = type == Dtype::kF16 ? 15 : 127;
  const int top = 2 * bias + 1, exponent = (h & 0x7fff) >> bits, mantissa = h & ((1 << bits) - 1);
  const double sign = (h & 0x8000) != 0 ? -1 : 1;
  if (exponent == top) return static_cast<float>(mantissa != 0 ? std::nan("") : sign * INFINITY);
  if (exponent == 0) return static_cast<float>(sign * std::ldexp(mantissa, 1 - bias - bits));
  return static_cast<float>(sign * std::ldexp((1 << bits) + mantissa, exponent - bias - bits));
}

// To the nearer of the two finite neighbours or infinity, ties to the even one: `h` is the result or this is no test.
bool is_nearest(float f, uint16_t h, Dtype type) {
  const uint16_t infinity = type == Dtype::kF16 ? 0x7c00 : 0x7f80;
  const uint16_t magnitude = h & 0x7fff;
  if (std::isnan(f)) return magnitude > infinity;
  if (std::signbit(f) != ((h & 0x8000) != 0)) return false;
  const double v = std::fabs(static_cast<double>(f));
  const auto value = [&](int m) {  // infinity counts as the next finite number would
    if (m < infinity) return static_cast<double>(widened(static_cast<uint16_t>(m), type));
    const double last = widened(static_cast<uint16_t>(infinity - 1), type);
    return last + (last - widened(static_cast<uint16_t>(infinity - 2), type));
  };
  if (std::isinf(f)) return magnitude == infinity;
  const double own = std::fabs(v - value(magnitude));
  if (magnitude > 0) {
    const double below = std::fabs(v - value(magnitude - 1));
    if (below < own || (below == own && magnitude % 2 == 1)) return false;
  }
  if (magnitude < infinity) {
    const double above = std::fabs(v - value(magnitude + 1));
    if (above < own || (above == own && magnitude % 2 == 1)) return false;
  }
  return magnitude == infinity ? v >= value(infinity) - (value(infinity) - value(infinity - 1)) / 2 : true;
}

// Every 16-bit value, what lies half way to the next one, and the neighbours of both; then any bits.
std::vector<float> to_narrow(Dtype type) {
  std::vector<float> out;
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const float a = widened(static_cast<uint16_t>(h), type), b = widened(static_cast<uint16_t>(h ^ 1), type);
    for (float v : {a, static_cast<float>((static_cast<double>(a) + b) / 2)}) {
      for (float w : {v, std::nextafter(v, INFINITY), std::nextafter(v, -INFINITY)}) out.push_back(w);
    }
    const uint32_t between = h << 16 | 0x8000;  // half way between two bf16
    float v;
    std::memcpy(&v, &between, sizeof v);
    for (float w : {v, std::nextafter(v, INFINITY), std::nextafter(v, -INFINITY)}) out.push_back(w);
  }
  for (float v : {65504.0f, 65519.99f, 65520.0f, 65536.0f, 3.4e38f, INFINITY}) {
    out.push_back(v);
    out.push_back(-v);
  }
  std::mt19937 rng(4);
  for (int k = 0; k < 1 << 18; ++k) {
    const uint32_t bits = rng();
    float v;
    std::memcpy(&v, &bits, sizeof v);
    out.push_back(v);
  }
  return out;
}

void conversions(Dtype type) {
  const Moves<float> s = moves<float>();
  std::vector<uint16_t> halves(65536);
  for (size_t k = 0; k < halves.size(); ++k) halves[k] = static_cast<uint16_t>(k);
  for (int64_t from : {0, 1, 7}) {  // other values then meet the scalar tail
    const auto count = static_cast<int64_t>(halves.size()) - 2 * from;
    std::vector<float> wide(static_cast<size_t>(count));
    s.load(halves.data() + from, 1, type, count, wide.data());
    for (int64_t k = 0; k < count; ++k) {
      const uint16_t h = halves[static_cast<size_t>(from + k)];
      if (!same_bits(wide[static_cast<size_t>(k)], widened(h, type))) FAIL(name_of(type) << " " << h << " widened");
    }
  }
  const std::vector<float> all = to_narrow(type);
  std::vector<uint16_t> narrow(all.size());
  s.store(all.data(), static_cast<int64_t>(all.size()), type, narrow.data(), 1, false);
  for (size_t k = 0; k < all.size(); ++k) {
    const uint16_t scalar = type == Dtype::kF16 ? f32_to_f16(all[k]) : f32_to_bf16(all[k]);
    if (!is_nearest(all[k], narrow[k], type) || !is_nearest(all[k], scalar, type)) {
      FAIL(all[k] << " to " << name_of(type) << ": " << narrow[k] << ", scalar " << scalar);
    }
  }
}

}  // namespace

TEST_CASE("moves: rows are interleaved, also 5, 7 and 9 of them") {
  on_every_target([] {
    interleaves<float>();
    interleaves<double>();
  });
}
TEST_CASE("moves: matrices of odd sizes are transposed") {
  on_every_target([] {
    transposes<float>();
    transposes<double>();
  });
}
TEST_CASE("moves: parts of rows are copied to their last element and no further") {
  on_every_target([] {
    copies<float>();
    copies<double>();
  });
}
TEST_CASE("moves: loads and stores of every length and stride") {
  on_every_target([] {
    loads_and_stores<float>(Dtype::kF32);
    loads_and_stores<double>(Dtype::kF64);
  });
}
TEST_CASE("moves: f16 and bf16 convert by their definition") {
  for (Dtype type : {Dtype::kF16, Dtype::kBf16}) {
    for (uint32_t h = 0; h < 0x10000; ++h) {
      const auto half = static_cast<uint16_t>(h);
      const float scalar = type == Dtype::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
      if (!same_bits(scalar, widened(half, type))) FAIL(name_of(type) << " " << h << " widened");
    }
    on_every_target([&] { conversions(type); });
  }
}

}  // namespace ctconv::kit
