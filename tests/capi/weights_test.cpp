// SPDX-License-Identifier: Apache-2.0
// Where weight and bias come from: create or call, copied or borrowed, any strides; and what a failed set leaves.
#include <cstring>

#include "tests/capi/support.h"

using namespace capi;

namespace {

bool built(const char* engine) {
  Desc desc = Conv().desc();
  ctconv_options options = options_init();
  options.engine = engine;
  ctconv_op* op = nullptr;
  const bool ok = ctconv_create(desc.get(), nullptr, nullptr, &options, &op, nullptr) == CTCONV_OK;
  ctconv_destroy(op);
  return ok;
}

}  // namespace

TEST_CASE("weights: at create, per call, and mixed, in every engine", "[capi][weights]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
  x.integers(1);
  w.integers(2);
  b.integers(3);
  const auto with = conv.scatter(x, w, &b), without = conv.scatter(x, w, nullptr);
  for (const char* engine : test_device().engines) {
    if (!built(engine)) continue;
    INFO(engine);
    ctconv_options options = options_init();
    options.engine = engine;
    for (int w_at_create : {0, 1}) {
      for (int b_at : {0, 1, 2}) {  // nowhere, create, call
        INFO("weight at create " << w_at_create << ", bias " << b_at);
        Op op = create(desc, w_at_create ? &w : nullptr, b_at == 1 ? &b : nullptr, &options);
        for (int again = 0; again < 2; ++again) {
          Tensor y(conv.y_shape());
          run(op, call_of(&x, &y, w_at_create ? nullptr : &w, b_at == 2 ? &b : nullptr));
          CHECK(y.values() == (b_at ? with : without));
          CHECK(y.guarded());
        }
      }
    }
  }
}

TEST_CASE("weights: copied at create, borrowed where asked", "[capi][weights]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
  x.integers(1);
  w.integers(2);
  b.integers(3);
  const auto want = conv.scatter(x, w, &b);
  Tensor y(conv.y_shape());
  SECTION("copied") {
    Op op = create(desc, &w, &b);
    w.constant(7);
    b.constant(7);
    run(op, call_of(&x, &y));
    CHECK(y.values() == want);
  }
  SECTION("borrowed, strided, packed by the first call") {
    for (const char* engine : test_device().engines) {
      if (!built(engine)) continue;
      INFO(engine);
      ctconv_options options = options_init();
      options.borrow_weights = 1;
      options.engine = engine;
      Shape strides = Tensor(conv.w_shape()).strides();
      for (auto& s : strides) s *= 2;
      Tensor gaps(conv.w_shape(), strides);
      gaps.integers(2);
      Op op = create(desc, &gaps, &b, &options);
      run(op, call_of(&x, &y));
      CHECK(y.values() == want);
      CHECK(gaps.guarded());
    }
  }
}

TEST_CASE("weights: any strides, negative and zero too", "[capi][weights]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape());
  x.integers(1);
  const Shape dense = Tensor(conv.w_shape()).strides();
  std::vector<Shape> layouts = {dense};
  layouts.push_back({-dense[0], dense[1], -dense[2], -dense[3]});
  layouts.push_back({9, conv.ci * 9, 3, 1});  // output channels first
  layouts.push_back({0, dense[1], 0, dense[3]});
  for (const Shape& strides : layouts) {
    Tensor w(conv.w_shape(), strides), b({conv.co}, Shape{-3}), flat({conv.co}, Shape{0});
    w.integers(2);
    b.integers(3);
    flat.constant(2);
    for (Tensor* bias : {&b, &flat}) {
      Tensor y(conv.y_shape());
      run(create(desc, &w, bias), call_of(&x, &y));
      CHECK(y.values() == conv.scatter(x, w, bias));
      Op late = create(desc, nullptr, nullptr);
      Tensor again(conv.y_shape());
      run(late, call_of(&x, &again, &w, bias));
      CHECK(again.values() == y.values());
    }
  }
}

TEST_CASE("weights: judged at create and at the call with the same status", "[capi][weights]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co}), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  b.integers(3);
  struct Wrong {
    ctconv_status want;
    const char* argument;
    Tensor w, b;
  };
  std::vector<Wrong> wrong;
  wrong.push_back({CTCONV_ERR_SHAPE_WEIGHT_SHAPE, "weight", Tensor({conv.ci, conv.co, 3, 4}), b});
  wrong.push_back({CTCONV_ERR_SHAPE_WEIGHT_SHAPE, "weight", Tensor({conv.co, conv.ci, 3, 3}), b});
  wrong.push_back({CTCONV_ERR_SHAPE_WEIGHT_RANK, "weight", Tensor({conv.ci, conv.co, 3}), b});
  wrong.push_back({CTCONV_ERR_SHAPE_BIAS_SHAPE, "bias", w, Tensor({conv.co + 1})});
  wrong.push_back({CTCONV_ERR_SHAPE_BIAS_SHAPE, "bias", w, Tensor({1, conv.co})});
  wrong.push_back({CTCONV_ERR_TYPE_DTYPE_MISMATCH, "bias", w, Tensor({conv.co}, Dtype::kF64)});
  for (Wrong& t : wrong) {
    Error error;
    ctconv_op* op = nullptr;
    refused(ctconv_create(desc.get(), t.w.get(), t.b.get(), default_options(), &op, &error), error, t.want, t.argument);
    CHECK(op == nullptr);
    Op late = create(desc, nullptr, nullptr);
    ctconv_call call = call_of(&x, &y, &t.w, &t.b);
    refused(ctconv_execute(late.get(), &call, &error), error, t.want, t.argument);
    CHECK(y.untouched());
  }
  // A bias alone, of a type nobody takes.
  Error error;
  ctconv_op* op = nullptr;
  ctconv_tensor integer = *b.get();
  integer.dtype_code = CTCONV_DTYPE_INT;
  refused(ctconv_create(desc.get(), nullptr, &integer, default_options(), &op, &error), error,
          CTCONV_ERR_TYPE_INPUT_DTYPE, "bias");
  // The op's own bias of another type than this call's x and weight.
  Op mixed = create(desc, nullptr, &b);
  Tensor x64(conv.x_shape(), Dtype::kF64), w64(conv.w_shape(), Dtype::kF64), y64(conv.y_shape(), Dtype::kF64);
  x64.integers(1);
  w64.integers(2);
  ctconv_call call = call_of(&x64, &y64, &w64);
  refused(ctconv_execute(mixed.get(), &call, &error), error, CTCONV_ERR_TYPE_DTYPE_MISMATCH, "bias");
  CHECK(y64.untouched());
  // The arguments say there is none.
  conv.bias = false;
  Desc bare = conv.desc();
  refused(ctconv_create(bare.get(), w.get(), b.get(), default_options(), &op, &error), error,
          CTCONV_ERR_VALUE_BIAS_NOT_NONE, "bias");
}

TEST_CASE("weights: a failed set is remembered, the first one counts, others still set", "[capi][weights][cpu]") {
  Desc desc = Conv().desc();
  ctconv_value bad = {};
  bad.tag = 77;
  Error error;
  REQUIRE(ctconv_desc_set(desc.get(), "stride", &bad) == CTCONV_ERR_MISUSE_VALUE);
  bad.tag = CTCONV_VALUE_STRING;
  bad.i = -5;
  REQUIRE(ctconv_desc_set(desc.get(), "padding", &bad) == CTCONV_ERR_MISUSE_VALUE);
  REQUIRE(ctconv_desc_set_ints(desc.get(), "dilation", nullptr, 2) == CTCONV_ERR_MISUSE_NULL);
  REQUIRE(ctconv_desc_set_string(desc.get(), "data_format", nullptr) == CTCONV_ERR_MISUSE_NULL);
  REQUIRE(ctconv_desc_set_tensor(desc.get(), "weight_init", nullptr) == CTCONV_ERR_MISUSE_NULL);
  REQUIRE(ctconv_desc_set_int(desc.get(), nullptr, 1) == CTCONV_ERR_MISUSE_NULL);
  ctconv_spec spec;
  ctconv_op* op = nullptr;
  for (int again = 0; again < 2; ++again) {
    refused(ctconv_desc_validate(desc.get(), &error), error, CTCONV_ERR_MISUSE_VALUE, "stride");
    refused(ctconv_desc_weight_spec(desc.get(), nullptr, &spec, nullptr, &error), error, CTCONV_ERR_MISUSE_VALUE,
            "stride");
    refused(ctconv_create(desc.get(), nullptr, nullptr, default_options(), &op, &error), error, CTCONV_ERR_MISUSE_VALUE,
            "stride");
    REQUIRE(ctconv_desc_set_int(desc.get(), "stride", 1) == CTCONV_OK);  // mends nothing: the failure stays
  }
}

TEST_CASE("weights: setting again replaces, values are copied", "[capi][weights][cpu]") {
  Desc desc = Conv().desc();
  desc.set("stride", "nonsense").set("stride", Shape{1, 1});
  int64_t kernel[] = {2, 2};
  REQUIRE(ctconv_desc_set_ints(desc.get(), "kernel_size", kernel, 2) == CTCONV_OK);
  kernel[0] = -9;
  ctconv_spec spec;
  Error error;
  REQUIRE(ctconv_desc_weight_spec(desc.get(), nullptr, &spec, nullptr, &error) == CTCONV_OK);
  CHECK(spec.shape[2] == 2);
  CHECK(spec.shape[3] == 2);
}

TEST_CASE("weights: one of the call that reaches beyond 63 bits is refused before anything is planned",
          "[capi][weights]") {
  Conv conv;
  const Op op = create(conv.desc(), nullptr, nullptr);
  Tensor x(conv.x_shape()), y(conv.y_shape()), w(conv.w_shape());
  ctconv_tensor far = *w.get();
  const Shape strides(far.ndim, INT64_MAX / 2);
  far.strides = strides.data();
  ctconv_call call = call_of(&x, &y);
  call.weight = &far;
  Error e;
  size_t bytes = 0;
  refused(ctconv_prepare(op.get(), &call, &bytes, &e), e, CTCONV_ERR_MISUSE_TENSOR, "weight");
  ctconv_grads grads = CTCONV_GRADS_INIT;
  Tensor dx(conv.x_shape());
  grads.dy = y.get();
  grads.weight = &far;
  grads.dx = dx.get();
  if (test_device().cpu()) {
    refused(ctconv_backward_prepare(op.get(), &grads, &bytes, &e), e, CTCONV_ERR_MISUSE_TENSOR, "weight");
  }
}
