// SPDX-License-Identifier: Apache-2.0
// Arguments as JSON -> tagged values, so that documented TypeErrors can be provoked from a shell.
//
//   [..] tuple   {"$list": [..]} list   null None   true/false bool   1 int   1.0 float   "s" string
//   {"$npy": "file.npy"} tensor   {"$other": "dict"} a value of another type, by its type's name
//   integers beyond int64 are passed saturated
//   refuses (Fault JSON): bad syntax, a name given twice, nesting deeper than 32, a NUL character in a string or name
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ctconv/ctconv.hpp"
#include "tools/cli/array.h"

namespace cli {

struct Arguments {
  std::vector<std::pair<std::string, ctconv::Value>> items;  // in the order written
  std::vector<std::shared_ptr<Array>> arrays;                // what {"$npy": ..} read; tensor values borrow from here

  const ctconv::Value* find(const std::string& name) const {
    for (const auto& [key, value] : items)
      if (key == name) return &value;
    return nullptr;
  }
};

// The JSON parser's complaint as a sentence: where, and what was expected.
std::string syntax_error(size_t position, std::string what);
// text: a JSON object, or @file.json (@- is standard input)
Arguments parse_arguments(const std::string& text);
// One value, e.g. of --output-size.
ctconv::Value parse_value(const std::string& text, Arguments* arrays);
// As Python would print it: (2, 2), [2, 2], True, None, 'same'.
std::string text_of(const ctconv::Value& value);

}  // namespace cli
