// SPDX-License-Identifier: Apache-2.0
// The judgements dialects share, worded once: argument, value, legal range.
#include "src/dialect/rules.h"

#include <algorithm>

namespace ctconv {

Value argument_or(const Arguments& args, std::string_view name, const Value& fallback) {
  const Value* given = args.find(name);
  return given ? *given : fallback;
}

Value int_value(int64_t i) {
  Value v;
  v.tag = Value::kInt;
  v.i = i;
  return v;
}
Value bool_value(bool b) {
  Value v;
  v.tag = Value::kBool;
  v.i = b;
  return v;
}
Value string_value(std::string text) {
  Value v;
  v.tag = Value::kString;
  v.text = std::move(text);
  return v;
}
Value none_value() { return {}; }

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Whole::Whole(const Arguments& args, std::string name, int64_t fallback)
    : name_(std::move(name)), value_(argument_or(args, name_, int_value(fallback))) {}

Status Whole::type(Code code) const {
  if (is_int()) return {};
  return argument_error(code, name_, value_.show(), "an int (a bool is not an int)", "must be an int");
}

Status Whole::at_least(int64_t least, Code code) const {
  if (value_.i >= least) return {};
  return argument_error(code, name_, value_.show(), ">= " + std::to_string(least), "is too small");
}

Status Whole::positive(Code type_code, Code range_code) const {
  CTCONV_RETURN_IF_ERROR(type(type_code));
  return at_least(1, range_code);
}

Axes::Axes(const Arguments& args, std::string name, int64_t fallback, AxesPolicy policy)
    : name_(std::move(name)), value_(argument_or(args, name_, int_value(fallback))), policy_(policy) {}

std::string Axes::accepted() const {
  if (!policy_.tuple) return "an int";
  const std::string sequence = policy_.list ? "a tuple or list of " : "a tuple of ";
  return "an int or " + sequence + std::to_string(policy_.count) + " ints";
}

Status Axes::container() const {
  if (value_.tag == Value::kInt) return {};
  if ((value_.tag == Value::kTuple && policy_.tuple) || (value_.tag == Value::kList && policy_.list)) return {};
  const Code code =
      value_.tag == Value::kBool && policy_.wrong_bool != Code::OK ? policy_.wrong_bool : policy_.wrong_type;
  return argument_error(code, name_, value_.show(), accepted(), "is " + value_.type_name());
}

Status Axes::entries() const {
  for (size_t n = 0; n < value_.items.size(); ++n) {
    if (value_.items[n].tag == Value::kInt) continue;
    return argument_error(policy_.wrong_entry, name_, value_.items[n].show(), "an int (a bool is not an int)",
                          "entry is " + value_.items[n].type_name(), static_cast<int32_t>(n));
  }
  return {};
}

Status Axes::type() const {
  CTCONV_RETURN_IF_ERROR(container());
  return entries();
}

Status Axes::length() const {
  if (!value_.is_sequence()) return {};
  const size_t n = value_.items.size();
  if (n == static_cast<size_t>(policy_.count) || (policy_.one_for_all && n == 1)) return {};
  return argument_error(policy_.wrong_length, name_, value_.show(), accepted(),
                        "has " + std::to_string(n) + " entries");
}

Status Axes::form() const {
  CTCONV_RETURN_IF_ERROR(container());
  CTCONV_RETURN_IF_ERROR(policy_.entries_first ? entries() : length());
  return policy_.entries_first ? length() : entries();
}

Status Axes::judge(int64_t least, Code code) const {
  CTCONV_RETURN_IF_ERROR(form());
  return at_least(least, code);
}

Status Axes::at_least(int64_t least, Code code) const {
  const std::string range = ">= " + std::to_string(least);
  if (value_.tag == Value::kInt && value_.i < least)
    return argument_error(code, name_, value_.show(), range, "is too small");
  for (size_t n = 0; n < value_.items.size(); ++n) {
    if (value_.items[n].i < least) {
      return argument_error(code, name_, value_.show(), range, "entry is too small", static_cast<int32_t>(n));
    }
  }
  return {};
}

std::vector<int64_t> Axes::get() const {
  std::vector<int64_t> out(static_cast<size_t>(policy_.count), value_.i);
  if (value_.is_sequence()) {
    for (size_t n = 0; n < out.size(); ++n) out[n] = value_.items[value_.items.size() == 1 ? 0 : n].i;
  }
  return out;
}

bool Axes::any_nonzero() const {
  if (value_.tag == Value::kInt) return value_.i != 0;
  return std::any_of(value_.items.begin(), value_.items.end(), [](const Value& v) { return v.i != 0; });
}

Status divisible(const Whole& channels, const Whole& groups, Code code) {
  const int64_t g = groups.get();
  if (g == -1 || (g != 0 && channels.get() % g == 0)) return {};  // -1 apart: the least int64 % -1 would trap
  return argument_error(code, channels.name(), channels.value().show(),
                        "a multiple of " + groups.name() + " = " + groups.value().show(),
                        "is not divisible by " + groups.name());
}

bool truthy(const Value& v) {
  switch (v.tag) {
    case Value::kNone:
      return false;
    case Value::kBool:
    case Value::kInt:
      return v.i != 0;
    case Value::kFloat:
      return v.f != 0;
    case Value::kString:
      return !v.text.empty();
    case Value::kTuple:
    case Value::kList:
      return !v.items.empty();
    default:
      return true;
  }
}

Status read_flag(const std::string& name, const Value& value, Code code, bool* out) {
  if (value.tag != Value::kBool) return argument_error(code, name, value.show(), "a bool", "is " + value.type_name());
  *out = value.i != 0;
  return {};
}

std::vector<int64_t> max_of(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<int64_t> out(a.size());
  for (size_t n = 0; n < a.size(); ++n) out[n] = std::max(a[n], b[n]);
  return out;
}

Status output_padding_below(const Axes& output_padding, const std::vector<int64_t>& limit, const char* limit_name,
                            Code code) {
  const std::vector<int64_t> values = output_padding.get();
  for (size_t n = 0; n < values.size(); ++n) {
    if (values[n] < limit[n]) continue;
    return argument_error(code, output_padding.name(), output_padding.value().show(),
                          "0 <= output_padding < " + std::string(limit_name) + " = " + std::to_string(limit[n]),
                          "entry reaches its limit", static_cast<int32_t>(n));
  }
  return {};
}

namespace {

bool same_name(const std::string& given, const char* known, bool ignore_case) {
  if (!ignore_case) return given == known;
  return lower_case(given) == lower_case(known);
}

}  // namespace

Status one_of(const std::string& name, const Value& value, std::initializer_list<const char*> known, bool ignore_case,
              Code code, Code type_code, int* index) {
  std::string list;
  int n = 0;
  const bool is_text = value.tag == Value::kString;
  for (const char* k : known) {
    if (is_text && same_name(value.text, k, ignore_case)) {
      *index = n;
      return {};
    }
    list += (n++ ? ", \"" : "\"") + std::string(k) + "\"";
  }
  return argument_error(is_text ? code : type_code, name, value.show(), "one of " + list, "is not a known name");
}

}  // namespace ctconv
