// SPDX-License-Identifier: Apache-2.0
// Looks through x; see values.h.
#include "src/engine/winograd/values.h"

#include "src/kit/value_scan.h"

namespace ctconv::winograd {
namespace {

kit::Magnitudes input_range(Dtype type) {
  constexpr auto kMost = std::bit_cast<uint32_t>(kMostValue);
  kit::Magnitudes range = kit::finite_magnitudes(type);  // those of f16 lie within the bound
  if (type == Dtype::kF32) range.most = kMost;
  if (type == Dtype::kBf16) range.most = kMost >> 16;
  return range;
}

}  // namespace

bool honours_input(const Problem& p, const void* x, const Runner& runner, bool* broken) {
  return kit::input_within(input_range(p.types.x), p, x, runner, broken);
}

}  // namespace ctconv::winograd
