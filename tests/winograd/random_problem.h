// SPDX-License-Identifier: Apache-2.0
// Problems that the engine winograd serves, and one of them through the engine under guard.
#pragma once

#include "src/engine/winograd/winograd.h"
#include "tests/native/harness.h"
#include "tests/rig/trial.h"
#include "tests/winograd/definition.h"

namespace ctconv::winograd_test {

// An axis of `k` taps with at least one input row that matters; a region of y now and then.
inline Axis random_axis(rig::Rng& rng, int64_t most_inputs) {
  struct Shape {
    int64_t k, s, d;
  };
  static constexpr Shape kShapes[] = {{3, 1, 1}, {3, 1, 2}, {2, 1, 1}, {2, 1, 3}, {4, 2, 1}, {3, 2, 1}, {5, 2, 1},
                                      {6, 2, 1}, {8, 4, 1}, {5, 3, 1}, {7, 3, 1}, {3, 1, 4}, {2, 2, 1}, {1, 1, 1}};
  const Shape s = rig::one_of(rng, kShapes);
  Axis a{.i = rig::pick(rng, 1, most_inputs), .k = s.k, .s = s.s, .d = s.d};
  const int64_t full = (a.i - 1) * a.s + (a.k - 1) * a.d + 1;
  a.lo = rig::pick(rng, 0, 2) ? rig::pick(rng, 0, std::min(a.d * (a.k - 1), full - 1)) : rig::pick(rng, -5, full + 2);
  a.o = std::max<int64_t>(1, full - a.lo - rig::pick(rng, -2, 4));
  if (rig::pick(rng, 0, 4) == 0) a.o = rig::pick(rng, 1, a.o);
  return a;
}

inline Problem random_problem(rig::Rng& rng) {
  Problem p;
  p.rank = static_cast<int>(rig::pick(rng, 1, 3));
  p.types =
      uniform_types(rig::one_of(rng, std::vector{Dtype::kF32, Dtype::kF32, Dtype::kF32, Dtype::kF16, Dtype::kBf16}));
  p.n = rig::pick(rng, 1, 3);
  p.groups = rig::pick(rng, 0, 3) ? 1 : rig::pick(rng, 2, 3);
  p.ci = rig::pick(rng, 0, 2) ? kLeastWinogradChannels + rig::pick(rng, 0, 40) : 128;
  p.co = rig::pick(rng, 1, 3) * rig::pick(rng, 1, 24);
  for (int a = 3 - p.rank; a < 3; ++a) {
    p.axis[static_cast<size_t>(a)] = random_axis(rng, p.rank == 1 ? 60 : p.rank == 2 ? 13 : 5);
  }
  // The definition tries every tap and point of every output.
  while (static_cast<double>(p.out_elements() * p.ci * p.axis[0].k) > 6e4) {
    if (p.n > 1) {
      p.n = 1;
    } else if (p.co > 1) {
      p.co /= 2;
    } else if (p.axis[1].o > 1) {
      p.axis[1].o = (p.axis[1].o + 1) / 2;
    } else if (p.axis[0].o > 1) {
      p.axis[0].o = (p.axis[0].o + 1) / 2;
    } else {
      p.axis[2].o = (p.axis[2].o + 1) / 2;
    }
  }
  p.epilogue.bias = rig::pick(rng, 0, 1) == 1;
  p.epilogue.activation.kind = static_cast<Activation::Kind>(rig::pick(rng, 0, 5));
  p.epilogue.activation.alpha = -0.25;
  p.epilogue.activation.beta = 0.5;
  p.x = rig::sliced_layout(p, false, rig::pick(rng, 0, 1) == 1, rig::pick(rng, 0, 3) ? 0 : 3);
  p.y = rig::sliced_layout(p, true, rig::pick(rng, 0, 1) == 1, rig::pick(rng, 0, 3) ? 0 : 3);
  p.w = dense_weight(p);
  if (rig::pick(rng, 0, 4) == 0) p.x.axis[2] = 0;  // a broadcast
  return p;
}

struct Outcome {
  bool refused = false, same = true;
  std::string form, why;
  rig::Numbers y;
};

// Plans, packs and runs p under guard; compares what was written with the definition bit for bit.
inline Outcome compare(const Problem& p, rig::Rng& rng, int workers) {
  const rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
  const Runner runner = workers == 1 ? Runner() : Runner(&native_test::threads_for, &workers, workers);
  rig::Outcome run = rig::run(kWinogradEngine, c, {}, runner);
  Outcome out{.form = run.form, .why = run.reason() + run.fault};
  out.refused = run.refused();
  if (out.refused) return out;
  if (run.ok()) out.why = rig::difference(run.written, numbers_of(p, c.operand()));
  out.same = run.ok() && out.why.empty();
  out.y = std::move(run.written);
  return out;
}

}  // namespace ctconv::winograd_test
