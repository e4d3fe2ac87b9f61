// SPDX-License-Identifier: Apache-2.0
// A call's attributes become an op and what to do with it; see settings.h.
#include "bindings/xla/settings.h"

#include <map>
#include <mutex>
#include <string_view>

namespace ctconv_xla {
namespace {

constexpr size_t kOpsHeld = 256;
constexpr std::string_view kArgument = "arg_";

struct Value {
  int kind = 0;
  const void* value = nullptr;
};

using Values = std::map<std::string, Value, std::less<>>;

std::vector<int64_t> numbers_of(const Value& value) {
  if (value.kind == kScalar) {
    const auto& one = *static_cast<const Scalar*>(value.value);
    if (one.dtype == kS64) return {*static_cast<const int64_t*>(one.value)};
    if (one.dtype == kS32) return {*static_cast<const int32_t*>(one.value)};
    if (one.dtype == kPred) return {*static_cast<const bool*>(one.value)};
  }
  if (value.kind == kArray) {
    const auto& all = *static_cast<const Array*>(value.value);
    const auto* first = static_cast<const int64_t*>(all.data);
    if (all.dtype == kS64) return {first, first + all.size};
  }
  throw Refusal(kInternal, "ctconv: an attribute of the call is of a kind that ctconv.jax does not write");
}

std::string text_of(const Value& value) {
  if (value.kind != kString) throw Refusal(kInternal, "ctconv: an attribute of the call is no text");
  const auto& text = *static_cast<const Text*>(value.value);
  return {text.ptr, text.len};
}

const Value& find(const Values& values, const char* name) {
  const auto at = values.find(name);
  if (at == values.end()) throw Refusal(kInternal, "ctconv: the call has no attribute " + std::string(name));
  return at->second;
}

Values sorted(const Attributes& attributes) {
  Values out;
  for (int64_t i = 0; i < attributes.size; ++i) {
    const Text& name = *attributes.names[i];
    out[{name.ptr, name.len}] = {attributes.types[i], attributes.values[i]};
  }
  return out;
}

void set_argument(ctconv_desc* desc, const std::string& name, const Value& value) {
  if (value.kind == kString) {
    ctconv_desc_set_string(desc, name.c_str(), text_of(value).c_str());
    return;
  }
  const std::vector<int64_t> numbers = numbers_of(value);
  if (value.kind == kArray) {
    ctconv_desc_set_ints(desc, name.c_str(), numbers.data(), numbers.size());
  } else if (static_cast<const Scalar*>(value.value)->dtype == kPred) {
    ctconv_desc_set_bool(desc, name.c_str(), numbers[0] != 0);
  } else {
    ctconv_desc_set_int(desc, name.c_str(), numbers[0]);
  }
}

std::shared_ptr<ctconv_op> make_op(const Values& values) {
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_desc* made = nullptr;
  check(ctconv_desc_create(text_of(find(values, "dialect")).c_str(), &made, &error), error);
  const std::unique_ptr<ctconv_desc, decltype(&ctconv_desc_destroy)> desc(made, &ctconv_desc_destroy);
  for (const auto& [name, value] : values) {
    if (name.starts_with(kArgument)) set_argument(made, name.substr(kArgument.size()), value);
  }
  const std::string engine = text_of(find(values, "engine"));
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.engine = engine.empty() ? nullptr : engine.c_str();
  options.threads = static_cast<int32_t>(numbers_of(find(values, "threads")).at(0));
  options.reproducible = static_cast<int32_t>(numbers_of(find(values, "reproducible")).at(0));
  ctconv_op* op = nullptr;
  check(ctconv_create(made, nullptr, nullptr, &options, &op, &error), error);
  return {op, &ctconv_destroy};
}

// What an op depends on, as bytes.
std::string key_of(const Values& values) {
  std::string key;
  for (const auto& [name, value] : values) {
    if (!name.starts_with(kArgument) && name != "dialect" && name != "engine" && name != "threads" &&
        name != "reproducible") {
      continue;
    }
    key += name + '\0' + static_cast<char>('0' + value.kind);
    if (value.kind == kString) {
      key += text_of(value);
    } else {
      for (const int64_t one : numbers_of(value)) key += std::to_string(one) + ',';
    }
    key += '\0';
  }
  return key;
}

std::shared_ptr<ctconv_op> op_of(const Values& values) {
  static std::mutex mutex;
  static auto* held = new std::map<std::string, std::shared_ptr<ctconv_op>>;  // never destroyed: calls outlive main
  const std::string key = key_of(values);
  const std::lock_guard<std::mutex> lock(mutex);
  const auto at = held->find(key);
  if (at != held->end()) return at->second;
  if (held->size() >= kOpsHeld) held->erase(held->begin());
  return held->emplace(key, make_op(values)).first->second;
}

Run run_of(const std::string& name) {
  if (name == "y") return Run::kY;
  if (name == "dx") return Run::kDx;
  return name == "dw" ? Run::kDw : Run::kDb;
}

}  // namespace

void check(ctconv_status status, const ctconv_error& error) {
  if (status == CTCONV_OK) return;
  const int32_t kind = ctconv_status_kind(status);
  int code = kInternal;
  if (kind >= 1 && kind <= 3) code = kInvalidArgument;
  if (kind == 4) code = kUnimplemented;
  if (kind == 5) code = kResourceExhausted;
  const char* said = error.message[0] != '\0' ? error.message : ctconv_status_text(status);
  throw Refusal(code, "ctconv: " + std::string(ctconv_status_name(status)) + ": " + said);
}

Request read_request(const Attributes& attributes) {
  const Values values = sorted(attributes);
  Request out;
  out.run = run_of(text_of(find(values, "run")));
  out.ranks = numbers_of(find(values, "ranks"));
  out.x_shape = numbers_of(find(values, "x_shape"));
  out.batched = numbers_of(find(values, "batched")).at(0) != 0;
  out.op = op_of(values);
  return out;
}

}  // namespace ctconv_xla
