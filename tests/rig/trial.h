// SPDX-License-Identifier: Apache-2.0
// One case through one engine, or through a plan, under guard: what came out, and what it did that it may not.
//
//   in:  an engine or a plan's request, a Case, what the call allows, a runner
//   out: refused with the reason; or the written operand in logical order, as values and as bits
//   Every operand, the packed weight and the scratch lie between pages that nobody may touch, flush at either end by
//   turns. What is only read is read-only: a store to it ends the program. What is written is poisoned before, and
//   compared behind: nothing outside the written elements may have changed.
//   No test framework: fuzzers and programs of their own use it too. `fault` is empty where all is well.
#pragma once

#include <span>
#include <string>

#include "src/plan/engine.h"
#include "tests/rig/problems.h"

namespace ctconv::rig {

struct Outcome {
  Status status;             // of planning, packing or running; UNSUPPORTED_ENGINE: refused
  std::string engine, form;  // who ran
  Bits bits = Bits::kReference;
  Numbers written;
  std::string fault;  // a broken promise that is no status

  bool refused() const { return status.code() == Code::UNSUPPORTED_ENGINE; }
  std::string reason() const { return status.ok() ? std::string() : status.detail().message; }
  // Ran, and without a fault.
  bool ok() const { return status.ok() && fault.empty(); }
};

// The engine's own kernel: plan, pack, run.
Outcome run(const Engine& engine, const Case& c, PlanContext context = {}, const Runner& runner = Runner());

struct PlanTrial {
  std::span<const Engine* const> engines;
  const Engine* reference = nullptr;
  const char* engine = "auto";
  PlanContext context;
  bool own_weight = true;      // packed with the plan; else with the call
  bool bias_per_call = false;  // handed over raw, in y's type
};
// make_plan and run_plan. The tail, where the problem has one, is checked to be 0.
Outcome run_planned(const PlanTrial& trial, const Case& c, const Runner& runner = Runner());

// What a kernel says of itself, and the faults that can be seen in that.
void note(const Engine& engine, const Kernel& kernel, const PlanContext& context, Outcome* out);

// "" where both hold the same bits (any two NaNs are the same), else the first that differs.
std::string difference(const Numbers& got, const Numbers& want);

}  // namespace ctconv::rig
