// SPDX-License-Identifier: Apache-2.0
// ctconv_backward: the gradients by their definition, every refusal once, accumulation, temporaries, plans.
//
//   in:  small integers, whose sums are exact in f32;   out: dx, dw, db equal to sums over the taps in double
#include <cmath>
#include <map>

#include "tests/capi/support.h"

using namespace capi;

namespace {

struct Grads : ctconv_grads {
  Grads() : ctconv_grads CTCONV_GRADS_INIT {}
};

// An op, its tensors, and a call that wants all three gradients.
struct Fixture {
  Conv conv;
  Desc desc;
  Tensor x, y, dy, w, dx, dw, db;
  Op op;
  Error error;
  Grads grads;

  explicit Fixture(Conv c = {}, Dtype type = Dtype::kF32, const ctconv_options* options = nullptr)
      : conv(std::move(c)),
        desc(conv.desc()),
        x(conv.x_shape(), type),
        y(conv.y_shape(), type),
        dy(conv.y_shape(), type),
        w(conv.w_shape(), type),
        dx(conv.x_shape(), type),
        dw(conv.w_shape(), type),
        db({conv.co}, type) {
    x.integers(1);
    w.integers(2);
    dy.integers(3);
    op = create(desc, &w, nullptr, options);
    grads.dy = dy.get();
    grads.x = x.get();
    grads.dx = dx.get();
    grads.dw = dw.get();
    grads.db = db.get();
  }
  ctconv_status run() { return ctconv_backward(op.get(), &grads, &error); }
  bool nothing_written() const { return dx.untouched() && dw.untouched() && db.untouched(); }
  bool guarded() const { return dx.guarded() && dw.guarded() && db.guarded(); }
};

// f(n, group, ci, co, i, t, o) for every product of the forward pass; indices of channels are within their group.
template <class F>
void each_product(const Conv& c, F&& f) {
  const int64_t ci = c.ci / c.groups, co = c.co / c.groups;
  for (int64_t all = 0; all < c.n * c.groups * ci * co * c.in[0] * c.in[1] * c.k[0] * c.k[1]; ++all) {
    int64_t rest = all;
    const auto digit = [&](int64_t extent) {
      const int64_t d = rest % extent;
      rest /= extent;
      return d;
    };
    const Shape t = {digit(c.k[0]), digit(c.k[1])}, i = {digit(c.in[0]), digit(c.in[1])};
    const int64_t o_channel = digit(co), i_channel = digit(ci), g = digit(c.groups), n = digit(c.n);
    Shape o(2);
    bool inside = true;
    for (size_t a = 0; a < 2; ++a) {
      o[a] = i[a] * c.s[a] + t[a] * c.d[a] - c.lo[a];
      inside = inside && o[a] >= 0 && o[a] < c.core(a);
    }
    if (inside) f(n, g, i_channel, o_channel, i, t, o);
  }
}

using Sums = std::map<Shape, double>;

void check_sums(const Tensor& got, const Sums& want, double start) {
  Sums all = want;
  Shape index(got.shape().size(), 0);
  for (size_t k = 0; k < got.values().size(); ++k) {
    size_t rest = k;
    for (size_t a = index.size(); a-- > 0;) {
      index[a] = static_cast<int64_t>(rest) % got.shape()[a];
      rest /= static_cast<size_t>(got.shape()[a]);
    }
    REQUIRE(got.at(index) == all[index] + start);
  }
}

// All three gradients of a channels-first call, against the definition.
void check_gradients(const Fixture& f, double start = 0) {
  const Conv& c = f.conv;
  const int64_t ci = c.ci / c.groups, co = c.co / c.groups;
  Sums dx, dw, db;
  each_product(c, [&](int64_t n, int64_t g, int64_t in, int64_t out, const Shape& i, const Shape& t, const Shape& o) {
    const Shape at_x = {n, g * ci + in, i[0], i[1]}, at_w = {g * ci + in, out, t[0], t[1]};
    const double dy = f.dy.at({n, g * co + out, o[0], o[1]});
    dx[at_x] += dy * f.w.at(at_w);
    dw[at_w] += dy * f.x.at(at_x);
  });
  for (int64_t n = 0; n < c.n; ++n) {
    for (int64_t o = 0; o < c.co; ++o) {
      for (int64_t at = 0; at < c.core(0) * c.core(1); ++at) {
        db[{o}] += f.dy.at({n, o, at / c.core(1), at % c.core(1)});
      }
    }
  }
  check_sums(f.dx, dx, start);
  check_sums(f.dw, dw, start);
  check_sums(f.db, db, start);
  CHECK(f.guarded());
}

#define REFUSES(f, want, argument)                 \
  do {                                             \
    refused((f).run(), (f).error, want, argument); \
    CHECK((f).nothing_written());                  \
  } while (false)

}  // namespace

TEST_CASE("backward: the three gradients by their definition, groups, dilation, uneven pads, tails", "[capi]") {
  std::vector<Conv> convs(4);
  convs[1].groups = 2;
  convs[1].lo = {0, 2};
  convs[1].hi = {1, 0};
  convs[2].d = {2, 1};
  convs[2].s = {1, 3};
  convs[2].extra = {0, 4};
  convs[3].tail = {1, 2};
  for (const Conv& c : convs) {
    for (Dtype type : {Dtype::kF32, Dtype::kF64}) {
      Fixture f(c, type);
      REQUIRE(f.run() == CTCONV_OK);
      check_gradients(f);
    }
  }
}

TEST_CASE("backward: gradients are added to what is there", "[capi]") {
  Fixture f;
  f.dx.constant(5);
  f.dw.constant(5);
  f.db.constant(5);
  f.grads.accumulate = 1;
  REQUIRE(f.run() == CTCONV_OK);
  check_gradients(f, 5);
}

TEST_CASE("backward: any of the three alone, x only where it is read", "[capi]") {
  Fixture all;
  REQUIRE(all.run() == CTCONV_OK);
  for (int which = 0; which < 3; ++which) {
    Fixture f;
    ctconv_tensor shape = *f.x.get();
    shape.data = nullptr;
    f.grads.x = which == 1 ? f.x.get() : which == 0 ? nullptr : &shape;
    if (which != 0) f.grads.dx = nullptr;
    if (which != 1) f.grads.dw = nullptr;
    if (which != 2) f.grads.db = nullptr;
    REQUIRE(f.run() == CTCONV_OK);
    CHECK((which == 0 ? f.dx.bits() == all.dx.bits() : f.dx.untouched()));
    CHECK((which == 1 ? f.dw.bits() == all.dw.bits() : f.dw.untouched()));
    CHECK((which == 2 ? f.db.bits() == all.db.bits() : f.db.untouched()));
  }
}

TEST_CASE("backward: dw and db of 16-bit layers in float32, with the weight or without", "[capi]") {
  for (const Dtype type : {Dtype::kF16, Dtype::kBf16}) {
    Fixture f({}, type);
    Tensor dw(f.conv.w_shape(), Dtype::kF32), db({f.conv.co}, Dtype::kF32);
    REQUIRE(f.run() == CTCONV_OK);
    f.grads.dw = dw.get();
    f.grads.db = db.get();
    REQUIRE(f.run() == CTCONV_OK);
    CHECK(dw.values() == f.dw.values());  // small integers: rounding changes nothing
    CHECK(db.values() == f.db.values());
    Op bare = create(f.desc, nullptr, nullptr);
    Tensor again(f.conv.w_shape(), Dtype::kF32);
    f.grads.dx = nullptr;
    f.grads.dw = again.get();
    REQUIRE(ctconv_backward(bare.get(), &f.grads, &f.error) == CTCONV_OK);
    CHECK(again.values() == dw.values());
    Tensor wrong(f.conv.w_shape(), Dtype::kF64);
    f.grads.dw = wrong.get();
    refused(f.run(), f.error, CTCONV_ERR_MISUSE_Y_DTYPE, "dw");
  }
}

TEST_CASE("backward: an empty batch has gradients of zero", "[capi]") {
  Conv c;
  c.n = 0;
  Fixture f(c);
  REQUIRE(f.run() == CTCONV_OK);
  for (double v : f.dw.values()) CHECK(v == 0);
  for (double v : f.db.values()) CHECK(v == 0);
}

TEST_CASE("backward: through a relu by the sign of y", "[capi]") {
  ctconv_options options = options_init();
  options.activation = CTCONV_ACTIVATION_RELU;
  Fixture f({}, Dtype::kF32, &options);
  run(f.op, call_of(&f.x, &f.y));
  f.grads.y = f.y.get();
  REQUIRE(f.run() == CTCONV_OK);
  Fixture masked;  // without an activation, of dy masked by hand
  const std::vector<double> y = f.y.values();
  Shape index(4, 0);
  const Shape& shape = f.y.shape();
  for (size_t k = 0; k < y.size(); ++k) {
    size_t rest = k;
    for (size_t a = 4; a-- > 0;) {
      index[a] = static_cast<int64_t>(rest) % shape[a];
      rest /= static_cast<size_t>(shape[a]);
    }
    if (y[k] <= 0) masked.dy.set(index, 0);
  }
  REQUIRE(masked.run() == CTCONV_OK);
  CHECK(f.dx.bits() == masked.dx.bits());
  CHECK(f.dw.bits() == masked.dw.bits());
  CHECK(f.db.bits() == masked.db.bits());
}

TEST_CASE("backward: the same bits for any number of threads", "[capi][cpu]") {
  ctconv_options options = options_init();
  std::vector<std::vector<unsigned char>> bits;
  for (int32_t threads : {1, 2, 5}) {
    options.threads = threads;
    Fixture f({}, Dtype::kF32, &options);
    f.x.reals(5);
    f.dy.reals(6);
    REQUIRE(f.run() == CTCONV_OK);
    bits.push_back(f.dx.bits());
    for (const unsigned char byte : f.dw.bits()) bits.back().push_back(byte);
  }
  CHECK(bits[0] == bits[1]);
  CHECK(bits[0] == bits[2]);
}

TEST_CASE("backward: what a gradient lacks is refused by its name, nothing is written", "[capi][misuse]") {
  Fixture f;
  const Grads good = f.grads;
  const auto refuses = [&](ctconv_status want, const char* argument) {
    REFUSES(f, want, argument);
    f.grads = good;
  };
  f.grads.dy = nullptr;
  refuses(CTCONV_ERR_MISUSE_NULL, "grads.dy");
  f.grads.dx = f.grads.dw = f.grads.db = nullptr;
  refuses(CTCONV_ERR_MISUSE_NULL, "grads");
  f.grads.x = nullptr;
  refuses(CTCONV_ERR_MISUSE_NULL, "grads.x");
  f.grads.x = f.grads.dx = nullptr;
  f.grads.dw = nullptr;
  refuses(CTCONV_ERR_MISUSE_NULL, "grads.x");
  f.grads.weight = f.w.get();
  refuses(CTCONV_ERR_MISUSE_WEIGHT_TWICE, "weight");
  f.grads.accumulate = 2;
  refuses(CTCONV_ERR_MISUSE_OPTION, "accumulate");
  f.grads.reserved = 1;
  CHECK(f.run() == CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  f.grads = good;
  f.grads.workspace_bytes = 8;
  refuses(CTCONV_ERR_MISUSE_WORKSPACE, "workspace");
  if (test_device().cpu()) {
    f.grads.stream = &f;
    refuses(CTCONV_ERR_MISUSE_STREAM, "stream");
  }
  f.grads.struct_size = 8;
  refuses(CTCONV_ERR_MISUSE_STRUCT_SIZE, "ctconv_grads");
  Tensor other({1, 2, 3, 4}), doubles(f.conv.y_shape(), Dtype::kF64);
  f.grads.dy = other.get();
  refuses(CTCONV_ERR_MISUSE_Y_SHAPE, "dy");
  f.grads.dy = doubles.get();
  refuses(CTCONV_ERR_MISUSE_Y_DTYPE, "dy");
  f.grads.dx = other.get();
  refuses(CTCONV_ERR_MISUSE_Y_SHAPE, "dx");
  f.grads.dw = other.get();
  refuses(CTCONV_ERR_MISUSE_Y_SHAPE, "dw");
  f.grads.db = other.get();
  refuses(CTCONV_ERR_MISUSE_Y_SHAPE, "db");
  REQUIRE(f.run() == CTCONV_OK);
}

TEST_CASE("backward: a gradient that meets another tensor or itself is refused", "[capi][misuse]") {
  Fixture f;
  const Grads good = f.grads;
  f.grads.dx = f.x.get();
  refused(f.run(), f.error, CTCONV_ERR_MISUSE_Y_OVERLAP, "dx");
  f.grads = good;
  ctconv_tensor in_x = *f.dw.get();
  in_x.data = f.x.data();
  f.grads.dw = &in_x;
  refused(f.run(), f.error, CTCONV_ERR_MISUSE_Y_OVERLAP, "dw");
  f.grads = good;
  Tensor folded({f.conv.co}, {0});
  f.grads.db = folded.get();
  refused(f.run(), f.error, CTCONV_ERR_MISUSE_Y_OVERLAP, "db");
  f.grads = good;
  f.grads.workspace = f.dw.data();
  f.grads.workspace_bytes = 64;
  refused(f.run(), f.error, CTCONV_ERR_MISUSE_Y_OVERLAP, "dw");
  CHECK(f.nothing_written());
}

TEST_CASE("backward: activations need y, and a slope that y tells", "[capi][misuse]") {
  ctconv_options options = options_init();
  options.activation = CTCONV_ACTIVATION_LEAKY_RELU;
  options.activation_alpha = -0.5;
  Fixture f({}, Dtype::kF32, &options);
  REFUSES(f, CTCONV_ERR_MISUSE_NULL, "grads.y");
  run(f.op, call_of(&f.x, &f.y));
  f.grads.y = f.y.get();
  REFUSES(f, CTCONV_ERR_MISUSE_ACTIVATION, "activation_alpha");
}

TEST_CASE("backward: an engine without gradients refuses", "[capi][misuse][cpu]") {
  bool built = false;
  for (int32_t n = 0; n < ctconv_engine_count(); ++n) built |= std::string(ctconv_engine_name(n)) == "onednn";
  if (!built) SKIP("built without oneDNN, the engine without gradients");
  ctconv_options options = options_init();
  options.engine = "onednn";
  Fixture f({}, Dtype::kF32, &options);
  refused(f.run(), f.error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
}

TEST_CASE("backward: a workspace too small is refused", "[capi][misuse]") {
  Fixture g;
  g.grads.accumulate = 1;
  size_t bytes = 0;
  REQUIRE(ctconv_backward_prepare(g.op.get(), &g.grads, &bytes, &g.error) == CTCONV_OK);
  REQUIRE(bytes > 1);
  std::vector<char> room(bytes);
  g.grads.workspace = room.data();
  g.grads.workspace_bytes = bytes - 1;
  REFUSES(g, CTCONV_ERR_WORKSPACE_SIZE, "workspace_bytes");
  g.grads.workspace_bytes = bytes;
  CHECK(g.run() == CTCONV_OK);
}

TEST_CASE("backward: describe names both plans", "[capi]") {
  Fixture f;
  size_t needed = 0;
  REQUIRE(ctconv_backward_describe(f.op.get(), &f.grads, nullptr, 0, &needed, &f.error) == CTCONV_OK);
  std::string text(needed, '\0');
  REQUIRE(ctconv_backward_describe(f.op.get(), &f.grads, text.data(), needed, &needed, &f.error) == CTCONV_OK);
  for (const char* key : {"workspace_bytes: ", "dx.engine: ", "dx.bits: ", "dw.engine: ", "dw.problem: written=w"}) {
    INFO(key);
    CHECK(text.find(key) != std::string::npos);
  }
}
