// SPDX-License-Identifier: Apache-2.0
// Engine amx on the software model of its unit: the whole layer bit for bit, every type; unit and model where both run.
//
//   The definition here is written from the words of docs/decisions/tiles.md, in plain C++, one output at a time.
#include "src/machine/amx.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstring>

#include "src/engine/tiles/tiles.h"
#include "src/engine/tiles/unit.h"
#include "src/problem/text.h"
#include "tests/tiles/harness.h"

using namespace ctconv;
using namespace ctconv::rig;
using namespace ctconv::tiles_test;

namespace {

Result<std::unique_ptr<Kernel>> plan_on_model(const Problem& p, const PlanContext& c) {
  return tiles::plan_amx_on(tiles::kModelUnit, p, c);
}
const Engine kModel{"amx", Bits::kMachine, kForwardFloats, &plan_on_model};

float daz(float v) { return std::fabs(v) < 0x1p-126f ? std::copysign(0.0f, v) : v; }

// A multiply-add whose result is flushed where it is tiny after rounding.
float fma_flushed(float a, float b, float c) {
  const float r = std::fma(daz(a), daz(b), daz(c));
  if (std::fabs(r) == 0x1p-126f) {
    const double exact = static_cast<double>(daz(a)) * daz(b) + static_cast<double>(daz(c));
    if (std::fabs(static_cast<float>(exact * 0x1p64)) < 0x1p-62f) return std::copysign(0.0f, r);
  }
  return daz(r);
}

using Parts = std::array<float, 3>;
float truncated(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  bits &= 0xffff0000u;
  std::memcpy(&v, &bits, sizeof bits);
  return v;
}
Parts parts_of(float v) {
  const float first = truncated(v), rest = v - first;
  uint32_t bits;
  std::memcpy(&bits, &rest, sizeof bits);
  bits = (bits + 0x8000u) & 0xffff0000u;
  float second;
  std::memcpy(&second, &bits, sizeof second);
  return {first, second, rest - second};
}

struct Pairs {
  std::array<Parts, 32> x{}, w{};
};

// One tile product of parts i and j: even and odd channels apart.
float product(float c, const Pairs& chunk, size_t i, size_t j) {
  float even = 0, odd = 0;
  for (size_t k = 0; k < 32; k += 2) {
    even = fma_flushed(chunk.x[k][i], chunk.w[k][j], even);
    odd = fma_flushed(chunk.x[k + 1][i], chunk.w[k + 1][j], odd);
  }
  return daz(daz(c) + daz(daz(even) + daz(odd)));
}

std::vector<std::pair<size_t, size_t>> products_of(Dtype t, bool reduced) {
  if (t == Dtype::kBf16) return {{0, 0}};
  if (t == Dtype::kF16) return {{0, 1}, {0, 0}, {1, 0}, {1, 1}};
  if (reduced) return {{0, 1}, {0, 0}, {1, 0}};
  return {{0, 2}, {0, 0}, {0, 1}, {1, 1}, {1, 0}, {2, 0}};
}

// The inputs and taps that meet at an output, in the order of taps.
std::vector<std::pair<Point, Point>> meetings(const Problem& p, const Point& o) {
  std::vector<std::pair<Point, Point>> list;
  each_point({p.axis[0].k, p.axis[1].k, p.axis[2].k}, [&](const Point& t) {
    Point i{};
    for (size_t a = 0; a < 3; ++a) {
      i[a] = input_at(p.axis[a], o[a], t[a]);
      if (i[a] < 0) return;
    }
    list.emplace_back(i, t);
  });
  return list;
}

float defined_sum(const Case& c, int64_t n, int64_t g, int64_t co, const Point& o, bool reduced) {
  const Problem& p = c.p;
  float sum = 0;
  const auto list = meetings(p, o);
  for (int64_t c0 = 0; c0 < p.ci; c0 += 32) {
    for (const auto& [i, t] : list) {
      Pairs chunk;
      for (int64_t k = c0; k < std::min(p.ci, c0 + 32); ++k) {
        const double x = load(c.x.data(p.types.x), p.types.x, place_in_x(p, n, g * p.ci + k, i));
        const double w = load(c.w.data(p.types.w), p.types.w, place_in_w(p, g, k, co, t));
        chunk.x[static_cast<size_t>(k - c0)] = parts_of(static_cast<float>(x));
        chunk.w[static_cast<size_t>(k - c0)] = parts_of(static_cast<float>(w));
      }
      for (const auto& [a, b] : products_of(p.types.x, reduced)) sum = product(sum, chunk, a, b);
    }
  }
  const double bias = c.bias.empty() ? 0 : load(c.bias.data(), Dtype::kF32, g * p.co + co);
  return sum + static_cast<float>(bias);
}

std::vector<double> defined_layer(const Case& c, bool reduced) {
  std::vector<double> y;
  each_element(c.p, Written::kY, [&](const Element& e) {
    y.push_back(rounded(c.p.types.y, defined_sum(c, e.n, e.g, e.co, e.at, reduced)));
  });
  return y;
}

Problem small_problem(Rng& rng, Dtype type, Layouts layouts) {
  Limits limits;
  limits.types = {uniform_types(type)};
  limits.layouts = layouts;
  limits.channels = 70;
  limits.products = 2e4;
  limits.far = 5;
  limits.tails = false;
  limits.activations = false;
  return random_problem(rng, limits);
}

constexpr Dtype kTypes[] = {Dtype::kF32, Dtype::kF16, Dtype::kBf16};

}  // namespace

TEST_CASE("amx on the model: every type and layout is the definition, bit for bit", "[tiles][amx]") {
  for (const Dtype type : kTypes) {
    int run = 0;
    for (uint64_t i = 0; i < 120; ++i) {
      Rng rng(100 + i);
      const Problem p = small_problem(rng, type, i % 2 ? Layouts::kViews : Layouts::kSlices);
      const Case c = make_case(p, rng, Values::kReal);
      const Outcome o = run_on(kModel, c, 1 + static_cast<int>(i % 3));
      INFO(to_text(p) << "\n" << o.form << o.reason());
      if (!o.status.ok()) continue;
      ++run;
      CHECK(o.written.values == defined_layer(c, false));
    }
    CHECK(run > 100);
  }
}

TEST_CASE("amx on the model: three products where reduced precision is accepted, and it says so", "[tiles][amx]") {
  for (uint64_t i = 0; i < 30; ++i) {
    Rng rng(300 + i);
    const Problem p = small_problem(rng, Dtype::kF32, Layouts::kDense);
    const Case c = make_case(p, rng, Values::kReal);
    PlanContext context;
    context.weakest = Bits::kReduced;
    const Outcome o = checked(kModel, c, context);
    if (!o.status.ok()) continue;
    INFO(to_text(p));
    CHECK(o.bits == Bits::kReduced);
    CHECK(o.written.values == defined_layer(c, true));
  }
}

TEST_CASE("amx on the model: the same bits for any number of threads", "[tiles][amx]") {
  for (const Dtype type : kTypes) {
    for (uint64_t i = 0; i < 20; ++i) {
      Rng rng(700 + i);
      Problem p = problem_of(rng, type, Layouts::kDense);
      p.n = 1 + static_cast<int64_t>(i % 3);
      lay_out(&p, i % 2 == 0, i % 4 < 2);
      const Case c = make_case(p, rng, Values::kReal);
      const Outcome one = run_on(kModel, c, 1);
      if (!one.status.ok()) continue;
      for (const int workers : {2, 5}) {
        const Outcome more = run_on(kModel, c, workers);
        INFO(to_text(p) << "\n" << one.form << "\n" << more.form);
        REQUIRE(more.status.ok());
        CHECK(difference(more.written, one.written).empty());
      }
    }
  }
}

TEST_CASE("amx: refused with the reason, where the CPU or the type is not for it", "[tiles][amx]") {
  Rng rng(1);
  const auto f64 = kAmxEngine.plan(problem_of(rng, Dtype::kF64, Layouts::kDense), {});
  REQUIRE_FALSE(f64.ok());
  CHECK(f64.status().detail().message == "amx: no f64");
  const auto f32 = kAmxEngine.plan(problem_of(rng, Dtype::kF32, Layouts::kDense), {});
  if (amx_missing() != nullptr) {
    REQUIRE_FALSE(f32.ok());
    CHECK(f32.status().detail().message == std::string("amx: ") + amx_missing());
  } else {
    CHECK(f32.ok());
  }
}

TEST_CASE("amx: the unit gives the model's bits", "[tiles][amx]") {
  if (amx_missing() != nullptr) SKIP(amx_missing());
  for (const Dtype type : kTypes) {
    for (uint64_t i = 0; i < 300; ++i) {
      Rng rng(2000 + i);
      const Problem p = problem_of(rng, type, i % 2 ? Layouts::kViews : Layouts::kSlices);
      const Case c = make_case(p, rng, Values::kReal);
      const Outcome unit = run_on(kAmxEngine, c, 1 + static_cast<int>(i % 3)), model = run_on(kModel, c, 1);
      INFO(to_text(p) << "\n" << unit.form << unit.reason());
      CHECK(unit.status.ok() == model.status.ok());
      if (unit.status.ok() && model.status.ok()) CHECK(difference(unit.written, model.written).empty());
    }
  }
}
