// SPDX-License-Identifier: Apache-2.0
// See activation_names.h.
#include "src/dialect/activation_names.h"

namespace ctconv {

Status read_activation(const std::string& argument, const Value& value, std::span<const NamedActivation> known,
                       Activation* out) {
  if (value.is_none()) return {};
  std::string legal = "None";
  for (const NamedActivation& row : known) {
    if (value.tag == Value::kString && value.text == row.name) {
      *out = row.activation;
      return {};
    }
    legal += std::string(", ") + row.name;
  }
  return argument_error(Code::VALUE_ACT, argument, value.show(), legal, "is no known activation");
}

}  // namespace ctconv
