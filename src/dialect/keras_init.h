// SPDX-License-Identifier: Apache-2.0
// Initialisers by their Keras names.
//
//   in:      kernel_initializer / bias_initializer: None, a name or a tensor
//   out:     the Initialiser
//   refuses: anything else, with one ValueError code
#pragma once

#include "src/desc/descriptor.h"
#include "src/dialect/rules.h"

namespace ctconv::keras {

Status read_init(const std::string& name, const Value& value, Code bad, const char* by_default, Initialiser* out);

}  // namespace ctconv::keras
