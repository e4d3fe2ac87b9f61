// SPDX-License-Identifier: Apache-2.0
// Judgements at their edges: counts of bytes beside 2^63, sizes beside the last one that can be reached, tensors of a
// rank that no layer has, and which of two faults comes first. A row is a layer, its tensors and what is answered.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "src/base/show.h"
#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"
#include "src/problem/judge.h"
#include "tests/rig/arguments.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

using Shape = std::vector<int64_t>;

constexpr int64_t kHuge = int64_t{1} << 62;

Descriptor layer(const char* dialect, const Args& args) {
  auto d = interpreted(dialect, args);
  REQUIRE(d.ok());
  return std::move(d.value());
}

std::string told(const Status& status) {
  if (status.ok()) return "OK";
  const Status::Detail& d = status.detail();
  const std::string element = d.element < 0 ? "" : "[" + std::to_string(d.element) + "]";
  const std::string name = std::string(status_name(static_cast<int32_t>(d.code))).substr(11);
  return name + " " + d.argument + element + ": " + d.range;
}

// The shape of y, or the refusal.
std::string told(const Descriptor& desc, const CallTensors& tensors) {
  const auto g = judge_call(desc, tensors);
  if (!g.ok()) return told(g.status());
  const TensorSpec y = output_spec(desc, *g);
  return show_shape(Shape(y.dims().begin(), y.dims().end()));
}

std::string called(const char* dialect, const Args& args, const Shape& x, const Shape& w,
                   const Value& size = none_value()) {
  const Descriptor desc = layer(dialect, args);
  const TensorView input = tensor(x), weight = tensor(w);
  const RequestedSize asked = read_output_size(desc, size, input.ndim);
  return told(desc, {.x = &input, .w = &weight, .size = &asked});
}

Args torch(int64_t in, int64_t out, int64_t kernel, const Args& more = {}) {
  Args args = {{"in_channels", int_value(in)}, {"out_channels", int_value(out)}, {"kernel_size", int_value(kernel)}};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

const char* const kTorch = "torch.nn.ConvTranspose1d";
const char* const kOnnx = "onnx.ConvTranspose";
const char* const kStatic = "paddle.static.nn.conv2d_transpose";

}  // namespace

TEST_CASE("judged edges: bytes of x, y and the weight fit 63 bits, or are refused", "[edges]") {
  const std::string over = "SHAPE_OUTPUT_OVERFLOW input[0]: every extent, element count and byte count below 2^63";
  const auto p = [](int bits) { return int64_t{1} << bits; };
  const auto fits = [&](int64_t in, int64_t out, const Shape& x) {
    const std::string answer = called(kTorch, torch(in, out, 1), x, {in, out, 1});
    INFO(answer);
    CHECK((answer == over || answer.front() == '('));
    return answer != over;
  };
  // x: batch * channels * extent * 4.
  CHECK(fits(1, 1, {1, 1, p(60)}));
  CHECK(fits(1, 1, {1, 1, p(61) - 1}));
  CHECK_FALSE(fits(1, 1, {1, 1, p(61)}));
  CHECK_FALSE(fits(1, 1, {2, 1, p(60)}));
  CHECK(fits(1, 1, {0, 1, p(60)}));
  CHECK(fits(1, 1, {0, 1, p(61) - 1}));
  CHECK_FALSE(fits(1, 1, {0, 1, p(61)}));
  CHECK_FALSE(fits(4, 1, {4, 4, p(57)}));
  CHECK(fits(4, 1, {4, 4, p(57) - 1}));
  CHECK_FALSE(fits(8, 1, {1, 8, p(58)}));
  CHECK(fits(8, 1, {1, 8, p(58) - 1}));
  // y: batch * channels * extent * 4; the batch of an input without one is 1.
  CHECK_FALSE(fits(1, 8, {1, 1, p(58)}));
  CHECK(fits(1, 8, {1, 1, p(58) - 1}));
  CHECK_FALSE(fits(1, 4, {4, 1, p(57)}));
  CHECK(fits(1, 4, {4, 1, p(57) - 1}));
  CHECK(fits(1, 4, {1, p(59) - 1}));
  CHECK_FALSE(fits(1, 4, {1, p(59)}));
  CHECK(fits(16, 1, {16, p(56)}));
  CHECK(fits(16, 16, {16, p(56)}));
  CHECK_FALSE(fits(16, 16, {16, p(57)}));
}

TEST_CASE("judged edges: bytes of the weight fit 63 bits, or are refused", "[edges]") {
  const std::string over = "SHAPE_OUTPUT_OVERFLOW input[0]: every extent, element count and byte count below 2^63";
  // in * out / groups * kernel * 4, seen without a weight.
  const auto fits = [&](int64_t in, int64_t out, int64_t groups, int64_t kernel) {
    const Descriptor desc = layer(kTorch, torch(in, out, kernel, {{"groups", int_value(groups)}}));
    const TensorView x = tensor({1, in, 1});
    const std::string answer = told(desc, {.x = &x});
    INFO(answer);
    CHECK((answer == over || answer.front() == '('));
    return answer != over;
  };
  const int64_t k = int64_t{1} << 50;
  CHECK_FALSE(fits(64, 32, 1, k));
  CHECK(fits(64, 32, 1, k - 1));
  CHECK_FALSE(fits(256, 32, 4, k));
  CHECK(fits(256, 32, 4, k - 1));
  CHECK(fits(32, 32, 1, k));
  CHECK(fits(64, 32, 2, k));
}

TEST_CASE("judged edges: onnx's output_shape, the least, the last and the next", "[edges]") {
  const Shape x = {2, 4, 5, 6}, w = {4, 6, 3, 3};
  const auto asked = [&](int64_t first, int64_t second, const Args& more = {}) {
    Args args = {{"output_shape", ints({first, second})}, {"strides", ints({2, 3})}};
    args.insert(args.end(), more.begin(), more.end());
    return called(kOnnx, args, x, w);
  };
  const auto y = [](int64_t a, int64_t b) { return show_shape(Shape{2, 6, a, b}); };
  const std::string range = "VALUE_OUTPUT_SIZE_RANGE output_shape";
  // All there is without pads: 11 and 18; up to stride - 1 more.
  CHECK(asked(1, 1) == y(1, 1));
  CHECK(asked(0, 1) == range + "[0]: 1 to 12 on axis 0");
  CHECK(asked(1, 0) == range + "[1]: 1 to 20 on axis 1");
  CHECK(asked(1, -1) == range + "[1]: 1 to 20 on axis 1");
  CHECK(asked(2, 2) == y(2, 2));
  CHECK(asked(12, 20) == y(12, 20));
  CHECK(asked(13, 20) == range + "[0]: 1 to 12 on axis 0");
  CHECK(asked(12, 21) == range + "[1]: 1 to 20 on axis 1");
  // output_padding adds to the last.
  const Args extra = {{"output_padding", ints({1, 2})}};
  CHECK(asked(11, 18, extra) == y(11, 18));
  CHECK(asked(13, 22, extra) == y(13, 22));
  CHECK(asked(14, 22, extra) == range + "[0]: 1 to 13 on axis 0");
  CHECK(asked(13, 23, extra) == range + "[1]: 1 to 22 on axis 1");
  // Its limit is judged all the same, and before.
  CHECK(asked(99, 18, {{"output_padding", ints({2, 0})}}) ==
        "VALUE_OUTPUT_PADDING_RANGE output_padding[0]: 0 <= output_padding < max(strides, dilations) = 2");
}

TEST_CASE("judged edges: onnx's defaults of strides and dilations limit output_padding", "[edges]") {
  const auto answer = [](const Args& args) { return called(kOnnx, args, {2, 4, 5, 6}, {4, 6, 3, 3}); };
  const std::string fault = "VALUE_OUTPUT_PADDING_RANGE output_padding[1]: 0 <= output_padding < max(strides, ";
  CHECK(answer({{"output_padding", ints({0, 0})}}) == "(2, 6, 7, 8)");
  CHECK(answer({{"output_padding", ints({0, 1})}}) == fault + "dilations) = 1");
  CHECK(answer({{"output_padding", ints({0, 1})}, {"strides", ints({1, 2})}}) == "(2, 6, 7, 14)");
  CHECK(answer({{"output_padding", ints({0, 1})}, {"dilations", ints({1, 2})}}) == "(2, 6, 7, 11)");
  CHECK(answer({{"output_padding", ints({0, 2})}, {"dilations", ints({1, 2})}}) == fault + "dilations) = 2");
}

TEST_CASE("judged edges: a rank that no layer has", "[edges]") {
  CHECK(called(kOnnx, {}, {1, 2, 3, 3, 3, 3}, {2, 2, 1, 1, 1, 1}) == "SHAPE_INPUT_RANK X: 3 to 5 axes");
  CHECK(called(kOnnx, {}, {1, 2}, {2, 2}) == "SHAPE_INPUT_RANK X: 3 to 5 axes");
  CHECK(called(kOnnx, {}, {1, 2, 3}, {2, 2, 1}) == "(1, 2, 3)");
  CHECK(called(kOnnx, {}, {1, 2, 3, 3, 3}, {2, 2, 1, 1, 1}) == "(1, 2, 3, 3, 3)");
  // At create nobody knows the rank: it is judged at the call.
  const Descriptor desc = layer(kOnnx, {{"group", int_value(2)}});
  for (const Shape& shape : {Shape{5, 3, 1, 1, 1, 1}, Shape{4, 3}}) {
    const TensorView w = tensor(shape);
    CHECK(told(judge_weights(desc, &w, nullptr, false)) == "OK");
  }
  const TensorView three = tensor({5, 3, 1, 1, 1});
  CHECK(told(judge_weights(desc, &three, nullptr, false)) == "VALUE_IN_CHANNELS_GROUPS W: a multiple of group = 2");
}

TEST_CASE("judged edges: the size asked for is judged before what follows, and None asks for none", "[edges]") {
  const Args two = {{"stride", int_value(2)}};
  CHECK(called(kTorch, torch(4, 6, 3, two), {2, 4, 5}, {4, 6, 3}) == "(2, 6, 11)");
  CHECK(called(kTorch, torch(4, 6, 3, two), {2, 4, 5}, {4, 6, 3}, ints({12})) == "(2, 6, 12)");
  // x of a rank that is judged later: its extents are not read for the size.
  CHECK(called(kTorch, torch(4, 6, 3, two), {2, 4, 5, 5}, {4, 6, 3}, ints({12})) ==
        "SHAPE_INPUT_RANK input: 3 axes, or 2 without the batch");
  // The size overflows, and the weight is of another shape: the size is first.
  const Args huge = {{"stride", int_value(kHuge)}};
  CHECK(called(kTorch, torch(4, 6, 3, huge), {2, 4, 5}, {4, 6, 4}, ints({12})) ==
        "SHAPE_OUTPUT_OVERFLOW input[0]: every extent, element count and byte count below 2^63");
  CHECK(called(kTorch, torch(4, 6, 3, huge), {2, 4, 5}, {4, 6, 4}) == "SHAPE_WEIGHT_SHAPE weight: (4, 6, 3)");
}

TEST_CASE("judged edges: a kernel that follows from the size", "[edges]") {
  const auto args = [](int64_t a, int64_t b, int64_t stride, int64_t dilation) {
    return Args{{"num_filters", int_value(1)},
                {"output_size", ints({a, b})},
                {"stride", int_value(stride)},
                {"dilation", int_value(dilation)}};
  };
  const TensorView x = tensor({2, 4, 5, 6});
  const auto spec = [&](const Args& layer_args) {
    const auto specs = weight_specs(layer(kStatic, layer_args), &x);
    if (!specs.ok()) return told(specs.status());
    return show_shape(Shape(specs->weight.dims().begin(), specs->weight.dims().end()));
  };
  CHECK(spec(args(11, 12, 1, 3)) == "(4, 1, 3, 3)");
  // Dilation 3 leaves gaps that stride 1 does not fill.
  CHECK(spec(args(12, 12, 1, 3)) == "VALUE_OUTPUT_SIZE_RANGE output_size[0]: 11 to 11 on axis 0");
  CHECK(spec(args(11, 14, 1, 3)) == "VALUE_OUTPUT_SIZE_RANGE output_size[1]: 12 to 12 on axis 1");
  CHECK(spec(args(5, 6, 1, 1)) == "(4, 1, 1, 1)");
  CHECK(spec(args(4, 6, 1, 1)) == "VALUE_KERNEL_SIZE output_size[0]: large enough for a derived filter_size >= 1");
  CHECK(spec(args(5, 5, 1, 1)) == "VALUE_KERNEL_SIZE output_size[1]: large enough for a derived filter_size >= 1");
  // What does not fit 63 bits counts as no kernel.
  const auto over = weight_specs(layer(kStatic, args(11, 12, kHuge, 1)), &x);
  REQUIRE_FALSE(over.ok());
  CHECK(told(over.status()) == "VALUE_KERNEL_SIZE output_size[0]: large enough for a derived filter_size >= 1");
  CHECK(over.status().detail().message.find("gives filter_size 0,") != std::string::npos);
}

TEST_CASE("judged edges: one output channel has a shape of its own", "[edges]") {
  for (const auto& [dialect, args] :
       {std::pair<const char*, Args>{kTorch, torch(1, 1, 1)},
        {"mindspore.nn.Conv1dTranspose", torch(1, 1, 1)},
        {"keras.layers.Conv2DTranspose", {{"filters", int_value(1)}, {"kernel_size", int_value(1)}}}}) {
    INFO(dialect);
    const TensorView x = tensor(std::string(dialect).rfind("keras", 0) == 0 ? Shape{1, 1, 1, 1} : Shape{1, 1, 1});
    const auto specs = weight_specs(layer(dialect, args), &x);
    REQUIRE(specs.ok());
    for (int64_t extent : specs->weight.dims()) CHECK(extent == 1);
    CHECK(told(layer(dialect, args), {.x = &x}).front() == '(');
  }
}

TEST_CASE("judged edges: bytes of a y that is empty along one axis", "[edges]") {
  // Axis 0 of y is empty and counts as 1; axis 1 is all but 2^61 long.
  const auto answer = [](int64_t stride) {
    const Args more = {{"stride", ints({1, stride})}, {"padding", int_value(1)}};
    return called("paddle.nn.Conv2DTranspose", torch(1, 1, 2, more), {1, 1, 1, int64_t{1} << 57}, {1, 1, 2, 2});
  };
  CHECK(answer(16) == show_shape(Shape{1, 1, 0, (int64_t{1} << 61) - 16}));
  CHECK(answer(17) == "SHAPE_OUTPUT_OVERFLOW x[1]: every extent, element count and byte count below 2^63");
}

TEST_CASE("judged edges: which of two faults of weight and bias is told", "[edges]") {
  const TensorView x = tensor({2, 4, 5}), odd = tensor({5, 0, 1}), bytes = tensor({6}, element_type(Dtype::kI8));
  // A weight of another shape, and of channels that fill no whole groups.
  CHECK(told(judge_weights(layer(kOnnx, {{"group", int_value(2)}}), &odd, nullptr, false)) ==
        "SHAPE_WEIGHT_SHAPE W: (any, any, any)");
  // A bias beside x has to agree with x, whether its own type is taken or not.
  const Descriptor desc = layer(kTorch, torch(4, 6, 3));
  CHECK(told(desc, {.x = &x, .b = &bytes}) == "TYPE_DTYPE_MISMATCH bias: float32");
  CHECK(told(judge_weights(desc, nullptr, &bytes, false)) ==
        "TYPE_INPUT_DTYPE bias: float16, bfloat16, float32, float64");
}

TEST_CASE("judged edges: what create has judged is not judged again", "[edges]") {
  const Descriptor desc = layer(kTorch, torch(4, 6, 3));
  const TensorView x = tensor({2, 4, 5}), w = tensor({4, 6, 3}), b = tensor({7});
  CHECK(told(desc, {.x = &x, .w = &w, .b = &b}) == "SHAPE_BIAS_SHAPE bias: (6,)");
  CHECK(told(desc, {.x = &x, .w = &w, .b = &b, .bias_judged = true}) == "(2, 6, 7)");
}
