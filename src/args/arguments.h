// SPDX-License-Identifier: Apache-2.0
// The arguments of one descriptor, by name, in the order they were set.
//
//   in:  names and Values as set;   out: lookup;   refuses: nothing (dialects judge, in their documented order)
//   A set and a lookup take about log2(names) comparisons, so that a hostile list of names costs no more than its
//   length.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/args/value.h"

namespace ctconv {

class Arguments {
 public:
  // A name set again keeps its place. On std::bad_alloc nothing has changed.
  void set(std::string name, Value value) {
    const auto [known, added] = index_.try_emplace(std::move(name), items_.size());
    if (!added) {
      items_[known->second].second = std::move(value);
      return;
    }
    try {
      items_.emplace_back(known->first, std::move(value));
    } catch (...) {
      index_.erase(known);
      throw;
    }
  }
  // Null where never set.
  const Value* find(std::string_view name) const {
    const auto known = index_.find(name);
    return known != index_.end() ? &items_[known->second].second : nullptr;
  }
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, Value>> items_;
  std::map<std::string, size_t, std::less<>> index_;  // name: place in items_
};

}  // namespace ctconv
