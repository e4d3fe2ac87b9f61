// SPDX-License-Identifier: Apache-2.0
// Rare forms of arguments, in the dialects that take or refuse them in a way of their own; initialisers at the edges of
// what they fill.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "src/base/tensor.h"
#include "src/dialect/dialect.h"
#include "src/dialect/initialise.h"
#include "src/dialect/rules.h"
#include "tests/rig/arguments.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

const Args kLayer = {{"in_channels", int_value(2)}, {"out_channels", int_value(4)}, {"kernel_size", int_value(3)}};

// "" where the dialect takes the layer and `more`, else the status and the argument.
std::string told(const char* dialect, const Args& more, const Args& layer = kLayer, Descriptor* out = nullptr) {
  auto d = interpreted(dialect, layer, more);
  if (!d.ok()) {
    return std::string(status_name(static_cast<int32_t>(d.status().code()))).substr(11) + " " +
           d.status().detail().argument;
  }
  if (out != nullptr) *out = *d;
  return "";
}

}  // namespace

TEST_CASE("edges: paddle's padding in each of its forms", "[edges]") {
  const auto padding = [](Value v) { return told("paddle.nn.Conv2DTranspose", {{"padding", std::move(v)}}); };
  const Value zeros = ints({0, 0}), ones = ints({1, 1});
  CHECK(padding(sequence({zeros, zeros, ones, ints({1, 2})})) == "");
  CHECK(padding(sequence({zeros, zeros, ones, ints({1})})) == "VALUE_PADDING_LENGTH padding");
  CHECK(padding(sequence({zeros, zeros, ones, int_value(1)})) == "VALUE_PADDING_LENGTH padding");
  CHECK(padding(sequence({zeros, zeros, ones, sequence({int_value(1), real(1)})})) == "VALUE_PADDING_LENGTH padding");
  CHECK(padding(sequence({ones, zeros, ones, ones})) == "VALUE_PADDING_BATCH_CHANNEL padding");
  CHECK(padding(sequence({zeros, ints({0, 1}), ones, ones})) == "VALUE_PADDING_BATCH_CHANNEL padding");
  CHECK(padding(ints({1, 2, 3, 4})) == "");
  CHECK(padding(sequence({int_value(1), int_value(1), int_value(1), real(1)})) == "VALUE_PADDING_LENGTH padding");
  CHECK(padding(ints({1, 2})) == "");
  CHECK(padding(sequence({int_value(1), bool_value(true)})) == "VALUE_PADDING_LENGTH padding");
  CHECK(padding(ints({1, 2, 3})) == "VALUE_PADDING_LENGTH padding");
  CHECK(padding(ints({1, -2, 3, 4})) == "VALUE_PADDING_NEGATIVE padding");  // an end alone
  CHECK(padding(ints({-1, 2, 3, 4})) == "VALUE_PADDING_NEGATIVE padding");
  CHECK(padding(real(1)) == "VALUE_PADDING padding");
  CHECK(padding(bool_value(true)) == "TYPE_PADDING padding");
}

TEST_CASE("edges: paddle's attributes: names, bools, numbers", "[edges]") {
  const auto with = [](const char* name, Value v, Descriptor* d = nullptr) {
    return told("paddle.nn.Conv2DTranspose", {{name, std::move(v)}}, kLayer, d);
  };
  CHECK(with("weight_attr", bool_value(true)) == "");
  CHECK(with("weight_attr", bool_value(false)) == "TYPE_WEIGHT_INIT weight_attr");
  CHECK(with("weight_attr", string_value("w")) == "");
  CHECK(with("weight_attr", int_value(1)) == "TYPE_WEIGHT_INIT weight_attr");
  Descriptor d;
  CHECK(with("bias_attr", bool_value(false), &d) == "");
  CHECK_FALSE(d.bias_allowed);
  CHECK(with("bias_attr", bool_value(true), &d) == "");
  CHECK(d.bias_expected);
  CHECK(with("bias_attr", string_value("b")) == "");
  CHECK(with("bias_attr", real(1)) == "TYPE_BIAS bias_attr");
}

TEST_CASE("edges: paddle's functional takes output_size or output_padding, not both", "[edges]") {
  const auto both = [](Value size, Value extra) {
    return told("paddle.nn.functional.conv1d_transpose",
                {{"output_size", std::move(size)}, {"output_padding", std::move(extra)}, {"stride", int_value(2)}}, {});
  };
  CHECK(both(none_value(), int_value(1)) == "");
  CHECK(both(int_value(9), int_value(0)) == "");
  CHECK(both(int_value(9), int_value(1)) == "VALUE_OUTPUT_SIZE_AND_OUTPUT_PADDING output_padding");
  CHECK(both(int_value(9), ints({0})) == "VALUE_OUTPUT_SIZE_AND_OUTPUT_PADDING output_padding");
  CHECK(both(bool_value(true), int_value(0)) == "TYPE_OUTPUT_SIZE output_size");
}

TEST_CASE("edges: mindspore's pads beside a pad_mode that takes none", "[edges]") {
  const auto pad = [](Value v) {
    return told("mindspore.nn.Conv3dTranspose", {{"padding", std::move(v)}, {"pad_mode", string_value("same")}});
  };
  const Value zero = int_value(0);
  CHECK(pad(sequence({zero, zero, zero, zero, zero, zero})) == "");
  CHECK(pad(sequence({zero, zero, zero, zero, zero, int_value(1)})) == "VALUE_PADDING_CONFLICT padding");
  // A float or a bool of zero is no conflict, but no int either.
  CHECK(pad(sequence({zero, zero, zero, zero, zero, real(0)})) == "TYPE_PADDING padding");
  CHECK(pad(sequence({zero, zero, zero, zero, zero, bool_value(false)})) == "TYPE_PADDING padding");
  CHECK(pad(sequence({zero, zero, zero, zero, zero, none_value()})) == "TYPE_PADDING padding");
  const auto ops = [&](Value entry) {
    return told("mindspore.ops.Conv3DTranspose", {{"pad", sequence({zero, zero, zero, zero, zero, std::move(entry)})}},
                {{"in_channel", int_value(2)}, {"out_channel", int_value(4)}, {"kernel_size", int_value(3)}});
  };
  CHECK(ops(real(0)) == "TYPE_PADDING pad");
  CHECK(ops(bool_value(false)) == "TYPE_PADDING pad");
  CHECK(ops(real(0.5)) == "VALUE_PADDING_CONFLICT pad");
  CHECK(ops(bool_value(true)) == "VALUE_PADDING_CONFLICT pad");
  CHECK(ops(none_value()) == "VALUE_PADDING_CONFLICT pad");
}

TEST_CASE("edges: mindspore's groups of 0 and below", "[edges]") {
  for (const auto& [groups, want] : {std::pair<int64_t, const char*>{0, "VALUE_GROUPS group"},
                                     {-1, "VALUE_GROUPS group"},
                                     {2, ""},
                                     {3, "VALUE_IN_CHANNELS_GROUPS in_channels"}}) {
    CHECK(told("mindspore.nn.Conv3dTranspose", {{"group", int_value(groups)}}) == want);
  }
  CHECK(told("mindspore.nn.Conv3dTranspose", {{"group", real(1)}}) == "TYPE_GROUPS group");
  const Whole channels("in", int_value(4));
  CHECK(divisible(channels, {"groups", int_value(2)}, Code::VALUE_GROUPS).ok());
  CHECK(divisible(channels, {"groups", int_value(0)}, Code::VALUE_GROUPS).code() == Code::VALUE_GROUPS);
  CHECK(divisible({"in", int_value(INT64_MIN)}, {"groups", int_value(-1)}, Code::VALUE_GROUPS).ok());
}

TEST_CASE("edges: onnx's attributes that are None are absent", "[edges]") {
  Descriptor d;
  CHECK(told("onnx.ConvTranspose", {{"strides", none_value()}}, {}, &d) == "");
  CHECK(d.stride.empty());
  CHECK(told("onnx.ConvTranspose", {{"strides", int_value(2)}}, {}) == "TYPE_STRIDE strides");
}

TEST_CASE("edges: activations and names that are no text", "[edges]") {
  const Args keras = {{"filters", int_value(4)}, {"kernel_size", int_value(3)}};
  const char* dialect = "keras.layers.Conv2DTranspose";
  for (const char* name : {"activation", "padding", "data_format", "kernel_initializer"}) {
    INFO(name);
    CHECK(told(dialect, {{name, int_value(1)}}, keras) != "");
    CHECK(told(dialect, {{name, string_value("nobody")}}, keras) != "");
  }
  CHECK(told(dialect, {{"activation", string_value("relu6")}}, keras) == "");
  CHECK(told(dialect, {{"padding", string_value("SAME")}, {"data_format", string_value("Channels_First")}}, keras) ==
        "");
  CHECK(told(dialect, {{"kernel_initializer", string_value("He_Normal")}}, keras) == "");
  CHECK(told(dialect, {{"kernel_initializer", none_value()}}, keras) == "");
  CHECK(told("torch.nn.ConvTranspose2d", {{"padding_mode", string_value("ZEROS")}}) ==
        "VALUE_PADDING_MODE padding_mode");
  std::string_view version;
  CHECK(find_dialect("nobody", &version) == nullptr);
  CHECK(find_dialect("torch.nn.ConvTranspose1d@2.0", &version) == nullptr);
  CHECK(find_dialect("mindspore.nn.Conv1dTranspose@2.1", &version) == nullptr);
  CHECK(find_dialect("mindspore.nn.Conv1dTranspose@2.0", &version) != nullptr);
}

TEST_CASE("edges: initialisers of vectors, of single values and of fans nobody names", "[edges]") {
  std::vector<double> data(6);
  const auto view = [&](std::vector<int64_t> shape) {
    TensorView t;
    t.type = element_type(Dtype::kF64);
    t.ndim = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), t.shape.begin());
    lie_dense(&t, data.data());
    return t;
  };
  Descriptor d;
  const Args keras = {{"filters", int_value(6)}, {"kernel_size", int_value(3)}};
  REQUIRE(told("keras.layers.Conv2DTranspose", {{"bias_initializer", string_value("glorot_uniform")}}, keras, &d) ==
          "");
  const int64_t weight[] = {3, 3, 6, 2};
  REQUIRE(initialise_bias(d, 1, weight, view({6})).ok());
  const double bound = std::sqrt(6.0 / 12);  // the vector's length counts both ways
  for (double v : data) CHECK(std::fabs(v) <= bound);
  REQUIRE(told("mindspore.nn.Conv2dTranspose", {}, kLayer, &d) == "");
  d.bias_init.kind = Initialiser::kDirac;
  CHECK(initialise_bias(d, 1, weight, view({6})).code() == Code::UNSUPPORTED_INIT);
  d.weight_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanOut, .scale = 1};
  REQUIRE(initialise_weight(d, 1, view({1, 6, 1, 1})).ok());
  for (double v : data) CHECK(std::fabs(v) <= 1);
  d.weight_init = {.kind = Initialiser::kTruncatedNormal, .a = -5, .b = 0.01, .lo = -2, .hi = 2};
  REQUIRE(initialise_weight(d, 1, view({1, 6, 1, 1})).ok());
  CHECK(data[0] == -2);
  d.weight_init = {.kind = Initialiser::kOrthogonal};
  data[0] = 7;
  CHECK(initialise_weight(d, 1, view({0, 3})).ok());
  CHECK(data[0] == 7);
  REQUIRE(initialise_weight(d, 1, view({1, 6})).ok());
  double norm = 0;
  for (double v : data) norm += v * v;
  CHECK(std::fabs(norm - 1) < 1e-12);
}

TEST_CASE("edges: channels that are no ints are told so, whatever the groups", "[edges]") {
  for (const auto& [dialect, groups] : {std::pair{"mindspore.nn.Conv3dTranspose", "group"},
                                        {"mindspore.nn.Conv2dTranspose", "group"},
                                        {"torch.nn.ConvTranspose2d", "groups"},
                                        {"megengine.module.ConvTranspose2d", "groups"},
                                        {"paddle.nn.Conv2DTranspose", "groups"}}) {
    INFO(dialect);
    const std::pair<std::string, Value> two = {groups, int_value(2)};
    CHECK(told(dialect, {{"in_channels", bool_value(true)}, two}) == "TYPE_IN_CHANNELS in_channels");
    CHECK(told(dialect, {{"out_channels", bool_value(true)}, two}) == "TYPE_OUT_CHANNELS out_channels");
    CHECK(told(dialect, {{groups, bool_value(true)}}) == std::string("TYPE_GROUPS ") + groups);
  }
}

TEST_CASE("edges: a tensor that initialises the weight of groups has their shape", "[edges]") {
  const auto with = [](std::vector<int64_t> shape) {
    Value v;
    v.tag = Value::kTensor;
    v.tensor.ndim = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), v.tensor.shape.begin());
    v.bytes.resize(4 * static_cast<size_t>(count_of(v.tensor)));
    return told("paddle.nn.Conv2DTranspose", {{"groups", int_value(2)}, {"weight_attr", v}});
  };
  CHECK(with({2, 2, 3, 3}) == "");
  CHECK(with({2, 4, 3, 3}) == "VALUE_WEIGHT_INIT weight_attr");
  CHECK(with({2, 8, 3, 3}) == "VALUE_WEIGHT_INIT weight_attr");
}

TEST_CASE("edges: initialisers of element types that are no floats, and of nothing", "[edges]") {
  int8_t data[4] = {7, 7, 7, 7};
  TensorView t;
  t.type = element_type(Dtype::kI8);
  t.ndim = 1;
  t.shape[0] = 4;
  lie_dense(&t, data);
  Descriptor d;
  REQUIRE(told("mindspore.nn.Conv2dTranspose", {}, kLayer, &d) == "");
  const auto refused = [&](ElementType type, const char* name) {
    t.type = type;
    const Status status = initialise_bias(d, 1, {}, t);
    CHECK(status.code() == Code::TYPE_INPUT_DTYPE);
    CHECK(status.detail().message == std::string("parameters are float16, bfloat16, float32 or float64, not ") + name);
    CHECK(std::count(data, data + 4, 7) == 4);
  };
  refused(element_type(Dtype::kI8), "int8");
  refused({.code = 2, .bits = 8, .lanes = 1}, name_of({.code = 2, .bits = 8, .lanes = 1}).c_str());
  // A scalar has no rows to be orthonormal.
  d.weight_init = {.kind = Initialiser::kOrthogonal};
  double one = 7;
  TensorView scalar;
  scalar.type = element_type(Dtype::kF64);
  scalar.data = &one;
  scalar.shape[0] = 0;
  scalar.ndim = 1;
  CHECK(initialise_weight(d, 1, scalar).ok());
  CHECK(one == 7);
  // A bias whose weight has no known shape has fans of 1.
  std::vector<double> bias(64);
  TensorView vector;
  vector.type = element_type(Dtype::kF64);
  vector.ndim = 1;
  vector.shape[0] = 64;
  lie_dense(&vector, bias.data());
  d.bias_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanIn, .scale = 1};
  REQUIRE(initialise_bias(d, 1, {}, vector).ok());
  for (double v : bias) CHECK(std::fabs(v) <= 1);
  CHECK(*std::max_element(bias.begin(), bias.end()) > 0.9);
}

TEST_CASE("edges: kernels whose reach does not fit are left to the call", "[edges]") {
  const Value far = int_value(int64_t{1} << 62);
  Descriptor d;
  CHECK(told("keras.layers.Conv2DTranspose", {{"dilation_rate", far}},
             {{"filters", int_value(4)}, {"kernel_size", int_value(3)}}, &d) == "");
  CHECK((d.pad_begin == std::vector<int64_t>{0, 0} && d.dilation[0] == int64_t{1} << 62));
  CHECK(told("mindspore.nn.Conv2dTranspose", {{"dilation", far}}, kLayer, &d) == "");
  CHECK(d.pad_begin == std::vector<int64_t>{0, 0});
}

TEST_CASE("edges: mindspore's names of an element type", "[edges]") {
  const auto type = [](Value v) { return told("mindspore.nn.Conv2dTranspose", {{"dtype", std::move(v)}}); };
  Value other;
  other.tag = Value::kOther;
  other.text = "mindspore.float16";
  CHECK(type(other) == "");
  CHECK(type(string_value("mstype.Float32")) == "");
  CHECK(type(string_value("mindspore.mstype.float32")) == "");
  CHECK(type(string_value("float64")) == "TYPE_INPUT_DTYPE dtype");
  CHECK(type(int_value(32)) == "TYPE_INPUT_DTYPE dtype");
}

TEST_CASE("edges: mindspore's initialisers by default, of either version", "[edges]") {
  Descriptor now, old;
  const Args biased = {{"has_bias", bool_value(true)}};
  CHECK(told("mindspore.nn.Conv2dTranspose", biased, kLayer, &now) == "");
  CHECK(told("mindspore.nn.Conv2dTranspose@2.0", biased, kLayer, &old) == "");
  CHECK((now.weight_init.kind == Initialiser::kUniform && now.weight_init.fan == Initialiser::kFanIn));
  CHECK((now.bias_init.kind == Initialiser::kUniform && now.bias_init.fan == Initialiser::kFanIn));
  CHECK((old.weight_init.kind == Initialiser::kNormal && old.weight_init.b == 0.01));
  CHECK((old.bias_init.kind == Initialiser::kConstant && old.bias_init.a == 0));
}

TEST_CASE("edges: mindspore's layouts of 3-D are read letter by letter", "[edges]") {
  CHECK(told("mindspore.nn.Conv3dTranspose", {{"data_format", string_value("NCDHW")}}) == "");
  CHECK(told("mindspore.nn.Conv3dTranspose", {{"data_format", string_value("ncdhw")}}) ==
        "VALUE_DATA_FORMAT data_format");
  const Args layer = {{"in_channel", int_value(2)}, {"out_channel", int_value(4)}, {"kernel_size", int_value(3)}};
  CHECK(told("mindspore.ops.Conv3DTranspose", {{"data_format", string_value("NCDHW")}}, layer) == "");
  CHECK(told("mindspore.ops.Conv3DTranspose", {{"data_format", string_value("ncdhw")}}, layer) ==
        "VALUE_DATA_FORMAT data_format");
}

TEST_CASE("edges: paddle's layouts are read letter by letter", "[edges]") {
  CHECK(told("paddle.nn.Conv2DTranspose", {{"data_format", string_value("NHWC")}}) == "");
  CHECK(told("paddle.nn.Conv2DTranspose", {{"data_format", string_value("nhwc")}}) == "VALUE_DATA_FORMAT data_format");
}

// The fault of paddle's padding: its entry, and words of its message.
void padding_fault(std::vector<Value> pads, Code code, int32_t element, const char* words) {
  const auto d = interpreted("paddle.nn.Conv2DTranspose", kLayer, {{"padding", sequence(std::move(pads))}});
  REQUIRE(!d.ok());
  INFO(d.status().detail().message);
  CHECK(d.status().code() == code);
  CHECK(d.status().detail().element == element);
  CHECK(d.status().detail().message.find(words) != std::string::npos);
}

TEST_CASE("edges: each pair of paddle's padding is looked at", "[edges]") {
  const Value none = ints({0, 0}), one = ints({1, 1});
  const Code length = Code::VALUE_PADDING_LENGTH, outside = Code::VALUE_PADDING_BATCH_CHANNEL;
  padding_fault({ints({0, 0, 0}), none, one, one}, length, 0, "no pair of ints");
  padding_fault({none, none, one, int_value(1)}, length, 3, "no pair of ints");
  padding_fault({int_value(0), none, one, one}, length, -1, "a form padding does not take");
  padding_fault({one, none, one, one}, outside, 0, "pads the batch axis");
  padding_fault({none, one, one, one}, outside, 1, "pads the channel axis");
}

TEST_CASE("edges: a bias of no number's type", "[edges]") {
  Value v;
  v.tag = Value::kTensor;
  v.tensor.ndim = 1;
  v.tensor.shape[0] = 4;
  v.bytes.resize(32);
  CHECK(told("paddle.nn.Conv2DTranspose", {{"bias_attr", v}}) == "");
  v.tensor.type = {.code = 2, .bits = 32, .lanes = 2};
  CHECK(told("paddle.nn.Conv2DTranspose", {{"bias_attr", v}}) == "TYPE_BIAS bias_attr");
  const Args keras = {{"filters", int_value(4)}, {"kernel_size", int_value(3)}};
  CHECK(told("keras.layers.Conv2DTranspose", {{"bias_initializer", v}}, keras) == "VALUE_BIAS_INIT bias_initializer");
}
