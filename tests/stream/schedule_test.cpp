// SPDX-License-Identifier: Apache-2.0
// Delay, history and warm-up: their formulas, and each sum that may leave 63 bits; what has no schedule at all.
#include "src/stream/schedule.h"

#include <catch2/catch_test_macros.hpp>

#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"

using namespace ctconv;

namespace {

Code refusal(const AxisSizes& a) {
  auto schedule = schedule_of(a);
  return schedule.ok() ? Code::OK : schedule.status().code();
}

}  // namespace

TEST_CASE("the formulas of schedule.h", "[stream]") {
  // k4 s2 with one row cut at either end: one output waits, one input is looked back at.
  auto s = schedule_of({.k = 4, .s = 2, .d = 1, .lo = 1, .hi = 1});
  REQUIRE(s.ok());
  CHECK((s->stride == 2 && s->delay == 1 && s->history == 1 && s->warm_up == 1));
  CHECK(s->known(0) == 0);
  CHECK(s->known(1) == 1);
  CHECK(s->known(5) == 9);
  // Pads beyond the taps: outputs wait for the end.
  s = schedule_of({.k = 1, .s = 3, .d = 1, .lo = 10, .hi = 7});
  REQUIRE(s.ok());
  CHECK(s->delay == 10 + 3 + 7 - 1);
  CHECK(s->history == 3);
  CHECK(s->warm_up == 7);
  CHECK(s->known(6) == 0);
  CHECK(s->known(7) == 2);
}

TEST_CASE("each sum that leaves 63 bits is refused", "[stream]") {
  const int64_t most = INT64_MAX, far = most / 2;
  CHECK(refusal({.k = 3, .s = 1, .d = 1, .lo = 0, .hi = 0}) == Code::OK);
  CHECK(refusal({.k = 3, .s = 1, .d = far + 1}) == Code::UNSUPPORTED_STREAM);                  // d * (k - 1)
  CHECK(refusal({.k = 1, .s = far, .d = 1, .hi = far + 3}) == Code::UNSUPPORTED_STREAM);       // s + hi
  CHECK(refusal({.k = 1, .s = far, .d = 1, .lo = far, .hi = 4}) == Code::UNSUPPORTED_STREAM);  // the delay
  CHECK(refusal({.k = 2, .s = 1, .d = far, .lo = -far, .hi = far}) == Code::OK);
  CHECK(refusal({.k = 2, .s = 1, .d = far, .lo = far - 1}) == Code::OK);
  CHECK(refusal({.k = 2, .s = 1, .d = far, .lo = far + 2}) == Code::UNSUPPORTED_STREAM);  // and the delay on top
}

TEST_CASE("what has no schedule is refused by its argument", "[stream]") {
  Descriptor d;
  d.dialect = "some";
  const auto argument = [&] {
    const Status status = judge_streamable(d);
    if (status.ok()) return std::string("none");
    CHECK(status.code() == Code::UNSUPPORTED_STREAM);
    return status.detail().argument;
  };
  for (const int rank : {0, 1}) {
    d.rank = rank;
    CHECK(argument() == "none");
  }
  d.rank = 2;
  CHECK(argument() == "op");
  d.rank = 1;
  d.pad_rule = PadRule::kSameForward;
  CHECK(argument() == "padding");
  d.pad_rule = PadRule::kExplicit;
  d.output_size = {7};
  CHECK(argument() == "output_size");
  d.output_size.clear();
  d.kernel_source = KernelSource::kOutputSize;
  CHECK(argument() == "output_size");
}
