// SPDX-License-Identifier: Apache-2.0
// Windows whose whole x is not told, or that belong to no x at all: refused by name, or the right box all the same.
#include "tests/capi/support.h"

using namespace capi;

namespace {

// One axis of torch's operator, batched or not; the window is x from `at` on.
struct Window {
  int64_t begin = 0, end = 1, at = 0;
  const int64_t* whole = nullptr;
  ctconv_call call;

  Window(Tensor* x, Tensor* y) : call(call_of(x, y)) {}
  const ctconv_call* with(int64_t from, int64_t to, int64_t first, const int64_t* x_shape = nullptr) {
    begin = from;
    end = to;
    at = first;
    call.begin = &begin;
    call.end = &end;
    call.x_begin = &at;
    call.x_shape = x_shape;
    return &call;
  }
};

Op torch1d(Tensor* w, int64_t stride, int64_t padding) {
  Desc d("torch.nn.ConvTranspose1d");
  d.set("in_channels", 1).set("out_channels", 1).set("kernel_size", w->shape()[2]).set("stride", stride);
  d.set("padding", padding).set("bias", false);
  return create(d, w, nullptr);
}

ctconv_status spec(const Op& op, const ctconv_call* call, Error* e, Shape* out = nullptr) {
  ctconv_spec y;
  const ctconv_status status = ctconv_output_spec(op.get(), call, &y, e);
  if (status == CTCONV_OK && out != nullptr) out->assign(y.shape, y.shape + y.ndim);
  return status;
}

}  // namespace

TEST_CASE("region edges: a window without batch, inside an x that is not told", "[capi][region][cpu]") {
  Tensor w({1, 1, 3}), whole({1, 9}), x({1, 4});
  w.reals(1);
  whole.reals(2);
  for (int64_t k = 0; k < 4; ++k) x.set({0, k}, whole.at({0, k + 3}));
  const Op op = torch1d(&w, 1, 0);
  Tensor all({1, 11}), y({1, 2});
  run(op, call_of(&whole, &all));
  Window window(&x, &y);
  run(op, *window.with(5, 7, 3));
  for (int64_t k = 0; k < 2; ++k) CHECK(y.at({0, k}) == all.at({0, k + 5}));
}

TEST_CASE("region edges: an x of a rank the operator does not take is told so", "[capi][region][cpu]") {
  Tensor w({1, 1, 3}), flat({4}), deep({1, 1, 4, 4});
  const Op op = torch1d(&w.reals(1), 1, 0);
  for (Tensor* x : {&flat, &deep}) {
    Window window(x, nullptr);
    Error e;
    refused(spec(op, window.with(0, 1, 0), &e), e, CTCONV_ERR_SHAPE_INPUT_RANK);
  }
  // A dialect whose rank the tensors tell: an x of no spatial axis, and of four.
  Desc onnx("onnx.ConvTranspose");
  Tensor kernel({1, 1, 3}), none({1, 1}), four({1, 1, 2, 2, 2, 2});
  const Op any = create(onnx, &kernel, nullptr);
  for (Tensor* x : {&none, &four}) {
    Window window(x, nullptr);
    Error e;
    CHECK(spec(any, window.with(0, 1, 0), &e) / 1000 == 3);
    const Shape told(x->shape().size(), 9);
    CHECK(spec(any, window.with(0, 1, 0, told.data()), &e) / 1000 == 3);
  }
}

TEST_CASE("region edges: a window that lies outside any x, or too far for its sums", "[capi][region][cpu]") {
  Tensor w({1, 1, 3}), x({1, 1, 4});
  const Op op = torch1d(&w.reals(1), 1, 1);
  Window window(&x, nullptr);
  Error e;
  refused(spec(op, window.with(0, 1, -1), &e), e, CTCONV_ERR_MISUSE_REGION, "x_begin");
  refused(spec(op, window.with(0, 1, INT64_MAX), &e), e, CTCONV_ERR_MISUSE_REGION, "x_begin");
  refused(spec(op, window.with(0, INT64_MAX, 0), &e), e, CTCONV_ERR_MISUSE_REGION, "x_begin");
  CHECK(spec(op, window.with(0, INT64_MAX - 1000, 0), &e) != CTCONV_OK);
  CHECK(spec(op, window.with(INT64_MIN, INT64_MIN + 1, 0), &e) != CTCONV_OK);
  CHECK(spec(op, window.with(0, INT64_MIN, 0), &e) != CTCONV_OK);
  // A window inside an x of 2^62 inputs, far behind what the box reads.
  CHECK(spec(op, window.with(0, 1, int64_t{1} << 62), &e) != CTCONV_OK);
}

TEST_CASE("region edges: a window behind or before what the box reads", "[capi][region][cpu]") {
  Tensor w({1, 1, 3}), x({1, 1, 4});
  const Op op = torch1d(&w.reals(1), 2, 0);
  Window window(&x, nullptr);
  Error e;
  refused(spec(op, window.with(0, 4, 3), &e), e, CTCONV_ERR_MISUSE_REGION, "x");    // begins too late
  refused(spec(op, window.with(20, 22, 0), &e), e, CTCONV_ERR_MISUSE_REGION, "x");  // ends before the box begins
  Shape y;
  CHECK(spec(op, window.with(2, 9, 0), &e, &y) == CTCONV_OK);  // ends with x: the box is its last
  CHECK(y == Shape{1, 1, 7});
}

TEST_CASE("region edges: what the whole x's extents decide must be told", "[capi][region][cpu]") {
  const auto asks = [](const Desc& d, const Shape& weight, Shape x_shape, const ctconv_value* size = nullptr) {
    Tensor w(weight), x(std::move(x_shape));
    const Op op = create(d, &w, nullptr);
    const Shape begin = {0, 0, 0}, end = {1, 1, 1}, at = {0, 0, 0};
    ctconv_call call = call_of(&x, nullptr);
    call.begin = begin.data();
    call.end = end.data();
    call.x_begin = at.data();
    call.output_size = size;
    Error e;
    const ctconv_status status = spec(op, &call, &e);
    return status == CTCONV_OK ? std::string("nothing") : std::string(e.argument);
  };
  Desc canonical("ctconv");
  canonical.set("in_channels", 1).set("out_channels", 1).set("kernel_size", 3);
  CHECK(asks(canonical, {1, 1, 3}, {1, 1, 4}) == "nothing");
  canonical.set("zero_tail", 0);
  CHECK(asks(canonical, {1, 1, 3}, {1, 1, 4}) == "nothing");
  canonical.set("zero_tail", 2);
  CHECK(asks(canonical, {1, 1, 3}, {1, 1, 4}) == "x_shape");
  Desc onnx("onnx.ConvTranspose");
  CHECK(asks(onnx, {1, 1, 3}, {1, 1, 4}) == "nothing");
  onnx.set("output_shape", Shape{6});
  CHECK(asks(onnx, {1, 1, 3}, {1, 1, 4}) == "x_shape");
  Desc torch("torch.nn.ConvTranspose1d");
  torch.set("in_channels", 1).set("out_channels", 1).set("kernel_size", 3).set("bias", false);
  ctconv_value six{};
  six.tag = CTCONV_VALUE_INT;
  six.i = 6;
  ctconv_value size{};
  size.tag = CTCONV_VALUE_TUPLE;
  size.i = 1;
  size.items = &six;
  CHECK(asks(torch, {1, 1, 3}, {1, 1, 4}, &size) == "x_shape");
  Desc derived("paddle.static.nn.conv2d_transpose");
  derived.set("num_filters", 1).set("output_size", 6).set("bias_attr", false);
  CHECK(asks(derived, {1, 1, 3, 3}, {1, 1, 4, 4}) == "x_shape");
}
