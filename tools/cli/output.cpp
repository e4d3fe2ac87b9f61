// SPDX-License-Identifier: Apache-2.0
// JSON in one place, so that every command spells the same thing the same way.
#include "tools/cli/output.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tools/cli/print.h"

namespace cli {
namespace {

// The least number of insertions, deletions and replacements of one character that make a into b.
size_t edits(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j - 1] + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

// Facts that are numbers by what they are, whatever their value: the type of a field never changes.
bool is_count(const std::string& key) {
  for (const char* name : {"cores", "flop", "bytes", "threads", "plans", "plan_limit"})
    if (key == name) return true;
  const auto ends = [&](const std::string& end) {
    return key.size() > end.size() && key.compare(key.size() - end.size(), end.size(), end) == 0;
  };
  return ends("_bytes") || ends("_ms");
}

Json json_of_fact(const std::string& key, const std::string& value) {
  if (!is_count(key)) return value;
  const char* end = value.data() + value.size();
  int64_t whole;
  if (auto [at, error] = std::from_chars(value.data(), end, whole); error == std::errc() && at == end) return whole;
  double real;
  auto [at, error] = std::from_chars(value.data(), end, real);
  if (error == std::errc() && at == end && std::isfinite(real)) return real;
  return nullptr;  // not known
}

}  // namespace

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (int32_t i = 0; i < ctconv_engine_count(); ++i) names.emplace_back(ctconv_engine_name(i));
  return names;
}

std::string kind_name(int32_t kind) {
  const char* names[] = {"ok",     "TypeError", "ValueError", "ShapeError", "unsupported",
                         "memory", "device",    "misuse",     "",           "internal"};
  return kind >= 0 && kind <= 9 ? names[kind] : "";
}

std::string message_of(const ctconv::error& e) {
  return e.record().message[0] ? e.record().message : ctconv_status_text(e.status());
}

// Alike: the same letters and digits in the last part, whatever the case, the underscores and the package.
std::string similar_dialects(const std::string& name) {
  const auto core = [](const std::string& s) {
    std::string out;
    const std::string name = s.substr(0, s.find('@'));     // without the version
    for (const char c : name.substr(name.rfind('.') + 1))  // npos + 1 is 0: no package in front
      if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))
        out += c;
      else if (c >= 'A' && c <= 'Z')
        out += static_cast<char>(c - 'A' + 'a');
    return out;
  };
  std::string found;
  for (int32_t i = 0; i < ctconv_dialect_count(); ++i)
    if (core(ctconv_dialect_name(i)) == core(name))
      found += (found.empty() ? "" : ", ") + std::string(ctconv_dialect_name(i));
  return found.empty() ? "" : "dialect \"" + name + "\" is unknown; did you mean " + found + "?";
}

std::string similar_arguments(const std::string& dialect, const std::string& name) {
  size_t least = std::max<size_t>(2, name.size() / 4);
  std::string found;
  for (int32_t k = 0;; ++k) {
    ctconv_argument a = CTCONV_ARGUMENT_INIT;
    if (ctconv_dialect_argument(dialect.c_str(), k, &a) != CTCONV_OK) return found;
    const std::string known = a.name;
    // One character of a word of three may be wrong, not two.
    const size_t distance = edits(name, known);
    if (distance > least || distance * 2 >= std::max(name.size(), known.size())) continue;
    if (distance < least) found.clear();
    least = distance;
    found += (found.empty() ? "'" : ", '") + known + "'";
  }
}

Json json_of(const ctconv::error& e) {
  const ctconv_error& r = e.record();
  Json out = {{"status", e.name()}, {"number", r.status}, {"kind", kind_name(r.kind)}};
  if (r.argument[0]) out["argument"] = r.argument;
  if (r.element >= 0) out["element"] = r.element;
  if (r.value[0]) out["value"] = r.value;
  if (r.range[0]) out["range"] = r.range;
  if (r.native_code) out["native_code"] = r.native_code;
  out["message"] = message_of(e);
  return out;
}

Json json_of(const ctconv_spec& spec) {
  return {{"shape", ctconv::shape_of(spec)}, {"dtype", name_of(ctconv::dtype_of(spec))}};
}

Json json_of(const Facts& facts) {
  Json out = Json::object();
  for (const auto& [key, value] : facts.items()) out[key] = json_of_fact(key, value);
  return out;
}

void print_json(const Json& json) {
  // Replace: a path on the command line need not be UTF-8.
  print_text(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool is_refusal(const ctconv::error& e) {
  return e.kind() == 4 || e.kind() == 6 || e.status() == CTCONV_ERR_MISUSE_ENGINE;
}

std::string reason_of(const ctconv::error& e) {
  if (e.status() == CTCONV_ERR_MISUSE_ENGINE) return "not for this device";
  return e.status() == CTCONV_ERR_UNSUPPORTED_ENGINE ? message_of(e) : std::string(e.name()) + ": " + message_of(e);
}

}  // namespace cli
