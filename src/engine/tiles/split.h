// SPDX-License-Identifier: Apache-2.0
// A value as a sum of bf16 parts: the first truncated, the second rounded, the third what is left.
//
//   f32: three parts, exactly v where v is 0 or |v| >= 2^-103;   f16: two parts, exactly v;   bf16: v itself
//   Truncating the first part never overflows; rounding the second leaves no bias on data of one sign.
//   in:  an f32;   out: the upper halves of the parts' bit patterns
#pragma once

#include <bit>
#include <cstdint>

#include "src/base/dtype.h"
#include "src/base/half.h"

namespace ctconv::tiles {

constexpr int64_t kMostParts = 3;
constexpr int64_t parts_of(Dtype t) { return t == Dtype::kF32 ? 3 : t == Dtype::kF16 ? 2 : 1; }

constexpr void split(float value, int64_t parts, uint16_t* out) {
  constexpr uint32_t kUpper = 0xffff0000u;
  const uint32_t first = std::bit_cast<uint32_t>(value) & kUpper;
  out[0] = static_cast<uint16_t>(first >> 16);
  if (parts < 2) return;
  const float rest = value - std::bit_cast<float>(first);
  const uint32_t second = (std::bit_cast<uint32_t>(rest) + 0x8000u) & kUpper;
  out[1] = static_cast<uint16_t>(second >> 16);
  if (parts < 3) return;
  out[2] = static_cast<uint16_t>(std::bit_cast<uint32_t>(rest - std::bit_cast<float>(second)) >> 16);
}

}  // namespace ctconv::tiles
