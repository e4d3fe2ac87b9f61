// SPDX-License-Identifier: Apache-2.0
// The rules of measuring: who is run, how often, and that the fastest wins, on made-up times.
#include "cuda/race.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <numeric>

namespace ctconv::cuda::testing {
namespace {

struct Told {
  std::vector<int> runs;
  std::vector<double> seconds;
  size_t fastest;
  double spent;
};

// As measure() drives it; `truth`: what each run takes, negative: it fails.
Told drive(const std::vector<double>& estimates, const std::vector<double>& truth) {
  Race race(estimates);
  Told told{std::vector<int>(truth.size()), {}, 0, 0};
  const auto run = [&](size_t e) {
    ++told.runs[e];
    told.spent += std::abs(truth[e]);
    return truth[e];
  };
  const auto timed = [&](size_t e) {
    const double t = run(e);
    t < 0 ? race.failed(e) : race.ran(e, t);
  };
  for (const size_t e : race.order()) {
    if (!race.starts(e)) continue;
    const double warm = run(e);
    if (warm < 0) {
      race.failed(e);
    } else if (race.warmed(e, warm)) {
      timed(e);
    }
  }
  for (int round = 0; round < Race::kRounds; ++round) {
    for (const size_t e : race.order()) {
      if (race.again(e)) timed(e);
    }
  }
  told.seconds = race.seconds();
  told.fastest = race.fastest();
  return told;
}

}  // namespace

TEST_CASE("race: the slow are run once or twice, the near ones all rounds", "[cuda][race]") {
  const Told t = drive({10e-6, 12e-6, 11e-6, 15e-6, 10e-6}, {20e-6, 14e-6, 50e-6, 400e-6, 1.0});
  CHECK(t.fastest == 1);
  CHECK(t.runs[1] == 2 + Race::kRounds);
  CHECK(t.runs[0] == 2 + Race::kRounds);  // 1.43 of the best
  CHECK(t.runs[2] == 2);                  // 3.6 of the best
  CHECK(t.runs[3] == 1);                  // 28 of the best: the warm-up was enough
  CHECK(t.seconds[3] == 400e-6);
  CHECK(t.runs[4] == 1);
}

TEST_CASE("race: between kNear and kFar a candidate gets a second run", "[cuda][race]") {
  const Told t = drive({1e-6, 2e-6}, {10e-6, 25e-6});
  CHECK(t.runs[1] == 3);
}

TEST_CASE("race: hopeless estimates are not run, unless nothing better is known", "[cuda][race]") {
  Told t = drive({60e-3, 0.7e-3, 100}, {60e-3, 0.7e-3, 100});
  CHECK(t.runs == std::vector<int>{0, 6, 0});  // 3 ms a candidate
  CHECK(std::isinf(t.seconds[0]));
  t = drive({60e-3}, {60e-3});
  CHECK(t.runs[0] == 3);
  CHECK(t.fastest == 0);
}

TEST_CASE("race: what fails is out, all failing gives no time", "[cuda][race]") {
  const Told t = drive({1e-6, 2e-6, 3e-6}, {-1, 5e-6, -1});
  CHECK(t.fastest == 1);
  CHECK(t.runs[0] == 1);
  CHECK(std::isinf(drive({1, 2}, {-1, -1}).seconds[0]));
  Race race({1.0, 1.0});
  CHECK(race.order() == std::vector<size_t>{0, 1});
  CHECK(race.starts(0));
  CHECK_FALSE(race.again(0));
}

TEST_CASE("race: the time of all is bounded by the number of candidates", "[cuda][race]") {
  for (const double best : {5e-6, 1e-3, 20e-3}) {
    std::vector<double> estimates(20, best), truth;
    for (size_t e = 0; e < estimates.size(); ++e) truth.push_back(best * (1 + 3.0 * static_cast<double>(e)));
    const Told t = drive(estimates, truth);
    CHECK(t.fastest == 0);
    // two runs of each up to 20 times the best, one of the others
    CHECK(t.spent < std::accumulate(truth.begin(), truth.end(), 0.0) * 2 + 4 * Race::kSpent + 2 * best);
  }
}

}  // namespace ctconv::cuda::testing
