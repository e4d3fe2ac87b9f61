// SPDX-License-Identifier: Apache-2.0
// Every form between guard pages, for every width of a tail from 1 to 64.
//
//   in:  rows, channels, taps and phases of 1 to 64 elements, each element type, y, x and w written
//   out: the definition's bits where the form has the reference's, else no fault of the guarded runner (tests/rig):
//        nothing read or written beyond an operand, packed weight or scratch, flush at either end by turns
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "capi/engines.h"
#include "tests/native/forms.h"
#include "tests/rig/layouts.h"
#include "tests/rig/trial.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

constexpr Dtype kTypes[] = {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16};

// What a width is the width of.
enum class Tail { kRow, kInChannels, kOutChannels, kChannelsOfDepthwise, kTaps, kPhases };
constexpr Tail kTails[] = {Tail::kRow,  Tail::kInChannels, Tail::kOutChannels, Tail::kChannelsOfDepthwise,
                           Tail::kTaps, Tail::kPhases};

Problem problem_of(Tail tail, int64_t width, Dtype type, Written written, bool last) {
  Problem p;
  p.written = written;
  p.types = uniform_types(type);
  p.rank = 2;
  p.n = 1;
  p.ci = 2;
  p.co = 3;
  p.axis[1] = {.i = 2, .k = 2, .s = 1 + width % 2};
  p.axis[2] = {.i = 3, .k = 3, .s = 1 + width % 2, .lo = 1};
  if (tail == Tail::kRow) p.axis[2].i = width;
  if (tail == Tail::kInChannels) p.ci = width;
  if (tail == Tail::kOutChannels) p.co = width;
  if (tail == Tail::kChannelsOfDepthwise) {
    p.groups = width;
    p.ci = p.co = 1;
  }
  if (tail == Tail::kTaps) p.axis[2].k = width;
  if (tail == Tail::kPhases) p.axis[2] = {.i = 5, .k = width, .s = width};
  for (Axis& a : p.axis) a.o = (a.i - 1) * a.s + (a.k - 1) * a.d + 1 - a.lo;
  p.epilogue.bias = written == Written::kY || written == Written::kW;
  p.x = sliced_layout(p, false, last, 0);
  p.y = sliced_layout(p, true, last, 0);
  p.w = dense_weight(p);
  return p;
}

std::vector<const Engine*> forms() {
  std::vector<const Engine*> all(cpu_engines().begin(), cpu_engines().end());
  using namespace native_test;
  for (const Engine* e : {&kPositions, &kChannels, &kMerged, &kDepthwise, &kRows, &kTurned, &kRaw, &kTaps})
    all.push_back(e);
  return all;
}

}  // namespace

TEST_CASE("reliability: no form reads or writes beyond a tail of 1 to 64", "[guards]") {
  std::map<std::string, int> served;
  Rng rng(18);
  for (const Written written : kEveryWritten) {
    for (const Dtype type : kTypes) {
      for (const Tail tail : kTails) {
        for (int64_t width = 1; width <= 64; ++width) {
          const Problem p = problem_of(tail, width, type, written, width % 4 < 2);
          const Case c = make_case(p, rng, Values::kSmallInteger);
          const Numbers want = defined(p, c.operand());
          for (const Engine* engine : forms()) {
            PlanContext context;
            context.weights_per_call = engine == &native_test::kRaw;  // the form refuses others
            const Outcome out = run(*engine, c, context);
            if (out.refused()) continue;
            INFO(engine->name << ": " << out.form << ", width " << width << ", tail " << static_cast<int>(tail));
            REQUIRE(out.fault == "");
            REQUIRE(out.status.ok());
            if (out.bits == Bits::kReference) REQUIRE(difference(out.written, want) == "");
            ++served[std::string(engine->name) + " writes " + name_of(written)];
          }
        }
      }
    }
  }
  for (const char* form :
       {"positions", "channels", "merged", "depthwise", "rows of y", "turned", "raw", "taps", "winograd"}) {
    INFO(form);
    CHECK(served[std::string(form) + " writes y"] >= 64);
  }
  CHECK(served["native writes x"] >= 64 * 4);
  CHECK(served["native writes w"] >= 64 * 4);
  CHECK(served["reference writes w"] >= 64 * 4);
}
