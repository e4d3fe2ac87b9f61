// SPDX-License-Identifier: Apache-2.0
// The table of families. See families.h.
#include "tools/cli/families.h"

#include <string_view>

namespace cli {
namespace {

constexpr Family kFamilies[] = {
    {.prefix = "", .pads = Family::kOneNumber},
    {.prefix = "ctconv", .pads = Family::kTwoArguments},
    {.prefix = "mindspore.",
     .pads = Family::kPairs,
     .mode_argument = "pad_mode",
     .same = "same",
     .valid = "valid",
     .numbers = "pad"},
    {.prefix = "mindspore.nn.Conv1d",
     .pads = Family::kOneNumber,
     .mode_argument = "pad_mode",
     .same = "same",
     .valid = "valid",
     .numbers = "pad"},
    {.prefix = "paddle.", .pads = Family::kPairs, .mode_argument = "padding", .same = "SAME", .valid = "VALID"},
    {.prefix = "paddle.nn.functional.",
     .pads = Family::kPairs,
     .mode_argument = "padding",
     .same = "SAME",
     .valid = "VALID",
     .weight_with_call = true},
    {.prefix = "onnx.",
     .pads = Family::kBeginsThenEnds,
     .mode_argument = "auto_pad",
     .same = "SAME_UPPER",
     .valid = "VALID",
     .int_for_all = false,
     .weight_with_call = true},
    {.prefix = "keras.",
     .pads = Family::kWordsOnly,
     .mode_argument = "padding",
     .same = "same",
     .valid = "valid",
     .channels_last = true},
};

}  // namespace

const Family& family_of(const std::string& dialect) {
  const Family* best = &kFamilies[0];
  for (const Family& family : kFamilies) {
    const std::string_view prefix = family.prefix;
    if (dialect.compare(0, prefix.size(), prefix) == 0 && prefix.size() > std::string_view(best->prefix).size()) {
      best = &family;
    }
  }
  return *best;
}

}  // namespace cli
