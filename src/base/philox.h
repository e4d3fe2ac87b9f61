// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10: a counter in, four random words out.
//
//   in:  a 128-bit counter and a 64-bit key
//   out: 128 random bits, a function of both and of nothing else
//   Integer arithmetic only: the same words on every machine, in any order, from any thread.
//   Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011.
#pragma once

#include <array>
#include <cstdint>

namespace ctconv {

using PhiloxWords = std::array<uint32_t, 4>;

constexpr PhiloxWords philox4x32_10(PhiloxWords counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(p0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// A stream of 64-bit words addressed by (element, attempt): two words per block of the generator.
class PhiloxStream {
 public:
  // stream: 0 weight, 1 bias; the same seed gives them unrelated numbers. Below 2^16.
  PhiloxStream(uint64_t seed, uint32_t stream)
      : key0_(static_cast<uint32_t>(seed)), key1_(static_cast<uint32_t>(seed >> 32)), stream_(stream) {}

  // attempt below 2^16.
  uint64_t word(uint64_t element, uint32_t attempt = 0) const {
    const uint64_t block = element / 2;
    const PhiloxWords w = philox4x32_10(
        {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), attempt, stream_}, key0_, key1_);
    return element % 2 == 0 ? (uint64_t{w[1]} << 32 | w[0]) : (uint64_t{w[3]} << 32 | w[2]);
  }

 private:
  uint32_t key0_, key1_, stream_;
};

// [0, 1) in steps of 2^-53, and (0, 1) symmetric about 1/2 in steps of 2^-52; both exact.
constexpr double unit_half_open(uint64_t word) { return static_cast<double>(word >> 11) * 0x1p-53; }
constexpr double unit_open(uint64_t word) { return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52; }

}  // namespace ctconv
