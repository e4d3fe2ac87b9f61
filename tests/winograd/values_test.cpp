// SPDX-License-Identifier: Apache-2.0
// Values that the engine does not honour are noticed: of the weight while it is packed, of x before a call.
//
//   asks: each refused one, and its nearest legal neighbour
#include <catch2/catch_test_macros.hpp>

#include "src/problem/text.h"
#include "tests/winograd/random_problem.h"

namespace ctconv::winograd_test {
namespace {

struct Trial {
  explicit Trial(const char* text) : p(*problem_from_text(text)), kernel(std::move(*kWinogradEngine.plan(p, {}))) {
    rig::Rng rng(3);
    c = rig::make_case(p, rng, rig::Values::kReal);
    auto* w = static_cast<float*>(c.w.data(Dtype::kF32));
    for (int64_t k = 0; k < p.weight_elements(); ++k) w[k] = 0.5f + static_cast<float>(k % 7) / 8;
  }
  bool packs() {
    std::vector<char> packed(kernel->packed_bytes() + kAlignment);
    const auto honoured = kernel->pack(c.w.data(Dtype::kF32), align_up(packed.data()), Runner());
    REQUIRE(honoured.ok());
    return *honoured;
  }
  bool takes_input(const Runner& runner = Runner()) {
    Operands m;
    m.x = c.x.data(p.types.x);
    const auto honoured = kernel->honours_input(m, runner);
    REQUIRE(honoured.ok());
    return *honoured;
  }
  Problem p;
  std::unique_ptr<Kernel> kernel;
  rig::Case c;
};

constexpr const char* kLayer = "f32 ci110 co18 i9x11 k4x4 s2x2 lo1x1 o18x22";

}  // namespace

TEST_CASE("winograd: weights that are not finite, too large or too small are left to others") {
  for (const float bad :
       {INFINITY, -INFINITY, NAN, std::nextafter(0x1p50f, INFINITY), -0x1p60f, 0x1p-101f, 0x1p-140f}) {
    for (const int64_t at : {int64_t{0}, int64_t{777}, int64_t{110 * 18 * 16 - 1}}) {
      Trial t(kLayer);
      static_cast<float*>(t.c.w.data(Dtype::kF32))[at] = bad;
      INFO(bad << " at " << at);
      CHECK_FALSE(t.packs());
    }
  }
  for (const float good : {0.0f, -0.0f, -0x1p-100f, 0x1p-20f}) {
    Trial t(kLayer);
    static_cast<float*>(t.c.w.data(Dtype::kF32))[5] = good;
    INFO(good);
    CHECK(t.packs());
  }
}

TEST_CASE("winograd: weights by single powers of two are left to others, those of whole channels are not") {
  Trial t("f32 ci154 co18 i9x11 k4x4 s2x2 lo1x1 o18x22");
  rig::Rng rng(8);
  auto* w = static_cast<float*>(t.c.w.data(Dtype::kF32));
  const int64_t count = t.p.weight_elements();
  for (int64_t k = 0; k < count; ++k) w[k] = std::ldexp(w[k], static_cast<int>(k / (16 * 18)) % 2 * 3);
  CHECK(t.packs());
  for (int64_t k = 0; k < count; ++k) w[k] = std::ldexp(w[k], static_cast<int>(rig::pick(rng, -20, 20)));
  CHECK_FALSE(t.packs());
}

TEST_CASE("winograd: x that is not finite or too large is left to others, wherever it lies") {
  for (const char* text : {kLayer, "f32 n2 ci97 co18 i30x40 k4x4 s2x2 lo1x1 o60x80"}) {
    for (const bool last : {false, true}) {
      Trial t(text);
      t.p.x = rig::sliced_layout(t.p, false, last, 2);
      t.kernel = std::move(*kWinogradEngine.plan(t.p, {}));
      rig::Rng rng(4);
      t.c = rig::make_case(t.p, rng, rig::Values::kReal);
      CHECK(t.takes_input());
      auto* x = static_cast<float*>(t.c.x.data(Dtype::kF32));
      for (int round = 0; round < 50; ++round) {
        const rig::Point i{0, rig::pick(rng, 0, t.p.axis[1].i - 1), rig::pick(rng, 0, t.p.axis[2].i - 1)};
        const int64_t c = rig::pick(rng, 0, t.p.ci - 1), n = rig::pick(rng, 0, t.p.n - 1);
        float& value = x[rig::place_in_x(t.p, n, c, i)];
        const float before = value;
        for (const float bad : {INFINITY, -NAN, std::nextafter(0x1p50f, INFINITY)}) {
          value = bad;
          int workers = 3;
          CHECK_FALSE(t.takes_input(Runner(&native_test::threads_for, &workers, workers)));
        }
        for (const float good : {-0x1p50f, 0x1p-149f, -0.0f}) {
          value = good;
          CHECK(t.takes_input());
        }
        value = before;
      }
    }
  }
}

TEST_CASE("winograd: x of 16 bits is looked at in its own type") {
  for (const auto& [text, most, beyond] :
       {std::tuple{"f16 ci110 co18 i9x11 k4x4 s2x2 lo1x1 o18x22", 0x7bff, 0x7c00},
        std::tuple{"bf16 ci110 co18 i9x11 k4x4 s2x2 lo1x1 o18x22", 0x5880, 0x5881}}) {
    INFO(text);
    Problem p = *problem_from_text(text);
    const auto kernel = std::move(*kWinogradEngine.plan(p, {}));
    rig::Rng rng(3);
    rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
    Operands m;
    m.x = c.x.data(p.types.x);
    auto* x = static_cast<uint16_t*>(m.x);
    x[100] = static_cast<uint16_t>(most | 0x8000);
    CHECK(*kernel->honours_input(m, Runner()));
    x[100] = static_cast<uint16_t>(beyond);
    CHECK_FALSE(*kernel->honours_input(m, Runner()));
  }
}

// At the largest values that it takes nothing overflows, so nothing is NaN that the chain would not make so.
TEST_CASE("winograd: the largest values taken give finite sums") {
  Trial t("f32 ci512 co18 i9x11 k3x3 lo1x1 o9x11");
  auto* w = static_cast<float*>(t.c.w.data(Dtype::kF32));
  auto* x = static_cast<float*>(t.c.x.data(Dtype::kF32));
  for (int64_t k = 0; k < t.p.weight_elements(); ++k) w[k] = 0x1p50f;
  for (int64_t k = 0; k < t.p.in_elements(); ++k) x[k] = k % 3 ? 0x1p50f : -0x1p50f;
  REQUIRE(t.packs());
  REQUIRE(t.takes_input());
  const rig::Outcome run = rig::run(kWinogradEngine, t.c);
  REQUIRE(run.ok());
  for (const double v : run.written.values) REQUIRE(std::isfinite(v));
}

}  // namespace ctconv::winograd_test
