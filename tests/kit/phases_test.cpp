// SPDX-License-Identifier: Apache-2.0
// Property: the phases partition the output rows, and their taps are exactly those that reach each row.
#include "src/kit/phases.h"

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <set>

namespace ctconv::kit {
namespace {

using Hits = std::set<std::pair<int64_t, int64_t>>;  // (input row, tap)

Hits wanted(const Axis& a, int64_t o) {
  Hits h;
  for (int64_t i = 0; i < a.i; ++i) {
    for (int64_t t = 0; t < a.k; ++t) {
      if (i * a.s + t * a.d - a.lo == o) h.insert({i, t});
    }
  }
  return h;
}

}  // namespace

TEST_CASE("phases: they and their stretches cover every output row with its own taps") {
  std::mt19937_64 rng(1);
  auto pick = [&](int64_t a, int64_t b) { return std::uniform_int_distribution<int64_t>(a, b)(rng); };
  for (int round = 0; round < 2000; ++round) {
    Axis a;
    a.i = pick(1, 9);
    a.k = pick(1, 7);
    a.s = pick(1, 9);
    a.d = pick(1, 5);
    a.lo = round % 2 ? pick(-3, 9) : pick(-40, 60);
    a.o = pick(1, 40);
    const AxisPhases phases = phases_of(a);
    std::vector<int> seen(static_cast<size_t>(a.o), 0);
    for (const Phase& p : phases.phases) {
      int64_t covered = p.u_begin;
      for (const Stretch& s : stretches_of(phases, p, p.u_begin, p.u_end)) {
        REQUIRE(s.u_begin == covered);
        covered = s.u_end;
        for (int64_t u = s.u_begin; u < s.u_end; ++u) {
          const int64_t o = phases.out(u, p);
          REQUIRE((o >= 0 && o < a.o));
          ++seen[static_cast<size_t>(o)];
          Hits found;
          for (int64_t j = s.j_begin; j < s.j_end; ++j) {
            found.insert({u - (p.v0 + j * phases.v_step), p.t0 + j * phases.t_step});
          }
          REQUIRE(found == wanted(a, o));
        }
      }
      REQUIRE(covered == p.u_end);
    }
    for (int count : seen) REQUIRE(count == 1);
  }
}

}  // namespace ctconv::kit
