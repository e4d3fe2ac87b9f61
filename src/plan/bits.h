// SPDX-License-Identifier: Apache-2.0
// Which promise the results of a kernel keep, from the strongest to the weakest.
//
//   kReference  the reference's bits, on every machine, for any threads, tiles and batch split
//   kStable     another order of sums, written down as a scalar definition, the same everywhere
//   kMachine    the same for the same call on this kind of machine; the number of threads and alignment may matter.
//               Its error is that of reordered sums
//   kReduced    operands rounded below their own type; only where asked for (options.math, options.allow_tf32)
//   An op says the weakest it accepts; whoever accepts one accepts the stronger ones.
#pragma once

#include <cstdint>

namespace ctconv {

enum class Bits : int32_t { kReference, kStable, kMachine, kReduced };

constexpr const char* name_of(Bits b) {
  constexpr const char* kNames[] = {"reference", "stable", "machine", "reduced"};
  return kNames[static_cast<int32_t>(b)];
}

// options.reproducible: 0 any but reduced, 1 reference, 2 reference or stable. options.math: 1 reduced too.
constexpr Bits weakest_bits(int32_t reproducible, int32_t math) {
  if (reproducible == 1) return Bits::kReference;
  if (reproducible == 2) return Bits::kStable;
  return math == 1 ? Bits::kReduced : Bits::kMachine;
}

}  // namespace ctconv
