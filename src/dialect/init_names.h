// SPDX-License-Identifier: Apache-2.0
// Initialisers several dialects spell alike: a tensor that is used as it is.
//
//   in:      a tensor Value (a dense host copy)
//   out:     its values as doubles
//   refuses: a shape other than the parameter's, a non-numeric type
#pragma once

#include <string>
#include <vector>

#include "src/desc/descriptor.h"
#include "src/dialect/rules.h"

namespace ctconv {

// `shape`: what the parameter has, null where it is not known yet (initialise judges it then).
Status tensor_init(const std::string& name, const Value& value, const std::vector<int64_t>* shape, Code type, Code bad,
                   Initialiser* out);

}  // namespace ctconv
