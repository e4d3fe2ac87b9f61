// SPDX-License-Identifier: Apache-2.0
// Arguments of unusual kinds: a tensor of each element type as an initialiser, Python's truth of any value as a flag,
// element types by each of their names.
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstring>

#include "src/dialect/dialect.h"
#include "src/dialect/initialise.h"
#include "src/dialect/rules.h"
#include "tests/rig/arguments.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

// The tensor (1, 1, 2): the bits of one element, then zeros.
Value tensor_of(uint8_t code, uint8_t bits, uint16_t lanes, uint64_t element) {
  Value v;
  v.tag = Value::kTensor;
  v.tensor.type = {.code = code, .bits = bits, .lanes = lanes};
  v.tensor.ndim = 3;
  v.tensor.shape = {1, 1, 2};
  const size_t bytes = bits / 8u * lanes;
  v.bytes.resize(2 * bytes);
  std::memcpy(v.bytes.data(), &element, std::min(bytes, sizeof element));
  return v;
}

Args layer(const Value& init) {
  return {{"in_channels", int_value(1)},
          {"out_channels", int_value(1)},
          {"kernel_size", int_value(2)},
          {"weight_attr", init}};
}

uint64_t bits_of(double d) {
  uint64_t u;
  std::memcpy(&u, &d, sizeof u);
  return u;
}

}  // namespace

TEST_CASE("tensor arguments: an initialiser of each numeric element type keeps its values", "[init]") {
  const struct {
    uint8_t code, bits;
    uint64_t element;
    double value;
  } kRows[] = {
      {2, 16, 0x4200, 3},
      {4, 16, 0x4040, 3},
      {2, 32, 0x40400000, 3},
      {2, 64, bits_of(3), 3},
      {0, 8, 0xFD, -3},
      {0, 16, 0xFFFD, -3},
      {0, 32, 0xFFFFFFFD, -3},
      {0, 64, ~uint64_t{2}, -3},
      {1, 8, 0xFD, 253},
      {1, 16, 0xFFFD, 65533},
      {1, 32, 0xFFFFFFFD, 4294967293.0},
      {1, 64, uint64_t{1} << 63, 9223372036854775808.0},
      {6, 8, 1, 1},
  };
  for (const auto& row : kRows) {
    INFO("code " << int{row.code} << ", " << int{row.bits} << " bits");
    auto d = interpreted("paddle.nn.Conv1DTranspose", layer(tensor_of(row.code, row.bits, 1, row.element)));
    REQUIRE(d.ok());
    CHECK(d->weight_init.values == std::vector<double>{row.value, 0});
    CHECK(d->weight_init.shape == std::vector<int64_t>{1, 1, 2});
  }
}

TEST_CASE("tensor arguments: an initialiser of no numbers, or of another shape, is refused by its name", "[init]") {
  for (const auto& [code, bits, lanes] :
       {std::array<int, 3>{5, 64, 1}, {2, 8, 1}, {0, 128, 1}, {2, 32, 2}, {3, 64, 1}}) {
    auto d = interpreted(
        "paddle.nn.Conv1DTranspose",
        layer(tensor_of(static_cast<uint8_t>(code), static_cast<uint8_t>(bits), static_cast<uint16_t>(lanes), 0)));
    REQUIRE_FALSE(d.ok());
    CHECK(d.status().code() == Code::TYPE_WEIGHT_INIT);
    CHECK(d.status().detail().argument == "weight_attr");
  }
  Value other = tensor_of(2, 32, 1, 0);
  other.tensor.shape = {1, 2, 1};
  auto d = interpreted("paddle.nn.Conv1DTranspose", layer(other));
  REQUIRE_FALSE(d.ok());
  CHECK(d.status().code() == Code::VALUE_WEIGHT_INIT);
  // Where the shape follows from x the filling compares it.
  Args keras = {{"filters", int_value(1)}, {"kernel_size", int_value(1)}, {"kernel_initializer", other}};
  auto late = interpreted("keras.layers.Conv2DTranspose", keras);
  REQUIRE(late.ok());
  float data[2];
  TensorView out;
  out.type = element_type(Dtype::kF32);
  out.ndim = 3;
  out.shape = {1, 1, 2};
  out.strides = {2, 2, 1};
  out.data = data;
  CHECK(initialise_weight(*late, 1, out).code() == Code::VALUE_WEIGHT_INIT);
}

TEST_CASE("tensor arguments: torch's bias is true as Python says", "[init]") {
  Value real, text = string_value(""), sequence, other;
  real.tag = Value::kFloat;
  sequence.tag = Value::kTuple;
  other.tag = Value::kOther;
  other.text = "object";
  const auto with = [](Value v, auto change) {
    change(v);
    return v;
  };
  const std::pair<Value, bool> kRows[] = {
      {none_value(), false},
      {bool_value(false), false},
      {bool_value(true), true},
      {int_value(0), false},
      {int_value(-1), true},
      {real, false},
      {with(real, [](Value& v) { v.f = 0.5; }), true},
      {with(real, [](Value& v) { v.f = NAN; }), true},
      {text, false},
      {string_value("False"), true},
      {sequence, false},
      {with(sequence, [](Value& v) { v.tag = Value::kList; }), false},
      {with(sequence, [](Value& v) { v.items.push_back(none_value()); }), true},
      {tensor_of(2, 32, 1, 0), true},
      {other, true},
  };
  for (const auto& [value, is_true] : kRows) {
    INFO(value.show());
    auto d = interpreted("torch.nn.ConvTranspose1d", {{"in_channels", int_value(1)},
                                                      {"out_channels", int_value(1)},
                                                      {"kernel_size", int_value(1)},
                                                      {"bias", value}});
    REQUIRE(d.ok());
    CHECK(d->bias_expected == is_true);
    CHECK(d->bias_allowed == is_true);
  }
}

TEST_CASE("tensor arguments: mindspore's dtype by each of its names", "[init]") {
  const auto type = [](Value value) {
    auto d = interpreted("mindspore.nn.Conv2dTranspose", {{"in_channels", int_value(1)},
                                                          {"out_channels", int_value(1)},
                                                          {"kernel_size", int_value(1)},
                                                          {"dtype", std::move(value)}});
    if (d.ok()) return name_of(d->type);
    CHECK(d.status().code() == Code::TYPE_INPUT_DTYPE);
    CHECK(d.status().detail().argument == "dtype");
    return std::string("refused");
  };
  Value other = string_value("mindspore.float16");
  other.tag = Value::kOther;
  CHECK(type(other) == "float16");
  CHECK(type(string_value("Float32")) == "float32");
  CHECK(type(string_value("mstype.float32")) == "float32");
  CHECK(type(string_value("mindspore.mstype.float16")) == "float16");
  CHECK(type(string_value("mindspore.")) == "refused");
  CHECK(type(string_value("float64")) == "refused");
  CHECK(type(int_value(16)) == "refused");
  CHECK(type(none_value()) == "refused");
}
