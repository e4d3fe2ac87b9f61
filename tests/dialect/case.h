// SPDX-License-Identifier: Apache-2.0
// One call of the C API described in JSON, as the golden files and raises_cases.json describe it.
//
//   in:  dialect, args, input_shape, call {output_size, weight_shape, bias_shape, input_dtype, weight_dtype,
//        bias_dtype, device}
//        a JSON array is a tuple, {"$list": […]} a list, {"$tensor": {"shape": […], "dtype": …}} a tensor of zeros,
//        {"$other": "type"} a foreign object
//   out: the status of the first step that failed (create, set, validate, weight_spec, create op, output_spec, execute)
//        or the shapes and y
#pragma once

#include <ctconv/ctconv.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ctconv::test {

using Json = nlohmann::ordered_json;
using Shape = std::vector<int64_t>;

// A ctconv_value and everything it points to.
class JsonValue {
 public:
  explicit JsonValue(const Json& json) { build(json, &value_); }
  const ctconv_value* get() const { return &value_; }

 private:
  void build(const Json& json, ctconv_value* out);
  ctconv_value value_{};
  std::deque<std::string> texts_;
  std::deque<std::vector<ctconv_value>> items_;
  std::deque<std::vector<int64_t>> shapes_;
  std::deque<std::vector<unsigned char>> bytes_;
  std::deque<ctconv_tensor> tensors_;
};

// A dense host tensor of zeros.
struct Dense {
  Dense() = default;
  Dense(Shape s, const std::string& dtype);
  ctconv_tensor record() const;
  int64_t count() const;
  Shape shape;
  uint8_t code = 2, bits = 32;
  std::vector<unsigned char> bytes;
};

struct Case {
  std::string dialect;
  Json args = Json::object();
  Shape input_shape;
  Json call = Json::object();
  std::string engine;       // empty: auto
  bool with_weight = true;  // false: stop after validate
  bool execute = true;      // false: shapes only
  bool weights_in_call = false;
  int32_t device_type = CTCONV_DEVICE_CPU;  // where the tensors of the call are said to lie
  // Fills x, weight, bias by the golden rule instead of zeros.
  bool golden_fill = false;
};

struct Outcome {
  ctconv_status status = 0;
  std::string step;  // where the status came from
  ctconv_error error = CTCONV_ERROR_INIT;
  Shape weight_spec, bias_spec, output_shape;
  Dense y;
};

Outcome run(const Case& c);

std::string name_of(ctconv_status status);

Json read_json(const std::string& file);  // below tests/data

Shape shape(const Json& json);

// A row of raises_cases.json over its dialect's legal call: `set`, `call` and `input_shape` name the parts of the row
// that change it; {"$unset": true} takes an argument away.
Case call_of(const Json& base, const Json& row, const char* set = "set", const char* call = "call",
             const char* input_shape = "input_shape");

}  // namespace ctconv::test
