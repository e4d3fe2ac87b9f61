// SPDX-License-Identifier: Apache-2.0
// The record as text and back, its ranges and its steps; see machine.h.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "src/base/number.h"
#include "src/machine/machine.h"

namespace ctconv {
namespace {

constexpr int kDigits = 15;  // enough for what people write; a measured speed is one of few values

std::string show(double v) { return show_general(v, kDigits); }
std::string show(int64_t v) { return std::to_string(v); }

// A count may be written as any number that is whole: 1e6.
bool read_field(std::string_view text, double* out) { return read_number(text, out); }
bool read_field(std::string_view text, int64_t* out) {
  constexpr double kMost = 1e15;
  double value = 0;
  if (read_number(text, out)) return true;
  if (!read_number(text, &value) || !(std::abs(value) < kMost) || value != std::floor(value)) return false;
  *out = static_cast<int64_t>(value);
  return true;
}

// Sets the field of that name; an empty answer, or what is wrong.
std::string set_field(Machine* m, std::string_view name, std::string_view value) {
  std::string fault = "no field is called " + std::string(name);
  machine_fields(*m, [&](const char* field, auto& place, auto least, auto most) {
    if (name != field) return;
    std::decay_t<decltype(place)> read{};
    const bool fits = read_field(value, &read) && read >= least && read <= most;
    fault.clear();
    if (fits) {
      place = read;
    } else {
      fault = std::string(name) + " = " + std::string(value) + ", expected a " +
              (std::is_integral_v<decltype(read)> ? "whole " : "") + "number from " +
              show(static_cast<decltype(read)>(least)) + " to " + show(static_cast<decltype(read)>(most));
    }
  });
  return fault;
}

}  // namespace

const char* name_of(Machine::Source source) {
  switch (source) {
    case Machine::Source::kPlain:
      return "plain";
    case Machine::Source::kMeasured:
      return "measured";
    case Machine::Source::kPinned:
      return "pinned";
    case Machine::Source::kTuned:
      return "tuned";
  }
  return "unknown";
}

std::vector<std::pair<std::string, std::string>> facts_of(const Machine& machine) {
  std::vector<std::pair<std::string, std::string>> facts;
  machine_fields(machine,
                 [&facts](const char* name, const auto& value, auto, auto) { facts.emplace_back(name, show(value)); });
  return facts;
}

std::string to_text(const Machine& machine) {
  std::string text;
  for (const auto& [name, value] : facts_of(machine)) text += (text.empty() ? "" : " ") + name + "=" + value;
  return text;
}

bool machine_from_text(std::string_view text, Machine* out, std::string* fault) {
  constexpr std::string_view kBlanks = " \t\n";
  Machine read;
  std::string seen = " ";  // names with blanks round each
  while (true) {
    const size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) break;
    const std::string_view word = text.substr(begin, text.find_first_of(kBlanks, begin) - begin);
    text.remove_prefix(begin + word.size());
    const size_t cut = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, cut);
    const std::string framed = " " + std::string(name) + " ";
    *fault = "no = in " + std::string(word);
    if (cut == word.size()) return false;
    *fault = "two values for " + std::string(name);
    if (seen.find(framed) != std::string::npos) return false;
    seen += framed;
    *fault = set_field(&read, name, word.substr(cut + 1));
    if (!fault->empty()) return false;
  }
  read.source = Machine::Source::kPinned;
  *out = read;
  return true;
}

Machine clamped(Machine machine) {
  machine_fields(machine, [](const char*, auto& value, auto least, auto most) {
    using T = std::decay_t<decltype(value)>;
    if (!(value >= static_cast<T>(least))) value = static_cast<T>(least);  // a NaN too
    if (value > static_cast<T>(most)) value = static_cast<T>(most);
  });
  machine.memory_2 = std::max(machine.memory_1, machine.memory_2);
  machine.memory_4 = std::max(machine.memory_2, machine.memory_4);
  machine.memory_all = std::max(machine.memory_4, machine.memory_all);
  return machine;
}

double in_steps(double measured, double plain) {
  if (!std::isfinite(measured) || measured <= 0) return plain;
  const double exact = plain * std::pow(kStep, std::round(std::log(measured / plain) / std::log(kStep)));
  const double unit = std::pow(10, std::floor(std::log10(exact)) - 2);
  return std::round(exact / unit) * unit;
}

}  // namespace ctconv
