// SPDX-License-Identifier: Apache-2.0
// What the caller said, unjudged: a tagged value, deep-copied.
//
//   in:  a ctconv_value (capi copies it);   out: the same as an owning tree;   refuses: nothing
//   Bool is not int and a tuple is not a list: documented TypeErrors depend on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <vector>

#include "src/base/tensor.h"

namespace ctconv {

struct Value {
  enum Tag : int32_t { kNone, kBool, kInt, kFloat, kString, kTuple, kList, kTensor, kOther };

  Value() = default;
  // Items of this value come from `memory`: a call's output_size is read without touching the heap.
  explicit Value(std::pmr::memory_resource* memory) : items(memory) {}

  Tag tag = kNone;
  int64_t i = 0;                  // kBool, kInt
  double f = 0;                   // kFloat
  std::string text;               // kString, kOther (the type's name)
  std::pmr::vector<Value> items;  // kTuple, kList
  TensorView tensor;              // kTensor: dense row-major copy, data points into bytes
  std::vector<std::byte> bytes;

  bool is_none() const { return tag == kNone; }
  bool is_sequence() const { return tag == kTuple || tag == kList; }

  // As a person would write it: (1, 2), [3], "same", 1.5, None, <tensor float32 (2, 3)>.
  std::string show() const;
  // "a bool", "a tuple of 2", "a list of 3", "an int", ….
  std::string type_name() const;
};

}  // namespace ctconv
