// SPDX-License-Identifier: Apache-2.0
// The reference against the definition, and against properties of a transposed convolution.
#include "src/engine/reference/reference.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>

#include "src/base/pool.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

constexpr Dtype kAll[] = {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kF64};

std::vector<double> in_f64(const Case& c) {
  std::vector<double> values;
  for (const Exact& e : defined_in_f64(c.p, c.operand())) values.push_back(e.value);
  return values;
}

}  // namespace

TEST_CASE("reference: small integers are exact, any view", "[reference]") {
  Rng rng(1);
  for (int round = 0; round < 400; ++round) {
    Problem p = random_of(rng, kAll[round % 4], round % 3 == 0 ? Layouts::kDense : Layouts::kViews);
    p.epilogue.activation = {};
    const Case c = make_case(p, rng, Values::kSmallInteger);
    INFO(to_text(p));
    std::vector<double> want = in_f64(c);
    for (double& v : want) v = rounded(p.types.y, v);
    REQUIRE(values_of(kReferenceEngine, c) == want);
  }
}

TEST_CASE("reference: its bits are those of the written chain", "[reference]") {
  Rng rng(2);
  for (int round = 0; round < 400; ++round) {
    const Problem p = random_of(rng, kAll[round % 4], Layouts::kViews);
    const Case c = make_case(p, rng, Values::kReal);
    INFO(to_text(p));
    const Outcome got = checked(kReferenceEngine, c);
    REQUIRE(got.status.ok());
    REQUIRE(difference(got.written, defined(p, c.operand())).empty());
  }
}

TEST_CASE("reference: the split over threads changes no bit", "[reference]") {
  PoolHold hold;
  Rng rng(3);
  for (int round = 0; round < 60; ++round) {
    const Case c = make_case(random_of(rng, kAll[round % 4], Layouts::kViews), rng, Values::kReal);
    const Outcome one = checked(kReferenceEngine, c);
    for (int32_t threads : {2, 3, 7}) {
      REQUIRE(checked(kReferenceEngine, c, {}, pool_runner(threads)).written.bits == one.written.bits);
    }
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
    INFO(to_text(p));
    REQUIRE(values_of(kReferenceEngine, c) == in_f64(c));
  }
  Problem p;  // steps near the end of int64: nothing may overflow
  p.axis[2] = {1, 5, 2, int64_t{1} << 62, int64_t{1} << 61, (int64_t{1} << 61) - 2, 0};
  lay_out(&p, false, false);
  const Case c = make_case(p, rng, Values::kSmallInteger);
  const double x = load(c.x.data(p.types.x), p.types.x, 0), w = load(c.w.data(p.types.w), p.types.w, 1);
  REQUIRE(values_of(kReferenceEngine, c) == std::vector<double>{0, 0, x * w, 0, 0});
  REQUIRE(in_f64(c) == std::vector<double>{0, 0, x * w, 0, 0});
}

TEST_CASE("reference: adjoint of a plain convolution", "[reference]") {
  // <T x, z> == <x, C z>; C z is the data gradient, by its definition and by the reference's own kernel
  Rng rng(5);
  for (int round = 0; round < 60; ++round) {
    Problem p = random_of(rng, Dtype::kF64, Layouts::kDense);
    p.epilogue = {};
    for (Axis& x : p.axis) x.tail = 0;
    lay_out(&p, false, false);
    const Case c = make_case(p, rng, Values::kSmallInteger);
    Case back = c;
    back.p.written = Written::kX;
    back.y.bytes.resize(static_cast<size_t>(p.out_elements()) * sizeof(double));
    std::vector<double> z;
    for (int64_t k = 0; k < p.out_elements(); ++k) {
      z.push_back(static_cast<double>(pick(rng, -4, 4)));
      store(back.y.bytes.data(), Dtype::kF64, k, z.back());
    }
    const std::vector<double> y = values_of(kReferenceEngine, c), x = defined(back.p, back.operand()).values;
    double left = 0, right = 0;
    for (size_t k = 0; k < y.size(); ++k) left += y[k] * z[k];
    for (size_t k = 0; k < x.size(); ++k) right += x[k] * load(c.x.bytes.data(), Dtype::kF64, static_cast<int64_t>(k));
    INFO(to_text(p));
    REQUIRE(left == right);
    REQUIRE(values_of(kReferenceEngine, back) == x);
  }
}

TEST_CASE("reference: linear in x and in w", "[reference]") {
  Rng rng(6);
  for (int round = 0; round < 40; ++round) {
    Problem p = random_of(rng, Dtype::kF64, Layouts::kViews);
    p.epilogue = {};
    Case one = make_case(p, rng, Values::kSmallInteger), two = one, sum = one;
    Memory Case::*part = round % 2 == 0 ? &Case::x : &Case::w;
    auto* a = reinterpret_cast<double*>((one.*part).bytes.data());
    auto* b = reinterpret_cast<double*>((two.*part).bytes.data());
    auto* s = reinterpret_cast<double*>((sum.*part).bytes.data());
    for (size_t k = 0; k < (one.*part).bytes.size() / 8; ++k) {
      b[k] = static_cast<double>(pick(rng, -4, 4));
      s[k] = 3 * a[k] - 2 * b[k];
    }
    const auto y1 = values_of(kReferenceEngine, one), y2 = values_of(kReferenceEngine, two);
    auto want = y1;
    for (size_t k = 0; k < want.size(); ++k) want[k] = 3 * y1[k] - 2 * y2[k];
    REQUIRE(values_of(kReferenceEngine, sum) == want);
  }
}

TEST_CASE("reference: groups are problems side by side, so are images", "[reference]") {
  Rng rng(7);
  for (int round = 0; round < 60; ++round) {
    Problem p = random_of(rng, kAll[round % 4], Layouts::kViews);
    p.epilogue.bias = false;
    const Case c = make_case(p, rng, Values::kReal);
    const Outcome whole = checked(kReferenceEngine, c);
    std::vector<uint64_t> parts;
    Problem one = p;
    one.n = one.groups = 1;
    for (int64_t n = 0; n < p.n; ++n) {
      for (int64_t g = 0; g < p.groups; ++g) {
        Case part{one, c.x, c.w, {}, {}};
        part.x.origin += n * p.x.n + g * p.ci * p.x.c;
        part.w.origin += g * p.w.g;
        const Outcome y = checked(kReferenceEngine, part);
        parts.insert(parts.end(), y.written.bits.begin(), y.written.bits.end());
      }
    }
    REQUIRE(parts == whole.written.bits);
  }
}

TEST_CASE("reference: an absent bias is +0, and an empty problem a no-op", "[reference]") {
  Rng rng(8);
  Problem p;
  lay_out(&p, false, false);
  Case c = make_case(p, rng, Values::kReal);
  store(c.x.data(p.types.x), p.types.x, 0, std::numeric_limits<float>::denorm_min());
  store(c.w.data(p.types.x), p.types.x, 0, -0.25);
  REQUIRE(checked(kReferenceEngine, c).written.bits == std::vector<uint64_t>{0});  // the sum alone would be -0
  p.n = 0;
  REQUIRE(checked(kReferenceEngine, make_case(p, rng, Values::kReal)).status.ok());
}
