// SPDX-License-Identifier: Apache-2.0
// One plan on its stage; see trial.h. Apart from trial.cpp: programs without the planner use that alone.
#include "src/plan/plan.h"
#include "tests/rig/stage.h"
#include "tests/rig/trial.h"

namespace ctconv::rig {

Outcome run_planned(const PlanTrial& asked, const Case& c, const Runner& runner) {
  Outcome out;
  Stage& t = Stage::of_this_thread();
  t.place(c);
  t.packed(0);
  if (asked.bias_per_call && !c.bias.empty()) t.narrow_bias(c);
  const Allocator guarded{&t, [](void* user, size_t bytes, size_t) { return static_cast<Stage*>(user)->packed(bytes); },
                          [](void*, void*, size_t, size_t) {}};
  PackedStore store;
  PlanRequest request;
  request.engines = asked.engines;
  request.reference = asked.reference;
  request.engine = asked.engine;
  request.context = asked.context;
  request.context.threads = runner.workers();
  request.bias_per_call = asked.bias_per_call;
  request.weight = asked.own_weight && c.p.written != Written::kW ? t.operand(Written::kW) : nullptr;
  request.context.weights_per_call = request.weight == nullptr;
  request.allocator = &guarded;
  request.store = &store;
  request.runner = runner;
  auto made = make_plan(c.p, request);
  if (!made.ok()) {
    out.status = made.take_status();
    return out;
  }
  const Plan& plan = **made;
  note(*plan.engine, *plan.kernel, request.context, &out);
  if (plan.packed) t.packed_is_done();
  const RunMemory memory{.x = t.operand(Written::kX),
                         .w = t.operand(Written::kW),
                         .bias = t.bias(c),
                         .y = t.operand(Written::kY),
                         .workspace = t.scratch(plan.workspace_bytes(), 1)};
  out.status = run_plan(plan, memory, runner);
  if (out.status.ok()) out.written = t.written(c.p, c.p.written == Written::kY, &out.fault);
  return out;
}

}  // namespace ctconv::rig
