// SPDX-License-Identifier: Apache-2.0
// The native engine's estimates and sizes: ports, clock, bandwidth and caches of the record; its bits never.
#include <cstring>
#include <vector>

#include "src/engine/native/native.h"
#include "tests/machine/records.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

// y's bytes and the form, planned and run with this record.
struct Ran {
  std::vector<float> y;
  std::string form;
};

Ran run_with(const Machine& m, const Problem& p) {
  const PinnedMachine pinned(m);
  PlanContext context;
  auto kernel = kNativeEngine.plan(p, context);
  REQUIRE(kernel.ok());
  const auto filled = [](int64_t count, int64_t step) {
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t k = 0; k < values.size(); ++k) {
      values[k] = static_cast<float>(static_cast<int64_t>(k) * step % 1009) / 997.0f - 0.5f;
    }
    return values;
  };
  std::vector<float> x = filled(p.in_elements(), 7919), w = filled(p.weight_elements(), 104729);
  std::vector<float> y(static_cast<size_t>(p.out_elements()));
  const Allocator allocator;
  Buffer packed(allocator, (*kernel)->packed_bytes()), scratch(allocator, (*kernel)->scratch_bytes());
  REQUIRE((packed.ok() && scratch.ok()));
  auto honoured = (*kernel)->pack(w.data(), packed.data(), Runner());
  REQUIRE((honoured.ok() && *honoured));
  const Operands call{.x = x.data(), .w = w.data(), .packed = packed.data(), .y = y.data(), .scratch = scratch.data()};
  REQUIRE((*kernel)->run(call, Runner()).ok());
  return {std::move(y), (*kernel)->form()};
}

}  // namespace

TEST_CASE("native estimates: two multiply-adds a cycle halve what computes and leave what moves", "[machine]") {
  Machine two;
  two.fma = 2;
  for (bool last : {false, true}) {
    const Problem computes = square(512, 512, 64, 4, 2, last), moves = square(1, 4, 1024, 2, 2, last);
    for (int32_t threads : {1, 2}) {
      INFO(last << " " << threads);
      const double halved =
          estimate(kNativeEngine, computes, two, threads) / estimate(kNativeEngine, computes, Machine(), threads);
      CHECK(halved >= 0.5);
      CHECK(halved < 0.56);
      CHECK(estimate(kNativeEngine, moves, two, threads) / estimate(kNativeEngine, moves, Machine(), threads) > 0.85);
    }
  }
}

TEST_CASE("native estimates: another kind of machine, from its record alone", "[machine]") {
  const Problem computes = square(512, 512, 64, 4, 2, true);
  const Machine intel = sapphire_rapids();
  const double ratio = estimate(kNativeEngine, computes, intel) / estimate(kNativeEngine, computes, Machine());
  CHECK(ratio >= 3.65 / 5.6);
  CHECK(ratio < 1.1 * 3.65 / 5.6);
  Machine narrow;  // where moving is all, seconds go with the bandwidth
  narrow.memory_1 = narrow.memory_2 = 2.7e9;
  const Problem moves = square(1, 4, 1024, 2, 2, false);
  const double slower = estimate(kNativeEngine, moves, narrow) / estimate(kNativeEngine, moves, Machine());
  CHECK(slower > 5);
  CHECK(slower < 10.1);
}

TEST_CASE("native estimates: larger caches change no form, and no record changes a bit", "[machine]") {
  Machine large, small;
  large.l1 *= 4;
  large.l2 *= 4;
  large.l3 *= 4;
  small.l1 /= 4;
  small.l2 /= 8;
  small.l3 /= 1024;
  for (bool last : {false, true}) {
    for (const Problem& p :
         {square(48, 40, 33, 4, 2, last), square(96, 3, 41, 3, 2, last), square(7, 64, 30, 2, 2, last)}) {
      const Ran plain = run_with(Machine(), p);
      CHECK(run_with(large, p).form == plain.form);
      for (const Machine& m : {large, small, sapphire_rapids()}) {
        const Ran other = run_with(m, p);
        INFO(plain.form << " / " << other.form);
        REQUIRE(other.y.size() == plain.y.size());
        CHECK(std::memcmp(other.y.data(), plain.y.data(), plain.y.size() * sizeof(float)) == 0);
      }
    }
  }
}
