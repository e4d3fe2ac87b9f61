// SPDX-License-Identifier: Apache-2.0
// oneDNN's estimates: multiply-adds by the record's peak, bytes by its bandwidth.
#include "src/engine/onednn/cost.h"
#include "tests/machine/records.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

constexpr onednn::Implementation kBlocks{.method = onednn::Implementation::Method::kBrgemm};

double expected(const Problem& p, const Machine& m, int32_t threads) {
  const PinnedMachine pinned(m);
  const double seconds = onednn::estimated_seconds(p, kBlocks, threads, 0);
  CHECK(seconds >= onednn::least_seconds(p, threads, 0));
  return seconds;
}

}  // namespace

TEST_CASE("onednn estimates: two multiply-adds a cycle halve what computes and leave what moves", "[machine]") {
  const Problem computes = square(512, 512, 64, 4, 2, true), moves = square(1, 16, 256, 4, 4, true);
  Machine two;
  two.fma = 2;
  for (int32_t threads : {1, 2}) {
    CHECK(within(expected(computes, two, threads) / expected(computes, Machine(), threads), 0.5, 0.06));
    CHECK(expected(moves, two, threads) / expected(moves, Machine(), threads) > 0.9);
  }
}

TEST_CASE("onednn estimates: another kind of machine, from its record alone", "[machine]") {
  const Problem computes = square(512, 512, 64, 4, 2, true), moves = square(1, 16, 256, 4, 4, true);
  const Machine intel = sapphire_rapids();
  CHECK(within(expected(computes, intel, 2) / expected(computes, Machine(), 2), 3.65 / 5.6, 0.06));
  CHECK(within(expected(moves, intel, 1) / expected(moves, Machine(), 1), 27.0 / 22, 0.1));
}
