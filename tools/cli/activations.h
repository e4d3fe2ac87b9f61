// SPDX-License-Identifier: Apache-2.0
// The activations by name, in the order of their CTCONV_ACTIVATION_ numbers.
//
//   in:  a name;   out: its number, -1 for another name;   all names as one text;   how many parameters each reads
//   tests/base/activations_test.cpp compares the list with the library's own.
#pragma once

#include <cstdint>
#include <string>

namespace cli {

struct Activation {
  const char* name;
  int parameters;  // the first of --alpha, --beta
};
inline constexpr Activation kActivations[] = {{"none", 0}, {"relu", 0},    {"leaky_relu", 1},
                                              {"tanh", 0}, {"sigmoid", 0}, {"clip", 2}};

inline int32_t activation_number(const std::string& name) {
  for (int32_t i = 0; i < static_cast<int32_t>(std::size(kActivations)); ++i) {
    if (name == kActivations[i].name) return i;
  }
  return -1;
}

inline std::string activation_list() {
  std::string list;
  for (const Activation& row : kActivations) list += (list.empty() ? "" : ", ") + std::string(row.name);
  return list;
}

}  // namespace cli
