// SPDX-License-Identifier: Apache-2.0
// See values.h.
#include "src/engine/onednn/values.h"

#include <cmath>

#include "src/kit/value_scan.h"

namespace ctconv::onednn {
namespace {

kit::Magnitudes honoured(Dtype type) {
  kit::Magnitudes range = kit::finite_magnitudes(type);
  if (flushes_subnormals(type)) range.low = kit::power_bits(type, -126);
  return range;
}

}  // namespace

const char* weights_not_honoured(Dtype dtype) {
  return flushes_subnormals(dtype)
             ? "the weight holds an Inf or NaN, which padding zeros would turn into NaN, or a subnormal number, which "
               "its products take for zero"
             : "the weight holds an Inf or NaN, which padding zeros would turn into NaN";
}

bool honours_weights(const void* packed, size_t bytes, Dtype dtype) {
  return kit::all_within(honoured(dtype), dtype, packed, static_cast<int64_t>(bytes / size_of(dtype)));
}

bool honours_input(const Problem& p, const void* x, const float* bias, const Runner& runner, bool* broken) {
  *broken = false;
  if (!looks_at_input(p)) return true;
  if (bias != nullptr && swallows_nan(p.epilogue.activation)) {
    for (int64_t c = 0; c < p.groups * p.co; ++c) {
      if (!std::isfinite(bias[c])) return false;  // relu makes a NaN of -Inf in bf16
    }
  }
  return kit::input_within(honoured(p.types.x), p, x, runner, broken);
}

}  // namespace ctconv::onednn
