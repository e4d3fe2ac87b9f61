// The reference against the definition, and against properties of a transposed convolution.
#include "src/engine/reference/reference.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>

#include "src/base/activation.h"
#include "src/base/half.h"
#include "src/base/pool.h"
#include "tests/engine/support.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

constexpr Dtype kAll[] = {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kF64};

template <class T>
T activated(const Activation& act, T v) {
  switch (act.kind) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      return relu(v);
    case Activation::kLeakyRelu:
      return leaky_relu(v, static_cast<T>(act.alpha));
    case Activation::kTanh:
      return tanh_exact_steps(v);
    case Activation::kSigmoid:
      return sigmoid_exact_steps(v);
    case Activation::kClip:
      return clip(v, static_cast<T>(act.alpha), static_cast<T>(act.beta));
  }
  return v;
}

double rounded(Dtype t, double v) {
  uint64_t memory = 0;
  store(&memory, t, 0, v);
  return load(&memory, t, 0);
}

// The chain as design words it, one element at a time, every tap tried.
template <class T>
std::vector<double> naive_chain(const Case& c) {
  const Problem& p = c.p;
  const auto& a = p.axis;
  std::vector<double> y;
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t ch = 0; ch < p.groups * p.co; ++ch)
      for (int64_t od = 0; od < a[0].o; ++od)
        for (int64_t oh = 0; oh < a[1].o; ++oh)
          for (int64_t ov = 0; ov < a[2].o; ++ov) {
            T acc = 0;
            const int64_t g = ch / p.co;
            const auto input = [](const Axis& x, int64_t o, int64_t t) {
              const int64_t at = o + x.lo - t * x.d;
              return at >= 0 && at % x.s == 0 && at / x.s < x.i ? at / x.s : -1;
            };
            for (int64_t ci = 0; ci < p.ci; ++ci)
              for (int64_t td = 0; td < a[0].k; ++td)
                for (int64_t th = 0; th < a[1].k; ++th)
                  for (int64_t tv = 0; tv < a[2].k; ++tv) {
                    const int64_t d = input(a[0], od, td), h = input(a[1], oh, th), v = input(a[2], ov, tv);
                    if (d < 0 || h < 0 || v < 0) continue;
                    acc = std::fma(static_cast<T>(c.x_at(n, g * p.ci + ci, d, h, v)),
                                   static_cast<T>(c.w_at(g, ci, ch % p.co, td, th, tv)), acc);
                  }
            y.push_back(rounded(p.types.x, activated(p.epilogue.activation, acc + static_cast<T>(c.bias_at(ch)))));
          }
  return y;
}

}  // namespace

TEST_CASE("reference: small integers are exact, any view", "[reference]") {
  Rng rng(1);
  for (int round = 0; round < 400; ++round) {
    Problem p = random_problem(rng, kAll[round % 4], round % 3 == 0 ? Layouts::kDense : Layouts::kAny);
    p.epilogue.activation = {};
    const Case c = make_case(p, rng, Values::kSmallInteger);
    INFO(describe(p));
    const Answer got = run(kReferenceEngine, c);
    REQUIRE(got.status.ok());
    std::vector<double> want = scatter(c);
    for (double& v : want) v = rounded(p.types.x, v);
    REQUIRE(got.y == want);
  }
}

TEST_CASE("reference: its bits are those of the written chain", "[reference]") {
  Rng rng(2);
  for (int round = 0; round < 400; ++round) {
    const Problem p = random_problem(rng, kAll[round % 4], Layouts::kAny);
    const Case c = make_case(p, rng, Values::kReal);
    INFO(describe(p));
    const Answer got = run(kReferenceEngine, c);
    REQUIRE(got.status.ok());
    REQUIRE(got.y == (p.types.x == Dtype::kF64 ? naive_chain<double>(c) : naive_chain<float>(c)));
  }
}

TEST_CASE("reference: the split over threads changes no bit", "[reference]") {
  PoolHold hold;
  Rng rng(3);
  for (int round = 0; round < 60; ++round) {
    const Case c = make_case(random_problem(rng, kAll[round % 4], Layouts::kAny), rng, Values::kReal);
    const Answer one = run(kReferenceEngine, c);
    for (int32_t threads : {2, 3, 7}) REQUIRE(run(kReferenceEngine, c, {}, pool_runner(threads)).bits == one.bits);
  }
}

TEST_CASE("reference: wide rows, long strides, far dilations", "[reference]") {
  Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    Problem p;
    p.types = uniform_types(Dtype::kF64);
    p.ci = 2;
    Axis& a = p.axis[2];
    do {
      a = {pick(rng, 1, 70), 1, pick(rng, 1, 9), pick(rng, 1, 12), pick(rng, 1, 12), pick(rng, 0, 20), 0};
      a.o = (a.i - 1) * a.s + a.d * (a.k - 1) + 1 - a.lo + pick(rng, -9, 30);
    } while (a.o < 1);
    lay_out(&p, false, false);
    const Case c = make_case(p, rng, Values::kSmallInteger);
    INFO(describe(p));
    REQUIRE(run(kReferenceEngine, c).y == scatter(c));
  }
  Problem p;  // steps near the end of int64: nothing may overflow
  p.axis[2] = {1, 5, 2, int64_t{1} << 62, int64_t{1} << 61, (int64_t{1} << 61) - 2, 0};
  lay_out(&p, false, false);
  const Case c = make_case(p, rng, Values::kSmallInteger);
  const double x = c.x_at(0, 0, 0, 0, 0), w = c.w_at(0, 0, 0, 0, 0, 1);
  REQUIRE(run(kReferenceEngine, c).y == std::vector<double>{0, 0, x * w, 0, 0});
}

TEST_CASE("reference: adjoint of a plain convolution", "[reference]") {
  // <T x, z> == <x, C z>, C z[n, g*ci + c, i] = sum over co, t of z[o] * w[g, c, co, t] with o = i*s + t*d - lo
  Rng rng(5);
  for (int round = 0; round < 60; ++round) {
    Problem p = random_problem(rng, Dtype::kF64, Layouts::kDense);
    p.epilogue.activation = {};
    p.epilogue.bias = false;
    for (Axis& x : p.axis) x.tail = 0;
    lay_out(&p, false, false);
    const Case c = make_case(p, rng, Values::kSmallInteger);
    const std::vector<double> y = run(kReferenceEngine, c).y;
    std::vector<double> z(y.size());
    for (double& v : z) v = static_cast<double>(pick(rng, -4, 4));
    double left = 0, right = 0;
    for (size_t k = 0; k < y.size(); ++k) left += y[k] * z[k];
    const auto& a = p.axis;
    for (int64_t n = 0; n < p.n; ++n)
      for (int64_t ch = 0; ch < p.groups * p.ci; ++ch)
        for (int64_t d = 0; d < a[0].i; ++d)
          for (int64_t h = 0; h < a[1].i; ++h)
            for (int64_t v = 0; v < a[2].i; ++v) {
              double sum = 0;
              const int64_t g = ch / p.ci;
              for (int64_t co = 0; co < p.co; ++co)
                for (int64_t td = 0; td < a[0].k; ++td)
                  for (int64_t th = 0; th < a[1].k; ++th)
                    for (int64_t tv = 0; tv < a[2].k; ++tv) {
                      const int64_t od = d * a[0].s + td * a[0].d - a[0].lo, oh = h * a[1].s + th * a[1].d - a[1].lo,
                                    ov = v * a[2].s + tv * a[2].d - a[2].lo;
                      if (od < 0 || oh < 0 || ov < 0 || od >= a[0].o || oh >= a[1].o || ov >= a[2].o) continue;
                      const int64_t plane = (n * p.groups + g) * p.co + co;
                      sum += z[static_cast<size_t>(((plane * a[0].o + od) * a[1].o + oh) * a[2].o + ov)] *
                             c.w_at(g, ch % p.ci, co, td, th, tv);
                    }
              right += c.x_at(n, ch, d, h, v) * sum;
            }
    INFO(describe(p));
    REQUIRE(left == right);
  }
}

TEST_CASE("reference: linear in x and in w", "[reference]") {
  Rng rng(6);
  for (int round = 0; round < 40; ++round) {
    Problem p = random_problem(rng, Dtype::kF64, Layouts::kAny);
    p.epilogue.activation = {};
    p.epilogue.bias = false;
    Case one = make_case(p, rng, Values::kSmallInteger), two = one, sum = one;
    Memory Case::*part = round % 2 == 0 ? &Case::x : &Case::w;
    auto* a = reinterpret_cast<double*>((one.*part).bytes.data());
    auto* b = reinterpret_cast<double*>((two.*part).bytes.data());
    auto* s = reinterpret_cast<double*>((sum.*part).bytes.data());
    for (size_t k = 0; k < (one.*part).bytes.size() / 8; ++k) {
      b[k] = static_cast<double>(pick(rng, -4, 4));
      s[k] = 3 * a[k] - 2 * b[k];
    }
    const auto y1 = run(kReferenceEngine, one).y, y2 = run(kReferenceEngine, two).y;
    auto want = y1;
    for (size_t k = 0; k < want.size(); ++k) want[k] = 3 * y1[k] - 2 * y2[k];
    REQUIRE(run(kReferenceEngine, sum).y == want);
  }
}

TEST_CASE("reference: groups are problems side by side, so are images", "[reference]") {
  Rng rng(7);
  for (int round = 0; round < 60; ++round) {
    Problem p = random_problem(rng, kAll[round % 4], Layouts::kAny);
    p.epilogue.bias = false;
    const Case c = make_case(p, rng, Values::kReal);
    const Answer whole = run(kReferenceEngine, c);
    std::vector<uint64_t> parts;
    Problem one = p;
    one.n = one.groups = 1;
    for (int64_t n = 0; n < p.n; ++n) {
      for (int64_t g = 0; g < p.groups; ++g) {
        Case part{one, c.x, c.w, {}};
        part.x.origin += n * p.x.n + g * p.ci * p.x.c;
        part.w.origin += g * p.w.g;
        const Answer y = run(kReferenceEngine, part);
        parts.insert(parts.end(), y.bits.begin(), y.bits.end());
      }
    }
    REQUIRE(parts == whole.bits);
  }
}

TEST_CASE("reference: an absent bias is +0, and an empty problem a no-op", "[reference]") {
  Rng rng(8);
  Problem p;
  lay_out(&p, false, false);
  Case c = make_case(p, rng, Values::kReal);
  store(c.x.data(p.types.x), p.types.x, 0, std::numeric_limits<float>::denorm_min());
  store(c.w.data(p.types.x), p.types.x, 0, -0.25);
  REQUIRE(run(kReferenceEngine, c).bits == std::vector<uint64_t>{0});  // the sum alone would be -0
  p.n = 0;
  c.p = p;
  REQUIRE(run(kReferenceEngine, c).status.ok());
}
