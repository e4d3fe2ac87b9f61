// SPDX-License-Identifier: Apache-2.0
// The activation argument of a dialect: a name of its own list, with the package's parameters.
//
//   in:  the Value, the dialect's list
//   out: the Activation; None leaves it as it is
//   refuses: a name that is not in the list, with VALUE_ACT
#pragma once

#include <span>
#include <string>

#include "src/desc/descriptor.h"
#include "src/dialect/rules.h"

namespace ctconv {

struct NamedActivation {
  const char* name;
  Activation activation;
};

Status read_activation(const std::string& argument, const Value& value, std::span<const NamedActivation> known,
                       Activation* out);

}  // namespace ctconv
