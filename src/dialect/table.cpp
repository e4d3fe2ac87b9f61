// SPDX-License-Identifier: Apache-2.0
// The dialects by name, and what all of them judge first: argument names. families.h is the table.
//
//   in:  a dialect string;   out: its row, and the version behind '@'
#include <algorithm>
#include <array>

#include "src/dialect/families.h"

namespace ctconv {

std::span<const Dialect> dialects() {
#define CTCONV_ROW(name) name,
  static const std::array kTable = {CTCONV_DIALECTS(CTCONV_ROW)};
#undef CTCONV_ROW
  return kTable;
}

const Dialect* find_dialect(std::string_view name, std::string_view* version) {
  const size_t at = name.find('@');
  const std::string_view base = name.substr(0, at);
  const std::string_view asked = at == std::string_view::npos ? std::string_view() : name.substr(at + 1);
  for (const Dialect& d : dialects()) {
    if (base != d.name) continue;
    if (at != std::string_view::npos &&
        std::none_of(d.versions.begin(), d.versions.end(), [&](const DialectVersion& v) { return asked == v.name; })) {
      return nullptr;
    }
    *version = asked;
    return &d;
  }
  return nullptr;
}

std::span<const ArgumentRow> arguments_of(const Dialect& dialect, std::string_view version) {
  for (const DialectVersion& v : dialect.versions) {
    if (version == v.name) return v.arguments;
  }
  return dialect.arguments;
}

Result<Descriptor> interpret(const Dialect& dialect, const Arguments& args, std::string_view version) {
  const std::span<const ArgumentRow> known_rows = arguments_of(dialect, version);
  for (const auto& [name, value] : args.items()) {
    // Captured by a name of its own: clang before 16 captures no structured binding.
    const auto is_it = [&asked = name](const ArgumentRow& r) { return asked == r.name; };
    if (std::any_of(known_rows.begin(), known_rows.end(), is_it)) continue;
    std::string known;
    for (const ArgumentRow& r : known_rows) known += (known.empty() ? "" : ", ") + std::string(r.name);
    return argument_error(Code::TYPE_ARGUMENT_NAME, name, value.show(), known,
                          "is no argument of " + std::string(dialect.name));
  }
  for (const ArgumentRow& r : known_rows) {
    if (r.required && args.find(r.name) == nullptr) {
      return argument_error(Code::TYPE_ARGUMENT_MISSING, r.name, "nothing", "required by " + std::string(dialect.name),
                            "was never set");
    }
  }
  return dialect.interpret(dialect, args, version);
}

}  // namespace ctconv
