// SPDX-License-Identifier: Apache-2.0
// The one-line form: print and parse are inverse for thousands of problems; hostile lines are refused with their word.
#include "src/problem/text.h"

#include <catch2/catch_test_macros.hpp>

#include "tests/rig/problems.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

// Strides that no element is reached by may be anything.
ActivationLayout relevant(ActivationLayout l, const Problem& p, bool output) {
  if (p.n <= 1) l.n = 0;
  if (p.groups * (output ? p.co : p.ci) == 1) l.c = 0;
  for (size_t a = 0; a < 3; ++a) {
    if ((output ? p.axis[a].o + p.axis[a].tail : p.axis[a].i) <= 1) l.axis[a] = 0;
  }
  return l;
}

Problem relevant(Problem p) {
  p.x = relevant(p.x, p, false);
  p.y = relevant(p.y, p, true);
  return p;
}

bool refused(const std::string& line) {
  auto p = problem_from_text(line);
  if (p.ok()) return false;
  return p.status().code() == Code::MISUSE_OPTION && p.status().detail().message.size() > 10;
}

const std::string kGood = "f32 n1 g1 ci16 co32 i10x32x32 k4x6x2 s1x1x1 d1x1x1 lo0x0x0 o13x37x33";

}  // namespace

TEST_CASE("text: print and parse are inverse", "[problem][text]") {
  Rng rng(7);
  for (int round = 0; round < 20000; ++round) {
    const Problem p = random_problem(rng, anything());
    const std::string line = to_text(p);
    INFO(line);
    auto q = problem_from_text(line);
    REQUIRE(q.ok());
    REQUIRE(to_text(*q) == line);
    REQUIRE(relevant(*q) == relevant(p));
  }
}

TEST_CASE("text: equal problems have equal hashes", "[problem][text]") {
  Rng rng(8);
  for (int round = 0; round < 2000; ++round) {
    const Problem p = random_problem(rng, anything());
    Problem q = p;
    REQUIRE(hash_of(p) == hash_of(q));
    q.axis[2].o += 1;
    REQUIRE(hash_of(p) != hash_of(q));
  }
}

TEST_CASE("text: what people write", "[problem][text]") {
  auto p = problem_from_text(kGood + " x=first y=last bias leaky_relu:0.1");
  REQUIRE(p.ok());
  CHECK(p->rank == 3);
  CHECK(p->axis[1].k == 6);
  CHECK(p->axis[2].o == 33);
  CHECK(p->y.c == 1);
  CHECK(p->x.axis[2] == 1);
  CHECK(p->epilogue.bias);
  CHECK(p->epilogue.activation == Activation{Activation::kLeakyRelu, 0.1, 0});
  CHECK(p->w.ci == 32 * 4 * 6 * 2);
  CHECK(problem_from_text("i4 o9").ok());
  CHECK(problem_from_text("  f16\tn0 i4 o9 s2 k3 \r\n").ok());
  CHECK(problem_from_text("i4 o9 tail2 clip:-1:6.5").ok());
  CHECK(problem_from_text("i4 o0").ok());
}

TEST_CASE("text: hostile lines are refused", "[problem][text]") {
  for (const char* line : {"",
                           "f32",
                           "i4",
                           "o4",
                           "i4 o9 nonsense",
                           "i4 o9 f31",
                           "i4x5 o9",
                           "i4 o9x1",
                           "i4x4x4x4 o9x9x9x9",
                           "i4 o9 k",
                           "i4 o9 k3x",
                           "i4 o9 kx3",
                           "i4 o9 k0",
                           "i4 o9 s0",
                           "i4 o9 d-1",
                           "i0 o9",
                           "i4 o-1",
                           "i4 o9 lo-9223372036854775807",
                           "i4 o9 lo9223372036854775807",
                           "i4 o9 written=z",
                           "i4 o9 types=f32",
                           "i4 o9 types=f32:f32:f32:f31",
                           "i4 o9 rescale=1",
                           "i4 o9 rescale=nan:0",
                           "i4 o9 tail-1",
                           "i4 o9 n-1",
                           "i4 o9 g0",
                           "i4 o9 ci0",
                           "i4 o9 co",
                           "i4 o9 n1.5",
                           "i4 o9 n99999999999999999999",
                           "i9223372036854775807 o9 s9223372036854775807",
                           "i9223372036854775807 o9",
                           "i4 o9223372036854775807 tail1",
                           "i4 o9 n4611686018427387904 ci4",
                           "i4x4 o4611686018427387904x4611686018427387904 n0",
                           "i4 o9 k9223372036854775807 d2",
                           "i4x4 o9x9 lo0x2305843009213693953",
                           "i4x9223372036854775807 s1x2 o9x9",
                           "i4 o9223372036854775800 lo8",
                           "i4 o9 ci2305843009213693952",
                           "i1 o9 co2305843009213693952",
                           "i1 o1 k9223372036854775800",
                           "i1 o1 k9223372036854775807 lo1",
                           "i4 o9 x=middle",
                           "i4 o9 x=1:2:3:4",
                           "i4 o9 y=1:2:3:4:5:6",
                           "i4 o9 w=1:2:3:4:5",
                           "i4 o9 w=a:b:c:d:e:f",
                           "i4 o9 relu:1",
                           "i4 o9 leaky_relu",
                           "i4 o9 leaky_relu:",
                           "i4 o9 leaky_relu:x",
                           "i4 o9 leaky_relu:0.1:2",
                           "i4 o9 leaky_relu:nan",
                           "i4 o9 clip:0",
                           "i4 o9 clip:0:6zzz",
                           "i4 o9 relu6",
                           "i4 o9 bias1",
                           "\xFF\xFE\x00"}) {
    INFO(line);
    CHECK(refused(line));
  }
  CHECK(refused(kGood + std::string(1, '\0')));
  CHECK(refused(kGood + " " + std::string(100000, 'x')));
}

TEST_CASE("text: lines with a few random bytes changed never crash, and what parses prints and parses again",
          "[problem][text]") {
  Rng rng(9);
  int parsed = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string line = to_text(random_problem(rng, anything()));
    for (int64_t n = pick(rng, 1, 3); n > 0; --n) {
      const auto at = static_cast<size_t>(pick(rng, 0, static_cast<int64_t>(line.size()) - 1));
      switch (pick(rng, 0, 2)) {
        case 0:
          line[at] = "0123456789-x: =nigcokwslot"[pick(rng, 0, 25)];
          break;
        case 1:
          line.erase(at, 1);
          break;
        default:
          line.insert(at, 1, static_cast<char>(pick(rng, 1, 255)));
          break;
      }
      if (line.empty()) line = " ";
    }
    auto p = problem_from_text(line);
    if (!p.ok()) continue;
    ++parsed;
    const std::string again = to_text(*p);
    INFO(line);
    auto q = problem_from_text(again);
    REQUIRE(q.ok());
    REQUIRE(to_text(*q) == again);
  }
  CHECK(parsed > 1000);
}
