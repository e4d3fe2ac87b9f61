// SPDX-License-Identifier: Apache-2.0
// js.h, the longer parts: tensors with their bounds, arguments, errors.
#include "bindings/node/src/js.h"

namespace js {
namespace {

struct Named {
  const char* name;
  ctconv::Dtype type;
  napi_typedarray_type array;
};
constexpr Named kTypes[] = {{"float32", ctconv::kFloat32, napi_float32_array},
                            {"float64", ctconv::kFloat64, napi_float64_array},
                            {"float16", ctconv::kFloat16, napi_uint16_array},
                            {"bfloat16", ctconv::kBfloat16, napi_uint16_array}};

// Whether a view of these strides from element `first` stays inside `length` elements.
bool inside(std::size_t length, int64_t first, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  for (const int64_t extent : shape)
    if (extent == 0) return true;
  if (first < 0 || static_cast<uint64_t>(first) >= length) return false;
  uint64_t below = static_cast<uint64_t>(first), above = length - 1 - below;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    uint64_t& room = strides[i] < 0 ? below : above;
    const uint64_t stride = static_cast<uint64_t>(strides[i] < 0 ? -strides[i] : strides[i]);
    const uint64_t steps = static_cast<uint64_t>(shape[i]) - 1;
    if (stride != 0 && steps > room / stride) return false;
    room -= steps * stride;
  }
  return true;
}

// Row-major strides; 0 where the product does not fit (such a view is inside nothing).
std::vector<int64_t> dense(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    if (shape[i] > 0 && __builtin_mul_overflow(step, shape[i], &step)) throw std::invalid_argument("shape: too large");
  }
  return strides;
}

}  // namespace

ctconv::Tensor tensor(napi_env env, napi_value object) {
  napi_typedarray_type kind;
  std::size_t length = 0;
  void* data = nullptr;
  bool is = false;
  if (type_of(env, object) != napi_object) throw std::invalid_argument("a Tensor is wanted");
  const napi_value array = get(env, object, "data");
  ok(napi_is_typedarray(env, array, &is));
  if (!is) throw std::invalid_argument("a Tensor is wanted");
  ok(napi_get_typedarray_info(env, array, &kind, &length, &data, nullptr, nullptr));
  const std::string name = text(env, get(env, object, "dtype"));
  const std::vector<int64_t> shape = integers(env, get(env, object, "shape"), "shape");
  const napi_value given = get(env, object, "strides");
  const int64_t first = integer(env, get(env, object, "offset"), "offset");
  for (const Named& known : kTypes) {
    if (name != known.name || kind != known.array) continue;
    for (const int64_t extent : shape)
      if (extent < 0) throw std::invalid_argument("shape: no extent may be below 0");
    const std::vector<int64_t> strides = absent(env, given) ? dense(shape) : integers(env, given, "strides");
    if (strides.size() != shape.size()) throw std::invalid_argument("strides: one for each axis is wanted");
    if (!inside(length, first, shape, strides))
      throw std::invalid_argument("a Tensor must stay inside the " + std::to_string(length) + " elements of its array");
    char* place = static_cast<char*>(data);
    if (place && first > 0 && static_cast<uint64_t>(first) < length)
      place += static_cast<std::size_t>(first) * known.type.bytes();
    return {place, known.type, shape, strides};
  }
  throw std::invalid_argument("dtype '" + name + "': float32 goes with a Float32Array, float64 with a Float64Array, " +
                              "float16 and bfloat16 with a Uint16Array");
}

ctconv::Value value(napi_env env, napi_value given, int depth) {
  bool flag = false;
  double number = 0;
  switch (type_of(env, given)) {
    case napi_undefined:
    case napi_null:
      return {};
    case napi_boolean:
      ok(napi_get_value_bool(env, given, &flag));
      return flag;
    case napi_string:
      return text(env, given);
    case napi_number:
      ok(napi_get_value_double(env, given, &number));
      // JavaScript knows one sort of number: a whole one is an int. float(2) says otherwise.
      if (std::trunc(number) == number && std::abs(number) < 9.2e18) return static_cast<int64_t>(number);
      return number;
    case napi_bigint: {
      int64_t integer = 0;
      bool lossless = false;
      ok(napi_get_value_bigint_int64(env, given, &integer, &lossless));
      return lossless ? integer : INT64_MAX;
    }
    case napi_object:
      break;
    default:
      return ctconv::Value::other("function");
  }
  bool array = false;
  ok(napi_is_array(env, given, &array));
  if (!array) {
    if (!absent(env, get(env, given, "float"))) {
      ok(napi_get_value_double(env, get(env, given, "float"), &number));
      return number;
    }
    const napi_value list = get(env, given, "list");
    if (absent(env, list))
      return absent(env, get(env, given, "dtype")) ? ctconv::Value::other("object") : ctconv::Value(tensor(env, given));
    given = list;
  }
  std::vector<ctconv::Value> inner;
  if (depth < 10)  // what is nested deeper than 8 is refused by the library
    for (napi_value item : items(env, given, "list")) inner.push_back(value(env, item, depth + 1));
  return array ? ctconv::tuple(std::move(inner)) : ctconv::list(std::move(inner));
}

napi_value spec(napi_env env, const ctconv_spec& spec) {
  napi_value out, shape;
  if (spec.ndim == 0) {
    ok(napi_get_null(env, &out));
    return out;
  }
  ok(napi_create_object(env, &out));
  ok(napi_create_array_with_length(env, static_cast<std::size_t>(spec.ndim), &shape));
  for (int32_t i = 0; i < spec.ndim; ++i)
    ok(napi_set_element(env, shape, static_cast<uint32_t>(i), number(env, static_cast<double>(spec.shape[i]))));
  set(env, out, "shape", shape);
  for (const Named& known : kTypes)
    if (known.type == ctconv::dtype_of(spec)) set(env, out, "dtype", text(env, known.name));
  return out;
}

napi_value error(napi_env env, const ctconv_error& record) {
  static const char* const kKinds[] = {"", "type", "value", "shape", "unsupported", "memory", "device", "misuse"};
  const std::string code = ctconv_status_name(record.status);
  const std::string said = record.message[0] ? record.message : ctconv_status_text(record.status);
  napi_value out;
  ok(napi_create_error(env, text(env, code), text(env, code + ": " + said), &out));
  set(env, out, "name", text(env, "CtconvError"));
  set(env, out, "status", number(env, record.status));
  set(env, out, "kind", text(env, record.kind >= 1 && record.kind <= 7 ? kKinds[record.kind] : "internal"));
  set(env, out, "argument", text(env, record.argument));
  set(env, out, "value", text(env, record.value));
  set(env, out, "range", text(env, record.range));
  set(env, out, "element", number(env, record.element));
  return out;
}

napi_value error(napi_env env, const std::string& message) {
  napi_value out;
  ok(napi_create_type_error(env, nullptr, text(env, "ctconv: " + message), &out));
  return out;
}

}  // namespace js
