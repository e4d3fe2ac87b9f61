// SPDX-License-Identifier: Apache-2.0
// Tensors as views: slices, steps, broadcasts, unbatched input, empty batches, output_size, zero tails, element types.
#include <algorithm>

#include "tests/capi/support.h"

using namespace capi;

TEST_CASE("views: y as a channel slice of a concat buffer, its neighbours untouched", "[capi][views]") {
  for (bool last : {false, true}) {
    for (const char* engine : test_device().exact_engines) {
      INFO(engine << (last ? ", channels last" : ", channels first"));
      Conv conv;
      conv.last = last;
      Desc desc = conv.desc();
      Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
      x.integers(1);
      w.integers(2);
      b.integers(3);
      Shape wide = conv.y_shape();
      wide[last ? 3 : 1] *= 3;  // the slice is the middle third
      const Tensor concat(wide);
      Tensor y(conv.y_shape(), concat.strides());
      ctconv_options options = options_init();
      options.engine = engine;
      run(create(desc, &w, &b, &options), call_of(&x, &y));
      CHECK(y.values() == conv.scatter(x, w, &b));
      CHECK(y.guarded());
    }
  }
}

TEST_CASE("views: random strides of x and y, random problems, every engine, against the definition", "[capi][views]") {
  const uint64_t seed = test_seed();
  INFO("seed " << seed);
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 150; ++round) {
    Conv conv = random_conv(rng);
    INFO("round " << round);
    // A permutation of the axes, gaps, and signs; x may also repeat along an axis.
    const auto strides = [&](const Shape& shape, bool repeat) {
      std::vector<size_t> order(shape.size());
      for (size_t a = 0; a < order.size(); ++a) order[a] = a;
      std::shuffle(order.begin(), order.end(), rng);
      Shape out(shape.size());
      int64_t step = pick(rng, 1, 2);
      for (size_t a : order) {
        out[a] = pick(rng, 0, 1) ? step : -step;
        step *= shape[a];
        step += pick(rng, 0, 2);
      }
      if (repeat && pick(rng, 0, 2) == 0)
        out[static_cast<size_t>(pick(rng, 0, static_cast<int64_t>(shape.size()) - 1))] = 0;
      return out;
    };
    Desc desc = conv.desc();
    Tensor x(conv.x_shape(), strides(conv.x_shape(), true)), w(conv.w_shape(), strides(conv.w_shape(), true)),
        b({conv.co});
    x.integers(rng());
    w.integers(rng());
    b.integers(rng());
    Tensor* bias = conv.bias ? &b : nullptr;
    const auto want = conv.scatter(x, w, bias);
    for (const char* engine : test_device().engines) {
      ctconv_options options = options_init();
      options.engine = engine;
      Error error;
      ctconv_op* made = nullptr;
      if (ctconv_create(desc.get(), w.get(), bias ? bias->get() : nullptr, &options, &made, &error) != CTCONV_OK) {
        REQUIRE(error.status == CTCONV_ERR_UNSUPPORTED_ENGINE);  // not built
        continue;
      }
      Op op(made);
      Tensor y(conv.y_shape(), strides(conv.y_shape(), false));
      const ctconv_call call = call_of(&x, &y);
      const ctconv_status status = ctconv_execute(op.get(), &call, &error);
      INFO(engine << ": " << error.text());
      if (status == CTCONV_ERR_UNSUPPORTED_ENGINE && std::string(engine) != "auto" &&
          std::string(engine) != "reference") {
        refused(status, error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
        CHECK(y.untouched());
        continue;
      }
      REQUIRE(status == CTCONV_OK);
      REQUIRE(y.values() == want);
      REQUIRE(y.guarded());
    }
  }
}

TEST_CASE("views: unbatched input of torch gives unbatched output", "[capi][views]") {
  Conv conv;
  conv.n = 1;
  Desc desc("torch.nn.ConvTranspose2d");
  desc.set("in_channels", conv.ci)
      .set("out_channels", conv.co)
      .set("kernel_size", conv.k)
      .set("stride", conv.s)
      .set("padding", conv.lo);
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
  x.integers(1);
  w.integers(2);
  b.integers(3);
  Op op = create(desc, &w, &b);
  ctconv_tensor x3 = *x.get();
  x3.shape += 1;
  x3.ndim = 3;
  Shape y_shape = conv.y_shape();
  y_shape.erase(y_shape.begin());
  Tensor y(y_shape);
  ctconv_call call = call_of(&x, &y);
  call.x = &x3;
  ctconv_spec spec;
  REQUIRE(ctconv_output_spec(op.get(), &call, &spec, nullptr) == CTCONV_OK);
  CHECK(spec.ndim == 3);
  CHECK(Shape(spec.shape, spec.shape + 3) == y_shape);
  run(op, call);
  CHECK(y.values() == conv.scatter(x, w, &b));
  // The canonical dialect takes none.
  Op canonical = create(conv.desc(), &w, &b);
  Error error;
  refused(ctconv_output_spec(canonical.get(), &call, &spec, &error), error, CTCONV_ERR_SHAPE_INPUT_RANK);
  CHECK(spec.ndim == 0);
}

TEST_CASE("views: output_size of the call", "[capi][views]") {
  Conv conv;
  Desc desc("torch.nn.ConvTranspose2d");
  desc.set("in_channels", conv.ci)
      .set("out_channels", conv.co)
      .set("kernel_size", conv.k)
      .set("stride", conv.s)
      .set("padding", conv.lo);
  Tensor x(conv.x_shape()), w(conv.w_shape());
  x.integers(1);
  w.integers(2);
  Op op = create(desc, &w, nullptr);
  Error error;
  ctconv_spec spec;
  for (int64_t h : {-1, 0, 8, 9, 10, 11}) {
    ctconv_value items[2] = {}, size = {};
    items[0].tag = items[1].tag = CTCONV_VALUE_INT;
    items[0].i = h;
    items[1].i = 13;
    size.tag = CTCONV_VALUE_LIST;
    size.i = 2;
    size.items = items;
    conv.extra[0] = h - 9;
    ctconv_call call = call_of(&x, nullptr);
    call.output_size = &size;
    const ctconv_status status = ctconv_output_spec(op.get(), &call, &spec, &error);
    if (h < 9 || h > 10) {
      refused(status, error, CTCONV_ERR_VALUE_OUTPUT_SIZE_RANGE, "output_size");
      CHECK(error.element == 0);
      continue;
    }
    REQUIRE(status == CTCONV_OK);
    CHECK(spec.shape[2] == h);
    Tensor y(conv.y_shape());
    call.y = y.get();
    run(op, call);
    CHECK(y.values() == conv.scatter(x, w, nullptr));
  }
  // None is «not given»; a dialect whose call has no such argument refuses it.
  ctconv_value none = {};
  ctconv_call call = call_of(&x, nullptr);
  call.output_size = &none;
  CHECK(ctconv_output_spec(op.get(), &call, &spec, &error) == CTCONV_OK);
  Op canonical = create(conv.desc(), &w, nullptr);
  refused(ctconv_output_spec(canonical.get(), &call, &spec, &error), error, CTCONV_ERR_TYPE_ARGUMENT_NAME,
          "output_size");
}

TEST_CASE("views: an empty batch is a call that does nothing", "[capi][views]") {
  for (const char* dialect : {"torch.nn.ConvTranspose2d", "ctconv"}) {
    Conv conv;
    conv.n = 0;
    Desc desc(dialect);
    desc.set("in_channels", conv.ci).set("out_channels", conv.co).set("kernel_size", conv.k).set("stride", conv.s);
    Tensor x(conv.x_shape()), w(conv.w_shape()), y({0, conv.co, 11, 15});
    w.integers(2);
    Op op = create(desc, &w, nullptr);
    ctconv_call call = call_of(&x, &y);
    run(op, call);
    CHECK(y.untouched());
    ctconv_tensor xn = *x.get(), yn = *y.get();
    xn.data = yn.data = nullptr;  // NULL is fine: nothing is there
    call.x = &xn;
    call.y = &yn;
    run(op, call);
    size_t bytes = 1;
    CHECK(ctconv_prepare(op.get(), &call, &bytes, nullptr) == CTCONV_OK);
  }
}

TEST_CASE("views: a core of 0 is empty in one dialect and a fault in the other", "[capi][views]") {
  // extent 1, kernel 2, cropped by 2: nothing left
  Tensor x({2, 3, 1, 1}), w({3, 4, 2, 2});
  x.integers(1);
  w.integers(2);
  Desc paddle("paddle.nn.Conv2DTranspose");
  paddle.set("in_channels", 3).set("out_channels", 4).set("kernel_size", 2).set("padding", 1);
  Op op = create(paddle, &w, nullptr);
  Tensor y({2, 4, 0, 0});
  ctconv_call call = call_of(&x, &y);
  run(op, call);
  CHECK(y.untouched());
  Desc torch("torch.nn.ConvTranspose2d");
  torch.set("in_channels", 3).set("out_channels", 4).set("kernel_size", 2).set("padding", 1);
  Op strict = create(torch, &w, nullptr);
  Error error;
  refused(ctconv_execute(strict.get(), &call, &error), error, CTCONV_ERR_SHAPE_OUTPUT_EMPTY, "input");
  Tensor none({2, 3, 0, 4});
  call.x = none.get();
  refused(ctconv_execute(strict.get(), &call, &error), error, CTCONV_ERR_SHAPE_INPUT_EMPTY, "input");
}

TEST_CASE("views: the zero tail is exactly 0, also beyond a bias and an activation", "[capi][views]") {
  for (const char* engine : test_device().exact_engines) {
    Conv conv;
    conv.tail = {2, 1};
    conv.extra = {1, 0};
    Desc desc = conv.desc();
    Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co}), y(conv.y_shape());
    x.integers(1);
    w.integers(2);
    b.constant(5);
    ctconv_options options = options_init();
    options.engine = engine;
    run(create(desc, &w, &b, &options), call_of(&x, &y));
    CHECK(y.values() == conv.scatter(x, w, &b));
    // sigmoid(0) is a half, a tail stays 0.
    options.activation = CTCONV_ACTIVATION_SIGMOID;
    run(create(desc, &w, &b, &options), call_of(&x, &y));
    for (int64_t column = 0; column < conv.out(1); ++column) CHECK(y.at({0, 0, conv.out(0) - 1, column}) == 0);
    CHECK(y.guarded());
  }
}

TEST_CASE("views: f16, bf16 and f64, small integers exact in all of them", "[capi][views]") {
  for (Dtype type : {Dtype::kF16, Dtype::kBf16, Dtype::kF32, Dtype::kF64}) {
    for (const char* engine : test_device().exact_engines) {
      INFO(ctconv::name_of(type) << ", " << engine);
      Conv conv;
      conv.ci = 2;
      Desc desc = conv.desc();
      Tensor x(conv.x_shape(), type), w(conv.w_shape(), type), b({conv.co}, type), y(conv.y_shape(), type);
      x.integers(1);
      w.integers(2);
      b.integers(3);
      ctconv_options options = options_init();
      options.engine = engine;
      for (int per_call : {0, 1}) {
        Op op = create(desc, per_call ? nullptr : &w, per_call ? nullptr : &b, &options);
        run(op, call_of(&x, &y, per_call ? &w : nullptr, per_call ? &b : nullptr));
        CHECK(y.values() == conv.scatter(x, w, &b));  // |sum| stays far below 256
        CHECK(y.guarded());
      }
    }
  }
  // One element type per op: x of another is a fault, integers are refused.
  Conv conv;
  Desc desc = conv.desc();
  Tensor w(conv.w_shape()), x64(conv.x_shape(), Dtype::kF64), y(conv.y_shape());
  w.integers(2);
  x64.integers(1);
  Op op = create(desc, &w, nullptr);
  ctconv_call call = call_of(&x64, &y);
  Error error;
  // The op's weight was judged before: the call's x is at fault.
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_TYPE_DTYPE_MISMATCH, "input");
  CHECK(std::string(error.message) == "input: differs in element type from weight, got float64; legal: float32");
  ctconv_tensor integer = *x64.get();
  integer.dtype_code = CTCONV_DTYPE_INT;
  call.x = &integer;
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_TYPE_INPUT_DTYPE);
  integer.dtype_code = CTCONV_DTYPE_FLOAT;
  integer.dtype_lanes = 4;
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_TYPE_INPUT_DTYPE);
  CHECK(y.untouched());
}

TEST_CASE("views: a long y of two interleaved channels, told apart by parity", "[capi][views]") {
  Conv conv;
  conv.n = 1;
  conv.ci = 1;
  conv.co = 2;
  conv.bias = false;
  conv.in = {(1 << 22) + 8};
  conv.k = conv.s = conv.d = {1};
  conv.lo = conv.hi = conv.extra = conv.tail = {0};
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape());
  x.constant(1), w.set({0, 0, 0}, 2), w.set({0, 1, 0}, 3);
  Op op = create(desc, &w, nullptr);
  Tensor y(conv.y_shape(), {0, 3, 2});
  run(op, call_of(&x, &y));
  for (int64_t at : {int64_t{0}, int64_t{1}, int64_t{77777}, conv.in[0] - 1}) {
    CHECK(y.at({0, 0, at}) == 2);
    CHECK(y.at({0, 1, at}) == 3);
  }
  // The same channels on the same parity.
  Error error;
  Tensor meets(conv.y_shape(), {0, 4, 2});
  const ctconv_call call = call_of(&x, &meets);
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
  CHECK(std::string(error.message).find("two of its elements share memory") != std::string::npos);
  CHECK(meets.untouched());
}
