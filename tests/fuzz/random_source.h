// SPDX-License-Identifier: Apache-2.0
// Choices by a random generator, for lives that tests draw themselves.
//
//   in:  a seed   out: a Source
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

}  // namespace hostile
