// Reading one weight, widened, from any layout.
//
//   in:  the raw weight and Problem::w;   out: w[g][ci][co][td][th][tw] as the computing type
#pragma once

#include <atomic>
#include <type_traits>

#include "src/base/half.h"
#include "src/problem/problem.h"

namespace ctconv::native {

template <class T>
class WeightReader {
 public:
  WeightReader(const Problem& p, const void* w) : layout_(p.w), dtype_(p.dtype), w_(w) {}

  T operator()(int64_t g, int64_t ci, int64_t co, int64_t d, int64_t h, int64_t w) const {
    const int64_t at = g * layout_.g + ci * layout_.ci + co * layout_.co + d * layout_.tap[0] + h * layout_.tap[1] +
                       w * layout_.tap[2];
    if constexpr (std::is_same_v<T, float>) {
      if (dtype_ == Dtype::kF16) return f16_to_f32(static_cast<const uint16_t*>(w_)[at]);
      if (dtype_ == Dtype::kBf16) return bf16_to_f32(static_cast<const uint16_t*>(w_)[at]);
    }
    return static_cast<const T*>(w_)[at];
  }

 private:
  WeightLayout layout_;
  Dtype dtype_;
  const void* w_;
};

}  // namespace ctconv::native
