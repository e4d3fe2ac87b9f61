// SPDX-License-Identifier: Apache-2.0
// Regions: a box of y is the same box of a whole call, from the whole x or any window that holds what it reads.
#include <algorithm>

#include "tests/capi/support.h"
#include "tests/rig/rounds.h"

using namespace capi;

namespace {

const char* engine_for(std::mt19937_64& rng) {
  const auto& engines = test_device().exact_engines;
  return engines[static_cast<size_t>(pick(rng, 0, std::ssize(engines) - 1))];
}

ctconv_options exact(const char* engine) {
  ctconv_options o = options_init();
  o.engine = engine;
  o.reproducible = 1;
  return o;
}

struct Box {
  Shape begin, end;
};

Box random_box(std::mt19937_64& rng, const Conv& c) {
  Box box;
  for (size_t a = 0; a < c.rank(); ++a) {
    box.begin.push_back(pick(rng, 0, c.out(a) - 1));
    box.end.push_back(pick(rng, box.begin[a] + 1, c.out(a)));
  }
  return box;
}

size_t spatial(const Conv& c, size_t a) { return c.last ? a + 1 : a + 2; }

// A copy of the part [begin, end) of the spatial axes.
Tensor part_of(const Conv& c, const Tensor& t, const Shape& begin, const Shape& end) {
  Shape shape = t.shape();
  for (size_t a = 0; a < c.rank(); ++a) shape[spatial(c, a)] = end[a] - begin[a];
  Tensor part(shape, t.type());
  Shape at(shape.size(), 0);
  const auto count = static_cast<int64_t>(part.values().size());
  for (int64_t n = 0; n < count; ++n) {
    Shape from = at;
    for (size_t a = 0; a < c.rank(); ++a) from[spatial(c, a)] += begin[a];
    part.set(at, t.at(from));
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return part;
}

struct Window {
  Shape begin, end;
};

Window window_of(const Op& op, const ctconv_call& call, size_t rank) {
  Window w{Shape(rank, -7), Shape(rank, -7)};
  Error e;
  CAPTURE(e.text());
  REQUIRE(ctconv_region_window(op.get(), &call, w.begin.data(), w.end.data(), &e) == CTCONV_OK);
  return w;
}

// Any window that holds the one asked for: longer at random where x goes on.
Window widened(std::mt19937_64& rng, const Conv& c, Window w) {
  for (size_t a = 0; a < c.rank(); ++a) {
    w.begin[a] = pick(rng, 0, w.begin[a]);
    w.end[a] = pick(rng, w.end[a], c.in[a]);
  }
  return w;
}

bool has_tail(const Conv& c) {
  return std::any_of(c.tail.begin(), c.tail.end(), [](int64_t rows) { return rows != 0; });
}

struct Layer {
  Conv c;
  Tensor x, w, b, y;
  Op op;

  Layer(const Conv& conv, const char* engine, uint64_t seed, Dtype type)
      : c(conv), x(c.x_shape(), type), w(c.w_shape(), type), b({c.co}, type), y(c.y_shape(), type) {
    x.reals(seed);
    w.reals(seed + 1);
    b.reals(seed + 2);
    const ctconv_options o = exact(engine);
    op = create(c.desc(), &w, c.bias ? &b : nullptr, &o);
    run(op, call_of(&x, &y));
  }
};

void check_box(const Layer& l, const Box& box, const ctconv_call& call, Tensor* y) {
  const Tensor want = part_of(l.c, l.y, box.begin, box.end);
  ctconv_spec spec;
  Error e;
  REQUIRE(ctconv_output_spec(l.op.get(), &call, &spec, &e) == CTCONV_OK);
  CHECK(Shape(spec.shape, spec.shape + spec.ndim) == want.shape());
  run(l.op, call);
  CHECK(y->bits() == want.bits());
  CHECK(y->guarded());
}

void try_box(std::mt19937_64& rng, Layer& l) {
  const Box box = random_box(rng, l.c);
  Tensor y(part_of(l.c, l.y, box.begin, box.end).shape(), l.y.type());
  ctconv_call call = call_of(&l.x, &y);
  call.begin = box.begin.data();
  call.end = box.end.data();
  check_box(l, box, call, &y);

  const Window window = window_of(l.op, call, l.c.rank());
  const Window given = pick(rng, 0, 1) ? window : widened(rng, l.c, window);
  Tensor part = part_of(l.c, l.x, given.begin, given.end);
  call.x = part.get();
  call.x_begin = given.begin.data();
  const bool told = has_tail(l.c) || pick(rng, 0, 1) == 1;
  call.x_shape = told ? l.x.shape().data() : nullptr;
  CAPTURE(told);
  check_box(l, box, call, &y);
}

}  // namespace

TEST_CASE("region: any box of any layer has the bits of a whole call", "[capi][region]") {
  const uint64_t seed = test_seed();
  CAPTURE(seed);
  std::mt19937_64 rng(seed);
  for (int n = 0; n < ctconv::rig::drawn(5000); ++n) {
    const Dtype types[] = {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16};
    Layer layer(random_conv(rng), engine_for(rng), rng(), types[pick(rng, 0, 9) < 7 ? 0 : pick(rng, 1, 3)]);
    CAPTURE(n, layer.c.in, layer.c.k, layer.c.s, layer.c.d, layer.c.lo, layer.c.hi, layer.c.extra, layer.c.tail);
    for (int cut = 0; cut < 2; ++cut) try_box(rng, layer);
  }
}

TEST_CASE("region: the whole output is a region too, and boxes of one shape share a plan", "[capi][region]") {
  Conv c;
  c.in = {40, 9};
  c.k = {4, 3};
  Layer l(c, "auto", 5, Dtype::kF32);
  const std::string plans = value_of(describe(l.op, nullptr), "plans");
  Box box{{0, 0}, {c.out(0), c.out(1)}};
  Tensor y(l.y.shape());
  ctconv_call call = call_of(&l.x, &y);
  call.begin = box.begin.data();
  call.end = box.end.data();
  check_box(l, box, call, &y);
  CHECK(value_of(describe(l.op, nullptr), "plans") == plans);  // it is the whole call

  Tensor rows(part_of(c, l.y, {0, 0}, {10, c.out(1)}).shape());
  call.y = rows.get();
  for (int64_t at = 10; at + 10 < c.out(0) - 10; at += 10) {
    box = {{at, 0}, {at + 10, c.out(1)}};
    call.begin = box.begin.data();
    call.end = box.end.data();
    check_box(l, box, call, &rows);
  }
  CHECK(std::stoi(value_of(describe(l.op, nullptr), "plans")) == std::stoi(plans) + 1);
}

TEST_CASE("region: a box far inside a huge output costs what a small one costs", "[capi][region]") {
  Desc d("torch.nn.ConvTranspose1d");
  d.set("in_channels", 2).set("out_channels", 3).set("kernel_size", 4).set("stride", 2);
  Tensor w({2, 3, 4});
  const Op op = create(d, &w.reals(1), nullptr);
  const int64_t length = int64_t{1} << 40, begin = int64_t{1} << 40, end = begin + 100;
  const int64_t whole[] = {1, 2, length};
  Tensor x({1, 2, 51}), y({1, 3, 100});
  const int64_t x_begin = (begin - 3 + 1) / 2;
  ctconv_call call = call_of(&x.reals(2), &y);
  call.begin = &begin;
  call.end = &end;
  call.x_begin = &x_begin;
  call.x_shape = whole;
  const Window window = window_of(op, call, 1);
  CHECK(window.begin[0] == x_begin);
  CHECK(window.end[0] - window.begin[0] == 51);
  size_t bytes = 0;
  Error e;
  REQUIRE(ctconv_prepare(op.get(), &call, &bytes, &e) == CTCONV_OK);
  CHECK(bytes < 1 << 20);
  run(op, call);
}

TEST_CASE("region: what does not fit is refused, and nothing is written", "[capi][region]") {
  Conv c;
  c.in = {9, 7};
  Layer l(c, "auto", 9, Dtype::kF32);
  const Shape begin = {2, 3}, end = {6, 8};
  Tensor y(part_of(c, l.y, begin, end).shape());
  ctconv_call call = call_of(&l.x, &y);
  const auto refuses = [&](ctconv_status want, const char* argument) {
    Error e;
    CAPTURE(e.message);
    refused(ctconv_execute(l.op.get(), &call, &e), e, want, argument);
    CHECK(y.untouched());
  };
  call.begin = begin.data();
  refuses(CTCONV_ERR_MISUSE_NULL, "call.end");
  call.begin = nullptr;
  call.end = end.data();
  refuses(CTCONV_ERR_MISUSE_NULL, "call.begin");
  call.begin = begin.data();
  const auto with = [&](Shape from, Shape to, const char* argument) {
    call.begin = from.data();
    call.end = to.data();
    refuses(CTCONV_ERR_MISUSE_REGION, argument);
  };
  with({-1, 3}, end, "begin");
  with({c.out(0), 3}, {c.out(0) + 1, 8}, "begin");
  with({2, 3}, {2, 8}, "end");
  with({2, 3}, {1, 8}, "end");
  with({2, 3}, {6, c.out(1) + 1}, "end");
  with({2, 3}, {INT64_MAX, 8}, "end");
  with({INT64_MIN, 3}, {INT64_MAX, 8}, "begin");
  call.begin = begin.data();
  call.end = end.data();
  const Window window = window_of(l.op, call, 2);
  Tensor part = part_of(c, l.x, window.begin, window.end), small(part_of(c, l.x, {3, 3}, {4, 4}));
  call.x_shape = l.x.shape().data();
  refuses(CTCONV_ERR_MISUSE_NULL, "call.x_begin");
  call.x_begin = window.begin.data();
  call.x = small.get();
  refuses(CTCONV_ERR_MISUSE_REGION, "x");
  call.x_shape = nullptr;
  refuses(CTCONV_ERR_MISUSE_REGION, "x");  // an x that ends there has a shorter output
  call.x = part.get();
  call.x_shape = l.x.shape().data();
  for (const Shape& off : {Shape{-1, 0}, Shape{window.begin[0], 7}, Shape{INT64_MAX, 0}, Shape{INT64_MIN, 0}}) {
    call.x_begin = off.data();
    refuses(CTCONV_ERR_MISUSE_REGION, "x_begin");
  }
  const Shape channels = {2, 5, 9, 7};
  call.x_shape = channels.data();
  call.x_begin = window.begin.data();
  refuses(CTCONV_ERR_MISUSE_REGION, "x_shape");
  const Shape tiny = {2, 4, 1, 1};
  call.x_shape = tiny.data();
  call.x_begin = window.begin.data();
  refuses(CTCONV_ERR_MISUSE_REGION, "x_shape");
  call.x_shape = l.x.shape().data();
  Tensor whole(l.y.shape());
  call.y = whole.get();
  refuses(CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  call.y = y.get();
  run(l.op, call);  // and after all this the right call runs
  CHECK(y.bits() == part_of(c, l.y, begin, end).bits());
}

TEST_CASE("region: where sizes follow from the extents of x its whole shape must be told", "[capi][region]") {
  Desc d("paddle.nn.Conv3DTranspose");
  d.set("in_channels", 2).set("out_channels", 3).set("kernel_size", 3).set("stride", 2).set("padding", "SAME");
  Tensor w({2, 3, 3, 3, 3});
  const Op op = create(d, &w.reals(1), nullptr);
  Tensor x({1, 2, 3, 4, 5}), window({1, 2, 2, 4, 5});
  const Shape begin = {0, 0, 0}, end = {2, 4, 6}, at = {0, 0, 0};
  ctconv_call call = call_of(&window, nullptr);
  call.begin = begin.data();
  call.end = end.data();
  call.x_begin = at.data();
  Error e;
  ctconv_spec spec;
  refused(ctconv_output_spec(op.get(), &call, &spec, &e), e, CTCONV_ERR_MISUSE_REGION, "x_shape");
  call.x_shape = x.shape().data();
  CHECK(ctconv_output_spec(op.get(), &call, &spec, &e) == CTCONV_OK);
}

TEST_CASE("region: ctconv_region_window judges its own pointers", "[capi][region]") {
  Conv c;
  Layer l(c, "auto", 3, Dtype::kF32);
  const Shape begin = {0, 0}, end = {1, 1};
  ctconv_call call = call_of(&l.x, nullptr);
  Error e;
  int64_t from[2], to[2];
  refused(ctconv_region_window(l.op.get(), &call, from, to, &e), e, CTCONV_ERR_MISUSE_NULL, "call.begin");
  call.begin = begin.data();
  call.end = end.data();
  refused(ctconv_region_window(nullptr, &call, from, to, &e), e, CTCONV_ERR_MISUSE_NULL, "op");
  refused(ctconv_region_window(l.op.get(), nullptr, from, to, &e), e, CTCONV_ERR_MISUSE_NULL, "call");
  refused(ctconv_region_window(l.op.get(), &call, nullptr, to, &e), e, CTCONV_ERR_MISUSE_NULL, "x_begin");
  refused(ctconv_region_window(l.op.get(), &call, from, nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "x_end");
  CHECK(ctconv_region_window(l.op.get(), &call, from, to, &e) == CTCONV_OK);
}
