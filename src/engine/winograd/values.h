// SPDX-License-Identifier: Apache-2.0
// Values that this engine takes: those for which its sums are as good as the reference's chain.
//
//   x        finite, |x| <= 2^50.  Beyond it a sum of transformed values could overflow where the chain does not.
//   weight   finite, 0 or 2^-100 <= |w| <= 2^50.  Halves of smaller ones would be rounded as subnormal numbers.
//            Level: for a tap and an output channel the mean of |w| over the input channels is a share of their
//            largest; the mean of these shares over all taps and output channels is 1/12 or more. Weights of normal,
//            uniform or Laplace distribution have 1/8 and more. Where single weights stand out by powers of two, a
//            point mixes taps whose sums differ by as much, and its rounding errors would hide the small one.
//   Tiny x are harmless: sums of subnormal numbers are exact.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "src/base/runner.h"
#include "src/problem/problem.h"

namespace ctconv::winograd {

inline constexpr float kMostValue = 0x1p50f, kLeastWeight = 0x1p-100f;
inline constexpr double kLeastLevel = 1.0 / 12;
inline constexpr const char* kWeightsNotHonoured =
    "the weight holds an Inf or NaN, a number beyond 2^50 or below 2^-100, or single weights that stand out by far";

// Sums and largest of |w| over the input channels, an entry for each tap and column.
struct Level {
  float *sum = nullptr, *most = nullptr;

  void begin(int64_t count) {
    std::fill(sum, sum + count, 0.0f);
    std::fill(most, most + count, 0.0f);
  }
  // One channel's weights; true where one of them is beyond the range.
  bool add(const float* w, int64_t count) {
    constexpr auto kMost = std::bit_cast<uint32_t>(kMostValue), kLeast = std::bit_cast<uint32_t>(kLeastWeight);
    uint32_t beyond = 0;
    for (int64_t k = 0; k < count; ++k) {
      const uint32_t bits = std::bit_cast<uint32_t>(w[k]) & 0x7fffffffu;
      const auto value = std::bit_cast<float>(bits);
      beyond |= static_cast<uint32_t>(bits > kMost) | static_cast<uint32_t>(bits - 1 < kLeast - 1);
      sum[k] += value;
      most[k] = value > most[k] ? value : most[k];
    }
    return beyond != 0;
  }
};

// Of all blocks of columns: shares are counted in units of 2^-20, so how the weight is cut does not matter.
class WeightVerdict {
 public:
  void add(bool beyond, const Level& level, int64_t entries, int64_t channels) {
    int64_t shares = 0, count = 0;
    for (int64_t k = 0; k < entries && !beyond; ++k) {
      if (level.most[k] == 0) continue;
      shares += static_cast<int64_t>(0x1p20 * level.sum[k] / (static_cast<double>(channels) * level.most[k]));
      ++count;
    }
    if (beyond) beyond_.store(true, std::memory_order_relaxed);
    shares_.fetch_add(shares, std::memory_order_relaxed);
    count_.fetch_add(count, std::memory_order_relaxed);
  }
  bool honoured() const {
    if (beyond_.load(std::memory_order_relaxed)) return false;
    return static_cast<double>(shares_.load()) >= kLeastLevel * 0x1p20 * static_cast<double>(count_.load());
  }

 private:
  std::atomic<bool> beyond_ = false;
  std::atomic<int64_t> shares_ = 0, count_ = 0;
};

// Whether every value of x is taken. *broken: the runner did not keep its contract.
bool honours_input(const Problem& p, const void* x, const Runner& runner, bool* broken);

}  // namespace ctconv::winograd
