// The arguments of one descriptor, by name, in the order they were set.
//
//   in:  names and Values as set;   out: lookup;   refuses: nothing (dialects judge, in their documented order)
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/args/value.h"

namespace ctconv {

class Arguments {
 public:
  void set(std::string name, Value value) {
    for (auto& [known, old] : items_) {
      if (known == name) {
        old = std::move(value);
        return;
      }
    }
    items_.emplace_back(std::move(name), std::move(value));
  }
  // Null where never set.
  const Value* find(std::string_view name) const {
    for (const auto& [known, value] : items_) {
      if (known == name) return &value;
    }
    return nullptr;
  }
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, Value>> items_;
};

}  // namespace ctconv
