// SPDX-License-Identifier: Apache-2.0
// One problem through one engine, under guard pages, against the reference.
//
//   in:  a Problem, the engines to ask;   out: what became of it
//   x, w and bias are small integers, in one small problem of eight with one Inf or NaN in x or bias. They are
//   read-only; every buffer lies flush against a guard page, at either end.
//   Small problems are compared whole with the reference engine, larger ones at 64 places with the definition.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "src/plan/engine.h"
#include "tests/rig/guarded.h"

namespace ctconv::domain {

enum class Outcome { kRefused, kRight, kWrong, kFailed };
enum class Stage : int { kDraw, kPlan, kRun, kCheck };

struct Verdict {
  Outcome outcome = Outcome::kRefused;
  double seconds = 0;     // processor time of planning and running
  std::string form, why;  // the kernel's own line; the refusal, or what is wrong
};

class Bench {
 public:
  explicit Bench(size_t most_bytes);
  // `stage` is set before each step, for whoever watches from outside.
  Verdict run(const Problem& p, std::span<const Engine* const> engines, const char* engine, uint64_t seed,
              volatile int* stage);

 private:
  rig::Arena x_, w_, bias_, y_, want_, workspace_, packed_;
};

}  // namespace ctconv::domain
