// The activations by name, in the order of their CTCONV_ACTIVATION_ numbers.
//
//   in:  a name;   out: its number, -1 for another name;   and all names as one text
//   tests/base/activations_test.cpp compares the list with the library's own.
#pragma once

#include <cstdint>
#include <string>

namespace cli {

inline constexpr const char* kActivationNames[] = {"none", "relu", "leaky_relu", "tanh", "sigmoid", "clip"};

inline int32_t activation_number(const std::string& name) {
  for (int32_t i = 0; i < static_cast<int32_t>(std::size(kActivationNames)); ++i) {
    if (name == kActivationNames[i]) return i;
  }
  return -1;
}

inline std::string activation_list() {
  std::string list;
  for (const char* name : kActivationNames) list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

}  // namespace cli
