// SPDX-License-Identifier: Apache-2.0
// The split products of engine amx are as accurate as the f32 chain: on the software model, which has the unit's bits.
//
//   in:  the layers of bench/layers.json, cut below kMostFlop, input channels and taps whole; normal data, and data
//        with powers of two from 2^-20 to 2^20 on channels of x and on weights
//   out: largest and RMS of |y - y in f64| / (sum of |x*w|) over all layers; asked: at most 1.5 times the reference's
#include "tests/rig/accuracy.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "src/engine/reference/reference.h"
#include "src/engine/tiles/tiles.h"
#include "src/engine/tiles/unit.h"
#include "tests/rig/layers.h"
#include "tests/rig/rounds.h"
#include "tests/tiles/harness.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

constexpr double kMostFlop = 4e5 / kShare;

Result<std::unique_ptr<Kernel>> plan_on_model(const Problem& p, const PlanContext& c) {
  return tiles::plan_amx_on(tiles::kModelUnit, p, c);
}
const Engine kModel{"amx", Bits::kMachine, kForwardFloats, &plan_on_model};

void judge(bool badly_scaled) {
  Rng rng(badly_scaled ? 11 : 12);
  Errors own, model;
  for (const Layer& layer : bench_layers()) {
    if (layer.p.ci < tiles::kLeastSplitChannels) continue;  // refused
    Problem p = cut_layer(layer.p, kMostFlop);
    p.epilogue = {};
    lay_out(&p, true, true);
    Case c = make_case(p, rng, Values::kReal);
    if (badly_scaled) scale_badly(&c, rng);
    const std::vector<Exact> exact = defined_in_f64(p, c.operand());
    const Outcome a = checked(kReferenceEngine, c), b = checked(kModel, c);
    REQUIRE(a.status.ok());
    if (!b.status.ok()) continue;  // a weight beyond its range
    add(a.written.values, exact, &own);
    add(b.written.values, exact, &model);
  }
  INFO(model.layers << " layers; largest " << model.largest << ", reference " << own.largest << ", ratio "
                    << model.largest / own.largest << "; RMS " << model.rms() << ", reference " << own.rms()
                    << ", ratio " << model.rms() / own.rms());
  CHECK(model.layers > 70);
  CHECK(model.largest <= 1.5 * own.largest);
  CHECK(model.rms() <= 1.5 * own.rms());
}

}  // namespace

TEST_CASE("amx on the model: as accurate as the reference, normal data", "[tiles][amx][accuracy]") { judge(false); }
TEST_CASE("amx on the model: as accurate as the reference, badly scaled data", "[tiles][amx][accuracy]") {
  judge(true);
}
