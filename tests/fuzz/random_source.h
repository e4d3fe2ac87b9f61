// SPDX-License-Identifier: Apache-2.0
// Choices by a random generator, for lives that tests draw themselves.
//
//   in:  a seed   out: a Source; QuickSource is one that costs nothing to begin (SplitMix64, Steele et al. 2014)
#pragma once

#include <random>

#include "tests/fuzz/hostile.h"

namespace hostile {

class RandomSource : public Source {
 public:
  explicit RandomSource(uint64_t seed) : rng_(seed) {}
  uint64_t below(uint64_t bound) override { return rng_() % bound; }

 private:
  std::mt19937_64 rng_;
};

class QuickSource : public Source {
 public:
  explicit QuickSource(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u) {}
  uint64_t below(uint64_t bound) override {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % bound;
  }

 private:
  uint64_t state_;
};

}  // namespace hostile
