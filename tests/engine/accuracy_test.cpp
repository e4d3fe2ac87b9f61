// SPDX-License-Identifier: Apache-2.0
// What `auto` may take with math = 0 is as accurate as the reference's own f32 chain.
//
//   in:  the layers of bench/layers.json, extents cut so that a layer stays below kMostFlop, channels and taps whole;
//        data: normal, and badly scaled (every channel of x and every weight times a power of two, 2^-20 .. 2^20)
//   out: per engine the largest and the RMS of |y - y in f64| / (sum of |x*w|), over all layers
//   asks: both at most 1.5 times those of the reference. Engines with the reference's bits pass by definition.

#include "tests/rig/accuracy.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <map>
#include <random>

#include "capi/engines.h"
#include "tests/rig/checked.h"
#include "tests/rig/layers.h"
#include "tests/rig/rounds.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

constexpr double kMostFlop = 3e6 / kShare;

void judge(bool badly_scaled) {
  Rng rng(badly_scaled ? 11 : 12);
  std::map<std::string, Errors> errors;
  for (const Layer& layer : bench_layers()) {
    const Problem p = cut_layer(layer.p, kMostFlop);
    Case c = make_case(p, rng, Values::kReal);
    if (badly_scaled) scale_badly(&c, rng);
    const std::vector<Exact> exact = defined_in_f64(p, c.operand());
    for (const Engine* engine : cpu_engines()) {
      const Outcome answer = checked(*engine, c);
      if (answer.status.ok()) add(answer.written.values, exact, &errors[engine->name]);
    }
  }
  const Errors& own = errors.at("reference");
  REQUIRE(own.layers == 101);
  for (const auto& [name, e] : errors) {
    INFO(name << ": " << e.layers << " layers, largest " << e.largest << ", RMS " << e.rms() << "; reference: largest "
              << own.largest << ", RMS " << own.rms());
    CHECK(e.layers > 0);
    CHECK(e.largest <= 1.5 * own.largest);
    CHECK(e.rms() <= 1.5 * own.rms());
    if (name == "native") CHECK((e.largest == own.largest || e.layers != own.layers));
  }
}

}  // namespace

TEST_CASE("accuracy: what auto may take is as accurate as the reference, normal data", "[engine][accuracy]") {
  judge(false);
}

TEST_CASE("accuracy: what auto may take is as accurate as the reference, badly scaled data", "[engine][accuracy]") {
  judge(true);
}
