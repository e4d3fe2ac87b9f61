// SPDX-License-Identifier: Apache-2.0
// One kernel on its stage; see trial.h.
#include "tests/rig/trial.h"

#include <algorithm>
#include <cstdio>

#include "tests/rig/stage.h"

namespace ctconv::rig {

void note(const Engine& engine, const Kernel& k, const PlanContext& context, Outcome* out) {
  out->engine = engine.name;
  out->form = k.form();
  out->bits = k.bits();
  if (k.bits() < engine.strongest) out->fault = "its bits are stronger than its engine says";
  if (!(k.estimated_seconds() > 0)) out->fault = "expects to take no time";
  if (k.scratch_bytes() > context.workspace_limit) out->fault = "needs more scratch memory than the limit";
}

Outcome run(const Engine& engine, const Case& c, PlanContext context, const Runner& runner) {
  Outcome out;
  context.threads = runner.workers();
  auto kernel = engine.plan(c.p, context);
  if (!kernel.ok()) {
    out.status = kernel.take_status();
    return out;
  }
  const Kernel& k = **kernel;
  note(engine, k, context, &out);
  Stage& t = Stage::of_this_thread();
  t.place(c);
  void* packed = t.packed(k.packed_bytes());
  if (c.p.written != Written::kW) {
    const auto honoured = k.pack(t.operand(Written::kW), packed, runner);
    if (!honoured.ok() || !*honoured) {
      out.status = honoured.ok() ? refuse(k.weights_not_honoured()) : Status(honoured.status().detail());
      return out;
    }
  }
  t.packed_is_done();
  const Operands memory{.x = t.operand(Written::kX),
                        .w = t.operand(Written::kW),
                        .packed = packed,
                        .bias = t.bias(c),
                        .y = t.operand(Written::kY),
                        .scratch = t.scratch(k.scratch_bytes(), kAlignment)};
  out.status = k.run(memory, runner);
  if (out.status.ok()) out.written = t.written(c.p, false, &out.fault);
  return out;
}

std::string difference(const Numbers& got, const Numbers& want) {
  if (got.bits.size() != want.bits.size()) {
    return std::to_string(got.bits.size()) + " values instead of " + std::to_string(want.bits.size());
  }
  const auto [a, b] = std::mismatch(got.bits.begin(), got.bits.end(), want.bits.begin());
  if (a == got.bits.end()) return {};
  const auto at = static_cast<size_t>(a - got.bits.begin());
  char text[160];
  std::snprintf(text, sizeof text, "element %zu is %.17g (%llx), not %.17g (%llx)", at, got.values[at],
                static_cast<unsigned long long>(*a), want.values[at], static_cast<unsigned long long>(*b));
  return text;
}

}  // namespace ctconv::rig
