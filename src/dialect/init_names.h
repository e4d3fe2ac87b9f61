// SPDX-License-Identifier: Apache-2.0
// What several dialects read alike: initialisers by their names, and a tensor that is used as it is.
//
//   in:      a table of names; a tensor Value (a dense host copy)
//   out:     the rule behind a name; the tensor's values as doubles
//   refuses: a shape other than the parameter's, a non-numeric type
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/desc/descriptor.h"
#include "src/dialect/rules.h"

namespace ctconv {

// One row of a dialect's table: the fields of an Initialiser that a name can decide.
struct NamedInit {
  const char* name;
  Initialiser::Kind kind;
  double a{}, b{}, lo{}, hi{};
  Initialiser::Fan fan = Initialiser::kNoFan;
  double scale{};
  bool needs_axes{};
};
// False where no row has that name; *out then untouched.
bool init_by_name(std::span<const NamedInit> rows, std::string_view name, Initialiser* out);

// `shape`: what the parameter has, null where it is not known yet (initialise judges it then).
Status tensor_init(const std::string& name, const Value& value, const std::vector<int64_t>* shape, Code type, Code bad,
                   Initialiser* out);

}  // namespace ctconv
