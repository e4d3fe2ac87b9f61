// SPDX-License-Identifier: Apache-2.0
// Arguments of a dialect and tensors without data, written by hand, and what it makes of them.
//
//   in:  entries, numbers, names   out: Values; interpreted(): the descriptor, or the refusal, of the arguments of both
//        lists, where a later one replaces an earlier one of its name
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"

namespace ctconv::rig {

using Args = std::vector<std::pair<std::string, Value>>;

inline Value sequence(std::vector<Value> items, Value::Tag tag = Value::kTuple) {
  Value v;
  v.tag = tag;
  for (Value& item : items) v.items.push_back(std::move(item));
  return v;
}

inline Value ints(std::initializer_list<int64_t> entries, Value::Tag tag = Value::kTuple) {
  std::vector<Value> items;
  for (int64_t i : entries) items.push_back(int_value(i));
  return sequence(std::move(items), tag);
}

inline Value real(double f) {
  Value v;
  v.tag = Value::kFloat;
  v.f = f;
  return v;
}

inline Result<Descriptor> interpreted(const std::string& dialect, const Args& args, const Args& more = {}) {
  std::string_view version;
  const Dialect* found = find_dialect(dialect, &version);
  REQUIRE(found != nullptr);
  Arguments a;
  for (const Args* list : {&args, &more}) {
    for (const auto& [name, value] : *list) a.set(name, value);
  }
  return interpret(*found, a, version);
}

// A tensor of which only the shape and the element type are known.
inline TensorView tensor(const std::vector<int64_t>& shape, ElementType type = {}) {
  TensorView t;
  t.type = type;
  t.ndim = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), t.shape.begin());
  return t;
}

}  // namespace ctconv::rig
