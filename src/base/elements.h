// SPDX-License-Identifier: Apache-2.0
// Element types: how a stored element becomes an accumulator and back.
//
//   in:  a Dtype;   out: a trait with Stored, Acc, load and store;   with_element calls a generic function with it
//   f16 and bf16 are computed in f32 and rounded once, at the store.
#pragma once

#include <cstdint>

#include "src/base/dtype.h"
#include "src/base/half.h"

namespace ctconv::elements {

struct F32 {
  using Stored = float;
  using Acc = float;
  static Acc load(Stored v) { return v; }
  static Stored store(Acc v) { return v; }
};
struct F64 {
  using Stored = double;
  using Acc = double;
  static Acc load(Stored v) { return v; }
  static Stored store(Acc v) { return v; }
};
struct F16 {
  using Stored = uint16_t;
  using Acc = float;
  static Acc load(Stored v) { return f16_to_f32(v); }
  static Stored store(Acc v) { return f32_to_f16(v); }
};
struct Bf16 {
  using Stored = uint16_t;
  using Acc = float;
  static Acc load(Stored v) { return bf16_to_f32(v); }
  static Stored store(Acc v) { return f32_to_bf16(v); }
};

// f(trait) for one of the four float types; other types are refused before (Engine::plan).
template <class F>
[[gnu::always_inline]] inline void with_element(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::kF32:
      return f(F32());
    case Dtype::kF64:
      return f(F64());
    case Dtype::kF16:
      return f(F16());
    case Dtype::kBf16:
      return f(Bf16());
    case Dtype::kI8:
    case Dtype::kI32:
      return;
  }
}

}  // namespace ctconv::elements
