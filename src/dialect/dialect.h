// SPDX-License-Identifier: Apache-2.0
// What a dialect is: one documented operator, as data and two functions.
//
//   in:  Arguments as set;   out: a valid Descriptor, or the first fault in the documented order
//   The table of dialects is src/dialect/families.h; each dialect is one file and one line there.
#pragma once

#include <span>
#include <string_view>

#include "src/args/arguments.h"
#include "src/desc/descriptor.h"

namespace ctconv {

// One argument, in the original's positional order.
struct ArgumentRow {
  const char* name;
  const char* default_text;  // "" where required
  bool required;
  bool by_name_only = false;
};

// A version whose defaults or arguments differ, asked for as "name@version".
struct DialectVersion {
  const char* name;
  std::span<const ArgumentRow> arguments;
};

struct Dialect {
  const char* name;    // exact string, without a version
  const char* source;  // page and package version it mirrors
  int rank;            // spatial axes; 0: arguments or tensors tell
  std::span<const ArgumentRow> arguments;
  // Judges arguments (names and required ones are already judged), in the documented order. `version` is "" or what
  // followed '@'.
  Result<Descriptor> (*interpret)(const Dialect& self, const Arguments& args, std::string_view version);
  std::span<const DialectVersion> versions = {};  // known versions besides ""
};

std::span<const Dialect> dialects();

// Splits "name@version". Null where unknown; *version then untouched.
const Dialect* find_dialect(std::string_view name, std::string_view* version);

// The arguments of that version ("" or one find_dialect has answered).
std::span<const ArgumentRow> arguments_of(const Dialect& dialect, std::string_view version);

// Unknown and missing names first (TYPE_ARGUMENT_NAME, TYPE_ARGUMENT_MISSING), then the dialect's own order.
Result<Descriptor> interpret(const Dialect& dialect, const Arguments& args, std::string_view version);

// Reads the call's output_size by the descriptor's rules: kinds, bools, lengths. x_ndim: axes of x, 0 where unknown.
RequestedSize read_output_size(const Descriptor& desc, const Value& value, int x_ndim);

}  // namespace ctconv
