// SPDX-License-Identifier: Apache-2.0
// JavaScript values as the library takes them, and back.
//
// In:   Node-API values; a tensor is {data: typed array, dtype, shape, strides or null, offset}
// Out:  ctconv::Tensor, ctconv::Value, strings and numbers; specs and errors as JavaScript objects
// Refuses by std::invalid_argument: what is of another JavaScript type, a view that leaves its array
#pragma once

#include <node_api.h>

#include <cmath>
#include <ctconv/ctconv.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace js {

// A JavaScript exception is already pending, or the engine is going down.
struct Pending {};

inline void ok(napi_status status) {
  if (status != napi_ok) throw Pending();
}

inline napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype out;
  ok(napi_typeof(env, value, &out));
  return out;
}

inline bool absent(napi_env env, napi_value value) {
  const napi_valuetype type = type_of(env, value);
  return type == napi_undefined || type == napi_null;
}

inline napi_value get(napi_env env, napi_value object, const char* name) {
  napi_value out;
  ok(napi_get_named_property(env, object, name, &out));
  return out;
}

inline void set(napi_env env, napi_value object, const char* name, napi_value value) {
  ok(napi_set_named_property(env, object, name, value));
}

inline std::string text(napi_env env, napi_value value) {
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok)
    throw std::invalid_argument("a string is wanted");
  std::string out(length + 1, '\0');
  ok(napi_get_value_string_utf8(env, value, out.data(), out.size(), &length));
  out.resize(length);
  return out;
}

inline napi_value text(napi_env env, const std::string& value) {
  napi_value out;
  ok(napi_create_string_utf8(env, value.data(), value.size(), &out));
  return out;
}

inline napi_value number(napi_env env, double value) {
  napi_value out;
  ok(napi_create_double(env, value, &out));
  return out;
}

// An integer that a double holds exactly.
inline int64_t integer(napi_env env, napi_value value, const char* what) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || std::trunc(number) != number ||
      std::abs(number) > 9007199254740991.0)
    throw std::invalid_argument(std::string(what) + ": an integer is wanted");
  return static_cast<int64_t>(number);
}

inline std::vector<napi_value> items(napi_env env, napi_value array, const char* what) {
  bool is = false;
  ok(napi_is_array(env, array, &is));
  if (!is) throw std::invalid_argument(std::string(what) + ": an array is wanted");
  uint32_t length = 0;
  ok(napi_get_array_length(env, array, &length));
  std::vector<napi_value> out(length);
  for (uint32_t i = 0; i < length; ++i) ok(napi_get_element(env, array, i, &out[i]));
  return out;
}

inline std::vector<int64_t> integers(napi_env env, napi_value array, const char* what) {
  std::vector<int64_t> out;
  for (napi_value item : items(env, array, what)) out.push_back(integer(env, item, what));
  return out;
}

// A tensor object as a borrowed view; bounds are judged here, on the array as it is now.
ctconv::Tensor tensor(napi_env env, napi_value object);
// An argument.
ctconv::Value value(napi_env env, napi_value given, int depth = 0);
// {shape, dtype}, or null for a tensor that there is not.
napi_value spec(napi_env env, const ctconv_spec& spec);
// An Error with code, status, kind, argument, value, range and element.
napi_value error(napi_env env, const ctconv_error& record);
// An Error of this binding's own.
napi_value error(napi_env env, const std::string& message);

}  // namespace js
