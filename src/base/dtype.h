// SPDX-License-Identifier: Apache-2.0
// Element types: DLPack's numbers outside, one table of the types that a Problem may name inside.
//
//   ElementType  code, bits, lanes as a tensor record carries them (any type, also those we refuse)
//   Dtype        what an operand of a Problem is stored as; kDtypes says name, size and the type its sums are kept in
//   f16 and bf16 are stored narrow and summed in f32, int8 in int32. Which types a dialect takes is the dialect's
//   business, which an engine computes is the engine's.
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

enum class Dtype : int32_t { kF32, kF16, kBf16, kF64, kI8, kI32 };

struct DtypeRow {
  Dtype type;
  const char* name;  // of the problem text
  ElementType element;
  Dtype accumulator;  // the type of its sums and of its bias
};

inline constexpr DtypeRow kDtypes[] = {
    {Dtype::kF32, "f32", {2, 32, 1}, Dtype::kF32},   {Dtype::kF16, "f16", {2, 16, 1}, Dtype::kF32},
    {Dtype::kBf16, "bf16", {4, 16, 1}, Dtype::kF32}, {Dtype::kF64, "f64", {2, 64, 1}, Dtype::kF64},
    {Dtype::kI8, "int8", {0, 8, 1}, Dtype::kI32},    {Dtype::kI32, "int32", {0, 32, 1}, Dtype::kI32},
};

constexpr const DtypeRow& row_of(Dtype t) { return kDtypes[static_cast<int32_t>(t)]; }
constexpr ElementType element_type(Dtype t) { return row_of(t).element; }
constexpr size_t size_of(Dtype t) { return row_of(t).element.bits / 8; }
constexpr Dtype accumulator_of(Dtype t) { return row_of(t).accumulator; }
constexpr const char* name_of(Dtype t) { return row_of(t).name; }

// True and *out set where a row of the table stores the element type.
constexpr bool to_dtype(ElementType e, Dtype* out) {
  for (const DtypeRow& row : kDtypes) {
    if (row.element != e) continue;
    *out = row.type;
    return true;
  }
  return false;
}

namespace dtypes {
constexpr bool rows_in_order() {
  int32_t n = 0;
  for (const DtypeRow& row : kDtypes) {
    if (static_cast<int32_t>(row.type) != n++) return false;
  }
  return n == static_cast<int32_t>(Dtype::kI32) + 1;
}
static_assert(rows_in_order(), "a row a type, in the order of the enumeration");
}  // namespace dtypes

// "float32", "bfloat16", "int8", "complex64", "bool", "float32x4", … for messages.
std::string name_of(ElementType e);

// Whether a gradient of a weight or bias of `type` may be kept as `kept`, the type its sums are made in.
constexpr ElementType kSumsType = row_of(Dtype::kF32).element;
constexpr bool keeps_sums(ElementType kept, ElementType type) {
  return kept == kSumsType && (type == row_of(Dtype::kF16).element || type == row_of(Dtype::kBf16).element);
}
// Bytes of one element, at least 1.
constexpr int64_t bytes_of(ElementType e) { return (int64_t{e.bits} * e.lanes + 7) / 8; }

}  // namespace ctconv
