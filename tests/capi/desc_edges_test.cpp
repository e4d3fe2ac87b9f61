// SPDX-License-Identifier: Apache-2.0
// Descriptors at their edges: initialisers filled through the C API, shorthands of set, values that are no values,
// weight shapes that need x.
#include <cmath>
#include <cstring>

#include "tests/capi/support.h"

using namespace capi;

namespace {

Desc torch() {
  Desc d("torch.nn.ConvTranspose1d");
  d.set("in_channels", 2).set("out_channels", 3).set("kernel_size", 4);
  return d;
}

}  // namespace

TEST_CASE("desc edges: initialisers fill weight and bias, and refuse what is neither", "[capi][desc][cpu]") {
  const Desc d = torch();
  Tensor w({2, 3, 4}), b({3});
  Error e;
  CHECK(ctconv_init_weight(d.get(), 1, w.get(), &e) == CTCONV_OK);
  CHECK(ctconv_init_bias(d.get(), 1, b.get(), &e) == CTCONV_OK);
  for (double v : b.values()) CHECK(std::fabs(v) <= 1 / std::sqrt(12.0));  // fan_in: 3 output channels, 4 taps
  CHECK((w.guarded() && b.guarded()));
  refused(ctconv_init_weight(nullptr, 1, w.get(), &e), e, CTCONV_ERR_MISUSE_NULL, "desc");
  refused(ctconv_init_bias(d.get(), 1, nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "out");
  const auto broken = [&](auto change, ctconv_status want) {
    ctconv_tensor t = *w.get();
    change(t);
    refused(ctconv_init_weight(d.get(), 1, &t, &e), e, want);
  };
  broken([](ctconv_tensor& t) { t.device_type = CTCONV_DEVICE_CUDA; }, CTCONV_ERR_MISUSE_TENSOR_DEVICE);
  broken([](ctconv_tensor& t) { t.data = nullptr; }, CTCONV_ERR_MISUSE_NULL);
  broken([](ctconv_tensor& t) { t.ndim = 9; }, CTCONV_ERR_MISUSE_TENSOR);
  const int64_t far[] = {INT64_MAX, INT64_MAX, 1}, same[] = {0, 4, 1};
  broken([&](ctconv_tensor& t) { t.strides = far; }, CTCONV_ERR_MISUSE_TENSOR);
  Error overlap;
  ctconv_tensor t = *w.get();
  t.strides = same;
  refused(ctconv_init_weight(d.get(), 1, &t, &overlap), overlap, CTCONV_ERR_MISUSE_Y_OVERLAP);
  Tensor other({2, 3, 5});
  refused(ctconv_init_weight(d.get(), 1, other.get(), &e), e, CTCONV_ERR_SHAPE_WEIGHT_SHAPE);
  CHECK(other.untouched());
  Desc wrong = torch();
  wrong.set("stride", 0);
  refused(ctconv_init_weight(wrong.get(), 1, w.get(), &e), e, CTCONV_ERR_VALUE_STRIDE, "stride");
  // A dialect whose weight follows from x: the bias has fans of its own.
  Desc keras("keras.layers.Conv2DTranspose");
  keras.set("filters", 3).set("kernel_size", 2);
  CHECK(ctconv_init_bias(keras.get(), 1, b.get(), &e) == CTCONV_OK);
  for (double v : b.values()) CHECK(v == 0);
}

TEST_CASE("desc edges: shorthands set what set would", "[capi][desc][cpu]") {
  Error e;
  Desc d = torch();
  CHECK(ctconv_desc_set_float(d.get(), "stride", 2.0) == CTCONV_OK);
  refused(ctconv_desc_validate(d.get(), &e), e, CTCONV_ERR_TYPE_STRIDE, "stride");
  Desc empty = torch();
  CHECK(ctconv_desc_set_ints(empty.get(), "stride", nullptr, 0) == CTCONV_OK);
  refused(ctconv_desc_validate(empty.get(), &e), e, CTCONV_ERR_VALUE_STRIDE_LENGTH, "stride");
  Desc none = torch();
  CHECK(ctconv_desc_set_none(none.get(), "device") == CTCONV_OK);
  CHECK(ctconv_desc_validate(none.get(), &e) == CTCONV_OK);
  Tensor weight({2, 3, 4});
  Desc paddle("paddle.nn.Conv1DTranspose");
  paddle.set("in_channels", 2).set("out_channels", 3).set("kernel_size", 4);
  CHECK(ctconv_desc_set_tensor(paddle.get(), "weight_attr", weight.constant(0.5).get()) == CTCONV_OK);
  REQUIRE(ctconv_desc_validate(paddle.get(), &e) == CTCONV_OK);
  Tensor filled({2, 3, 4});
  CHECK(ctconv_init_weight(paddle.get(), 1, filled.get(), &e) == CTCONV_OK);
  CHECK(filled.bits() == weight.bits());
}

TEST_CASE("desc edges: values that are no values are refused, and remembered", "[capi][desc][cpu]") {
  const auto refuses = [](auto set, ctconv_status want) {
    Desc d = torch();
    Error e;
    CHECK(set(d.get()) == want);
    CHECK(ctconv_desc_validate(d.get(), &e) == want);
  };
  const int64_t one = 1;
  refuses([](ctconv_desc* d) { return ctconv_desc_set_ints(d, "stride", nullptr, 1); }, CTCONV_ERR_MISUSE_NULL);
  refuses([&](ctconv_desc* d) { return ctconv_desc_set_ints(d, "stride", &one, (size_t{1} << 20) + 1); },
          CTCONV_ERR_MISUSE_VALUE);
  refuses([&](ctconv_desc* d) { return ctconv_desc_set_ints(d, nullptr, &one, SIZE_MAX); }, CTCONV_ERR_MISUSE_VALUE);
  refuses([](ctconv_desc* d) { return ctconv_desc_set_tensor(d, "bias", nullptr); }, CTCONV_ERR_MISUSE_NULL);
  const auto tensor = [&](auto change, ctconv_status want) {
    Tensor t({2, 2});
    ctconv_tensor record = *t.get();
    change(record);
    refuses([&](ctconv_desc* d) { return ctconv_desc_set_tensor(d, "bias", &record); }, want);
  };
  tensor([](ctconv_tensor& t) { t.device_type = CTCONV_DEVICE_CUDA; }, CTCONV_ERR_MISUSE_VALUE);
  tensor([](ctconv_tensor& t) { t.ndim = -1; }, CTCONV_ERR_MISUSE_TENSOR);
  const int64_t far[] = {INT64_MAX, 1};
  tensor([&](ctconv_tensor& t) { t.strides = far; }, CTCONV_ERR_MISUSE_TENSOR);
  refuses(
      [](ctconv_desc* d) {
        ctconv_value v{};
        v.reserved = 1;
        return ctconv_desc_set(d, "bias", &v);
      },
      CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  ctconv_desc_destroy(nullptr);
}

TEST_CASE("desc edges: a weight's shape that follows from x needs x, one that nothing tells is refused",
          "[capi][desc][cpu]") {
  Error e;
  ctconv_spec weight, bias;
  Desc keras("keras.layers.Conv2DTranspose");
  keras.set("filters", 3).set("kernel_size", 2);
  refused(ctconv_desc_weight_spec(keras.get(), nullptr, &weight, &bias, &e), e, CTCONV_ERR_MISUSE_NULL, "x");
  Tensor x({1, 5, 5, 4});
  CHECK(ctconv_desc_weight_spec(keras.get(), x.get(), &weight, &bias, &e) == CTCONV_OK);
  CHECK((weight.shape[2] == 3 && weight.shape[3] == 4));
  Desc derived("paddle.static.nn.conv2d_transpose");
  derived.set("num_filters", 3).set("output_size", 9);
  refused(ctconv_desc_weight_spec(derived.get(), nullptr, &weight, &bias, &e), e, CTCONV_ERR_MISUSE_NULL, "x");
  Tensor flat({4, 5, 5});
  CHECK(ctconv_desc_weight_spec(derived.get(), flat.get(), &weight, &bias, &e) / 1000 == 3);
  const Desc onnx("onnx.ConvTranspose");
  refused(ctconv_desc_weight_spec(onnx.get(), nullptr, &weight, &bias, &e), e, CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC);
  // Shapes that only the weight tells, and no weight.
  const Op op = create(onnx, nullptr, nullptr);
  Tensor line({1, 4, 5});
  ctconv_call call = call_of(&line, nullptr);
  ctconv_spec y;
  refused(ctconv_output_spec(op.get(), &call, &y, &e), e, CTCONV_ERR_MISUSE_WEIGHT_MISSING, "W");
}
