// Element types: DLPack's numbers outside, four computing types inside.
//
//   ElementType  code, bits, lanes as a tensor record carries them (any type, also those we refuse)
//   Dtype        the types engines compute with; f16 and bf16 are stored narrow and computed in f32
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ctconv {

struct ElementType {
  uint8_t code = 2;  // DLPack: 0 int, 1 uint, 2 float, 3 opaque, 4 bfloat, 5 complex, 6 bool
  uint8_t bits = 32;
  uint16_t lanes = 1;
  friend bool operator==(const ElementType&, const ElementType&) = default;
};

enum class Dtype : int32_t { kF32, kF16, kBf16, kF64 };

constexpr size_t size_of(Dtype t) { return t == Dtype::kF64 ? 8 : t == Dtype::kF32 ? 4 : 2; }
// Accumulator and bias type: f64 for f64, f32 for the rest.
constexpr Dtype accumulator_of(Dtype t) { return t == Dtype::kF64 ? Dtype::kF64 : Dtype::kF32; }
constexpr const char* name_of(Dtype t) {
  return t == Dtype::kF32 ? "f32" : t == Dtype::kF16 ? "f16" : t == Dtype::kBf16 ? "bf16" : "f64";
}

constexpr ElementType element_type(Dtype t) {
  return t == Dtype::kBf16 ? ElementType{4, 16, 1} : ElementType{2, static_cast<uint8_t>(8 * size_of(t)), 1};
}
// True and *out set where the element type is one of the four.
constexpr bool to_dtype(ElementType e, Dtype* out) {
  for (Dtype t : {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kF64}) {
    if (element_type(t) == e) {
      *out = t;
      return true;
    }
  }
  return false;
}

// "float32", "bfloat16", "int8", "complex64", "bool", "float32x4", … for messages.
std::string name_of(ElementType e);
// Bytes of one element, at least 1.
constexpr int64_t bytes_of(ElementType e) { return (int64_t{e.bits} * e.lanes + 7) / 8; }

}  // namespace ctconv
