// SPDX-License-Identifier: Apache-2.0
// The bench's problems as the native engine's tests draw them, and its guarded run as one answer.
//
//   Every rank, group, stride, dilation, crop, region, slice, type and activation; f32 five times of eight.
#pragma once

#include "tests/native/harness.h"
#include "tests/rig/trial.h"

namespace ctconv::native_test {

inline rig::Limits limits() {
  rig::Limits limits;
  limits.types.insert(limits.types.end(), 4, uniform_types(Dtype::kF32));
  limits.layouts = rig::Layouts::kSlices;
  limits.extents = {150, 18, 7};
  limits.channels = 70;
  limits.groups = 20;
  limits.steps = 9;
  limits.far = 40;
  limits.tails = false;
  return limits;
}

inline Problem random_problem(rig::Rng& rng) { return rig::random_problem(rng, limits()); }

// Many images of tiny maps, or many small groups: what is cut in pieces, and more of them than one piece holds.
inline Problem many_small(rig::Rng& rng) {
  rig::Limits small = limits();
  small.extents = {24, 6, 3};
  small.channels = 5;
  small.groups = 40;
  small.products = 2e4;
  Problem p = rig::random_problem(rng, small);
  if (rng() % 2) p.n = 1 + static_cast<int64_t>(rng() % 300);
  const auto gap = [&] { return rng() % 4 ? 0 : static_cast<int64_t>(rng() % 5); };
  const bool x_last = rng() % 2 != 0, y_last = rng() % 8 ? x_last : !x_last;
  p.x = rig::sliced_layout(p, false, x_last, gap());
  p.y = rig::sliced_layout(p, true, y_last, gap());
  return p;
}

struct Outcome {
  bool refused = false, same = true;
  std::string form, why;
};

// Plans, packs and runs p under guard; compares what was written with the definition bit for bit.
inline Outcome compare(const Engine& engine, const Problem& p, rig::Rng& rng, int workers) {
  rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
  const auto channels = static_cast<int64_t>(c.bias.size() / size_of(p.types.accumulator));
  for (int64_t k = 0; k < channels; k += 5) rig::store(c.bias.data(), p.types.accumulator, k, 0);
  const Runner runner = workers == 1 ? Runner() : Runner(&threads_for, &workers, workers);
  const rig::Outcome run = rig::run(engine, c, {}, runner);
  Outcome out{.form = run.form, .why = run.reason() + run.fault};
  out.refused = run.refused() && run.form.empty();
  if (out.refused) return out;
  if (run.ok()) out.why = rig::difference(run.written, rig::defined(p, c.operand()));
  out.same = run.ok() && out.why.empty();
  return out;
}

}  // namespace ctconv::native_test
