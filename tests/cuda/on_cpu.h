// SPDX-License-Identifier: Apache-2.0
// What the tests that run kernels on the CPU share: packed weights, aligned copies, the y that must come out.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include "tests/cuda/random_problem.h"

namespace ctconv::cuda::testing {

template <class T>
std::vector<T> packed_weights(const Case<T>& c, Packing packing) {
  PackParams p;
  pack_form(c.p, packing, &p);
  std::vector<T> packed(static_cast<size_t>(p.elements));
  p.w = c.w.data() + c.w_first;
  p.packed = packed.data();
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
  for (int64_t e = 0; e < p.elements; ++e) pack_element<Bits>(p, e);
  if (raw_matches(c.p, packing))
    CHECK(std::memcmp(packed.data(), c.w.data() + c.w_first + p.first, packed.size() * sizeof(T)) == 0);
  return packed;
}

// 16-byte aligned copy, so that the vector forms see what cudaMalloc gives.
template <class T>
struct Aligned {
  explicit Aligned(const std::vector<T>& v) : storage(v.size() * sizeof(T) / 16 + 2) {
    data = reinterpret_cast<T*>(storage.data());
    std::copy(v.begin(), v.end(), data);
  }
  struct alignas(16) Line {
    unsigned char bytes[16];
  };
  std::vector<Line> storage;
  T* data;
};

// What y must hold: finished sums in the core, poison everywhere else.
template <class T>
std::vector<T> expected_core(const Case<T>& c) {
  std::vector<T> y(c.y.size(), poison<T>());
  for_each_output(c.p, [&](int64_t at, bool core, int64_t n, int64_t ch, int64_t d, int64_t h, int64_t w) {
    if (core) y[static_cast<size_t>(at)] = finish(c, ch, plain_sum(c, n, ch, d, h, w));
  });
  return y;
}

template <class T>
void check_core(const Case<T>& c, const std::vector<T>& expected, const char* kernel) {
  int64_t wrong = 0;
  for (size_t i = 0; i < c.y.size(); ++i) wrong += !same_bits(c.y[i], expected[i]);
  INFO(kernel);
  REQUIRE(wrong == 0);
}

}  // namespace ctconv::cuda::testing
