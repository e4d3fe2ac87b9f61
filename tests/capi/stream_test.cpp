// SPDX-License-Identifier: Apache-2.0
// Streams: whatever the portions, what comes out is one whole call, to the bit.
#include <algorithm>
#include <memory>

#include "tests/capi/support.h"
#include "tests/rig/rounds.h"

using namespace capi;

namespace {

Conv random_line(std::mt19937_64& rng) {
  Conv c;
  c.n = pick(rng, 1, 2);
  c.groups = pick(rng, 0, 3) ? 1 : 2;
  c.ci = c.groups * pick(rng, 1, 3);
  c.co = c.groups * pick(rng, 1, 3);
  c.in = {pick(rng, 0, 4) ? pick(rng, 1, 40) : pick(rng, 1, 3)};
  c.k = {pick(rng, 1, 7)};
  c.s = {pick(rng, 1, 5)};
  c.d = {pick(rng, 0, 2) ? 1 : pick(rng, 2, 4)};
  c.lo = {pick(rng, 0, 6)};
  c.hi = {pick(rng, 0, 6)};
  c.extra = {pick(rng, 0, 2) ? 0 : pick(rng, 1, 6)};
  c.tail = {pick(rng, 0, 4) ? 0 : pick(rng, 1, 3)};
  c.last = pick(rng, 0, 1) == 1;
  c.bias = pick(rng, 0, 1) == 1;
  return c;
}

struct Destroy {
  void operator()(ctconv_stream* s) const { ctconv_stream_destroy(s); }
};
using Handle = std::unique_ptr<ctconv_stream, Destroy>;

Handle stream_of(const Op& op, int64_t n, const ctconv_stream_options* options = nullptr) {
  ctconv_stream* made = nullptr;
  Error e;
  const ctconv_status status = ctconv_stream_create(op.get(), n, options, &made, &e);
  CAPTURE(e.text());
  REQUIRE(status == CTCONV_OK);
  return Handle(made);
}

struct Layer {
  Conv c;
  Dtype type;
  Tensor x, w, b;
  Op op;

  Layer(const Conv& conv, const char* engine, uint64_t seed, Dtype of = Dtype::kF32)
      : c(conv), type(of), x(c.x_shape(), of), w(c.w_shape(), of), b({c.co}, of) {
    x.reals(seed);
    w.reals(seed + 1);
    b.reals(seed + 2);
    ctconv_options o = options_init();
    o.engine = engine;
    o.reproducible = 1;
    op = create(c.desc(), &w, c.bias ? &b : nullptr, &o);
  }
  int axis() const { return c.last ? 1 : 2; }
  Shape positions(const Shape& of, int64_t count) const {
    Shape shape = of;
    shape[static_cast<size_t>(axis())] = count;
    return shape;
  }
  // A view of x, `count` positions from `from` on.
  ctconv_tensor part(int64_t from, const Shape* shape) {
    ctconv_tensor t = *x.get();
    t.strides = x.strides().data();
    t.shape = shape->data();
    t.byte_offset = static_cast<uint64_t>(from * x.strides()[static_cast<size_t>(axis())]) * size_of(type);
    return t;
  }
};

// Appends the first `count` positions of `part` to `all`, from position `at` on.
void keep(const Layer& l, const Tensor& part, int64_t count, int64_t at, Tensor* all) {
  const auto axis = static_cast<size_t>(l.axis());
  for (int64_t n = 0; n < part.shape()[0]; ++n)
    for (int64_t ch = 0; ch < l.c.co; ++ch)
      for (int64_t o = 0; o < count; ++o) {
        Shape from = l.c.last ? Shape{n, o, ch} : Shape{n, ch, o}, to = from;
        to[axis] += at;
        all->set(to, part.at(from));
      }
}

int64_t push(ctconv_stream* s, Layer& l, int64_t from, int64_t count, int64_t at, Tensor* all) {
  const Shape shape = l.positions(l.x.shape(), count);
  const ctconv_tensor x = l.part(from, &shape);
  Error e;
  int64_t coming = -1, written = -1;
  REQUIRE(ctconv_stream_push(s, &x, nullptr, &coming, &e) == CTCONV_OK);
  Tensor y(l.positions(l.c.y_shape(), coming + from % 3), l.type);
  REQUIRE(ctconv_stream_push(s, &x, y.get(), &written, &e) == CTCONV_OK);
  CHECK(written == coming);
  CHECK(y.guarded());
  keep(l, y, written, at, all);
  return at + written;
}

int64_t flush(ctconv_stream* s, Layer& l, int64_t at, Tensor* all) {
  Error e;
  int64_t left = -1, written = -1;
  REQUIRE(ctconv_stream_flush(s, nullptr, &left, &e) == CTCONV_OK);
  Tensor y(l.positions(l.c.y_shape(), left), l.type);
  REQUIRE(ctconv_stream_flush(s, y.get(), &written, &e) == CTCONV_OK);
  CHECK(written == left);
  keep(l, y, written, at, all);
  return at + written;
}

ctconv_stream_options options_of(std::mt19937_64& rng) {
  ctconv_stream_options o = CTCONV_STREAM_OPTIONS_INIT;
  const int64_t chunks[] = {0, 1, 2, 5, 8};
  o.chunk = chunks[pick(rng, 0, 4)];
  o.parallel = pick(rng, 0, 4) == 0;
  return o;
}

// All of x in random portions; from a random place on in a clone, too.
void try_stream(std::mt19937_64& rng, Layer& l, const Tensor& want) {
  const ctconv_stream_options o = options_of(rng);
  Handle s = stream_of(l.op, l.c.n, &o);
  for (int round = 0; round < 2; ++round) {  // a flushed stream is as new
    Tensor all(l.c.y_shape(), l.type);
    int64_t from = 0, at = 0;
    while (from < l.c.in[0]) {
      const int64_t count = std::min(pick(rng, 0, 9), l.c.in[0] - from);
      at = push(s.get(), l, from, count, at, &all);
      from += count;
      if (pick(rng, 0, 7) == 0) {
        ctconv_stream* twin = nullptr;
        REQUIRE(ctconv_stream_clone(s.get(), &twin, nullptr) == CTCONV_OK);
        s.reset(twin);
      }
    }
    int64_t delay = 0;
    REQUIRE(ctconv_stream_delay(s.get(), &delay, nullptr) == CTCONV_OK);
    CHECK(at == std::max<int64_t>(0, l.c.in[0] * l.c.s[0] - delay));
    at = flush(s.get(), l, at, &all);
    CHECK(at == l.c.out(0));
    CHECK(all.bits() == want.bits());
  }
}

}  // namespace

TEST_CASE("stream: any portions of any signal give the bits of one whole call", "[capi][stream][cpu]") {
  const uint64_t seed = test_seed();
  CAPTURE(seed);
  std::mt19937_64 rng(seed);
  const Dtype types[] = {Dtype::kF32, Dtype::kF32, Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16};
  const char* engines[] = {"auto", "native", "reference"};
  for (int n = 0; n < ctconv::rig::drawn(5000);) {
    const Conv c = random_line(rng);
    CAPTURE(n, c.in, c.k, c.s, c.d, c.lo, c.hi, c.extra, c.tail, c.groups, c.last);
    if (c.core(0) < 1) continue;  // the pads eat all of it
    ++n;
    Layer l(c, engines[pick(rng, 0, 2)], rng(), types[pick(rng, 0, 5)]);
    Tensor want(c.y_shape(), l.type);
    run(l.op, call_of(&l.x, &want));
    try_stream(rng, l, want);
  }
}

TEST_CASE("stream: a signal too short for the pads is refused at the flush, and goes on", "[capi][stream][cpu]") {
  Conv c;
  c.in = {8};
  c.k = {3};
  c.s = {1};
  c.d = {1};
  c.lo = c.hi = {4};
  c.extra = c.tail = {0};
  Layer l(c, "auto", 1);
  const Handle s = stream_of(l.op, c.n);
  Tensor all(c.y_shape());
  int64_t at = push(s.get(), l, 0, 3, 0, &all), left = -1;
  Error e;
  refused(ctconv_stream_flush(s.get(), nullptr, &left, &e), e, CTCONV_ERR_SHAPE_OUTPUT_EMPTY);
  CHECK(left == 0);
  at = push(s.get(), l, 3, 5, at, &all);
  flush(s.get(), l, at, &all);
  Tensor want(c.y_shape());
  run(l.op, call_of(&l.x, &want));
  CHECK(all.bits() == want.bits());
}

TEST_CASE("stream: weights that are not finite spoil only what they meet", "[capi][stream][cpu]") {
  std::mt19937_64 rng(4);
  Conv c;
  c.in = {30};
  c.k = {5};
  c.s = {2};
  c.d = {2};
  c.lo = c.hi = {1};
  c.extra = c.tail = {0};
  Layer l(c, "auto", 2);
  l.w.set({0, 0, 4}, INFINITY);
  ctconv_options o = options_init();
  o.reproducible = 1;
  l.op = create(c.desc(), &l.w, &l.b, &o);
  Tensor want(c.y_shape());
  run(l.op, call_of(&l.x, &want));
  try_stream(rng, l, want);
}

TEST_CASE("stream: plans of one op, some of which must mend what an Inf spoils, share no packing",
          "[capi][stream][cpu]") {
  std::mt19937_64 rng(4);
  Conv c;
  c.n = c.ci = c.co = 1;
  c.in = {47};
  c.k = {6};
  c.s = {2};
  c.d = {3};
  c.lo = {0};
  c.hi = {3};
  c.extra = c.tail = {0};
  Layer l(c, "auto", 2);
  l.w.set({0, 0, 0}, INFINITY);
  ctconv_options o = options_init();
  o.engine = "reference";
  const Op reference = create(c.desc(), &l.w, &l.b, &o);
  Tensor want(c.y_shape());
  run(reference, call_of(&l.x, &want));
  o.engine = "auto";
  o.reproducible = 1;
  l.op = create(c.desc(), &l.w, &l.b, &o);
  try_stream(rng, l, want);
}

TEST_CASE("stream: long steps write y itself where it lies as they do", "[capi][stream][cpu]") {
  std::mt19937_64 rng(5);
  Conv c;
  c.n = c.groups = 1;
  c.ci = 2;
  c.co = 512;  // of 16 inputs the outputs are copied at most, of 128 a step writes y itself at most
  c.in = {400};
  c.k = {19};
  c.s = {16};
  c.d = {1};
  c.lo = c.hi = {1};
  c.extra = c.tail = {0};
  for (const bool last : {false, true}) {
    c.last = last;
    Layer l(c, "auto", 3);
    Tensor want(c.y_shape());
    run(l.op, call_of(&l.x, &want));
    const Handle s = stream_of(l.op, 1);
    Tensor all(c.y_shape());
    int64_t at = 0;
    for (int64_t from = 0; from < c.in[0];) {  // y has room for more where from is no multiple of 3, see push
      const int64_t portions[] = {3, 16, 32, 48, 64, 131}, count = std::min(portions[pick(rng, 0, 5)], c.in[0] - from);
      at = push(s.get(), l, from, count, at, &all);
      from += count;
    }
    flush(s.get(), l, at, &all);
    CHECK(all.bits() == want.bits());
  }
}

TEST_CASE("stream: a kernel that reaches far back", "[capi][stream][cpu]") {
  std::mt19937_64 rng(4);
  Conv c;
  c.in = {300};
  c.k = {3};
  c.s = {1};
  c.d = {100};
  c.lo = {7};
  c.hi = {3};
  c.extra = c.tail = {0};
  Layer l(c, "auto", 2);
  Tensor want(c.y_shape());
  run(l.op, call_of(&l.x, &want));
  try_stream(rng, l, want);
}

TEST_CASE("stream: what cannot be streamed is refused with its reason", "[capi][stream][cpu]") {
  ctconv_stream* s = nullptr;
  Error e;
  Conv c;
  c.in = {8};
  c.k = c.s = c.d = {2};
  c.lo = c.hi = c.extra = c.tail = {0};
  Layer l(c, "auto", 1);
  const auto refuses = [&](const ctconv_op* op, int64_t n, const ctconv_stream_options* o, ctconv_status want,
                           const char* argument) {
    CAPTURE(e.message);
    refused(ctconv_stream_create(op, n, o, &s, &e), e, want, argument);
    CHECK(s == nullptr);
  };
  refuses(nullptr, 1, nullptr, CTCONV_ERR_MISUSE_NULL, "op");
  refused(ctconv_stream_create(l.op.get(), 1, nullptr, nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "stream");
  refuses(l.op.get(), 0, nullptr, CTCONV_ERR_MISUSE_OPTION, "n");
  refuses(l.op.get(), -1, nullptr, CTCONV_ERR_MISUSE_OPTION, "n");
  ctconv_stream_options o = CTCONV_STREAM_OPTIONS_INIT;
  o.chunk = -1;
  refuses(l.op.get(), 1, &o, CTCONV_ERR_MISUSE_OPTION, "chunk");
  o.chunk = 65537;
  refuses(l.op.get(), 1, &o, CTCONV_ERR_MISUSE_OPTION, "chunk");
  o = CTCONV_STREAM_OPTIONS_INIT;
  o.parallel = 2;
  refuses(l.op.get(), 1, &o, CTCONV_ERR_MISUSE_OPTION, "parallel");
  o = CTCONV_STREAM_OPTIONS_INIT;
  o.reserved = 1;
  CHECK(ctconv_stream_create(l.op.get(), 1, &o, &s, &e) == CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  CHECK(s == nullptr);
  refuses(create(c.desc(), nullptr, nullptr).get(), 1, nullptr, CTCONV_ERR_MISUSE_WEIGHT_MISSING, "weight");
  Conv plane;
  Layer two(plane, "auto", 1);
  refuses(two.op.get(), 1, nullptr, CTCONV_ERR_UNSUPPORTED_STREAM, "op");
}

TEST_CASE("stream: bad tensors are refused, nothing is written, and the stream goes on", "[capi][stream][cpu]") {
  Conv c;
  c.in = {8};
  c.k = {4};
  c.s = {2};
  c.d = {1};
  c.lo = c.hi = {1};
  c.extra = c.tail = {0};
  Layer l(c, "auto", 1);
  const Handle s = stream_of(l.op, c.n);
  Tensor all(c.y_shape()), want(c.y_shape());
  run(l.op, call_of(&l.x, &want));
  int64_t at = push(s.get(), l, 0, 3, 0, &all), written = -1;
  Error e;
  Tensor y({2, 6, 4});
  const auto refuses = [&](const ctconv_tensor* x, const ctconv_tensor* to, ctconv_status status,
                           const char* argument) {
    written = -1;
    refused(ctconv_stream_push(s.get(), x, to, &written, &e), e, status, argument);
    CHECK(written == 0);
    CHECK(y.untouched());
  };
  const Shape two = {2, 4, 2};
  const ctconv_tensor good = l.part(3, &two);
  refuses(nullptr, y.get(), CTCONV_ERR_MISUSE_NULL, "x");
  ctconv_tensor halves = good;  // the weight was judged long ago: it is not to blame
  halves.dtype_bits = 16;
  refuses(&halves, y.get(), CTCONV_ERR_TYPE_DTYPE_MISMATCH, "input");
  CHECK(std::string(e.value) == "float16");
  CHECK(std::string(e.range) == "float32");
  refused(ctconv_stream_push(nullptr, &good, y.get(), &written, &e), e, CTCONV_ERR_MISUSE_NULL, "stream");
  refused(ctconv_stream_push(s.get(), &good, y.get(), nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "written");
  for (const Shape& shape : {Shape{2, 5, 2}, Shape{2, 4}, Shape{2, 4, 2, 1}}) {
    Tensor x(shape);
    written = -1;
    CHECK(ctconv_stream_push(s.get(), x.get(), y.get(), &written, &e) / 1000 == 3);
    CHECK(y.untouched());
  }
  Tensor other({3, 4, 2}), wide({2, 4, 2}, Dtype::kF64);
  refuses(other.get(), y.get(), CTCONV_ERR_MISUSE_TENSOR, "x");
  written = -1;
  CHECK(ctconv_stream_push(s.get(), wide.get(), y.get(), &written, &e) / 1000 == 1);
  Tensor small({2, 6, 3}), channels({2, 5, 4}), batch({1, 6, 4}), type({2, 6, 4}, Dtype::kF64);
  refuses(&good, small.get(), CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  refuses(&good, channels.get(), CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  refuses(&good, batch.get(), CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  refuses(&good, type.get(), CTCONV_ERR_MISUSE_Y_DTYPE, "y");
  Tensor over({2, 6, 4}, {24, 4, 0});
  refuses(&good, over.get(), CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
  refused(ctconv_stream_flush(s.get(), small.get(), nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "written");
  at = push(s.get(), l, 3, 5, at, &all);
  flush(s.get(), l, at, &all);
  CHECK(all.bits() == want.bits());
  CHECK(ctconv_stream_reset(nullptr, &e) == CTCONV_ERR_MISUSE_NULL);
  ctconv_stream_destroy(nullptr);
}
