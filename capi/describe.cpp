// SPDX-License-Identifier: Apache-2.0
// ctconv_describe: which engine, why, and the numbers, as `key: value` lines that are only appended to.
//
//   in:  an op, and a call or NULL;   out: the same keys for every device, in one order; a fact without meaning on a
//        device has no line
//   refuses: what reading the call and its backend's plan refuse
#include "capi/describe.h"

#include "capi/call.h"
#include "src/base/number.h"
#include "src/base/utf8.h"
#include "src/machine/machine.h"
#include "src/problem/text.h"

using namespace ctconv;

namespace {

std::string line(const char* key, const std::string& value) { return std::string(key) + ": " + value + "\n"; }

}  // namespace

namespace ctconv {

std::string describe_plan(const PlanFacts& plan) {
  std::string s = line("engine", plan.engine);
  s += line("form", plan.form);
  s += line("why", plan.why);
  s += line("problem", to_text(plan.problem));
  s += line("flop", show_fixed(useful_flop(plan.problem), 0));
  s += line("bytes", show_fixed(moved_bytes(plan.problem), 0));
  s += line("estimated_ms", show_general(plan.estimated_seconds * 1e3, 6));
  s += line("workspace_bytes", std::to_string(plan.workspace_bytes));
  s += line("packed_bytes", std::to_string(plan.packed_bytes));
  if (plan.threads != 0) s += line("threads", std::to_string(plan.threads));
  if (!plan.bits.empty()) s += line("bits", plan.bits);
  for (const auto& [fact, value] : plan.device) s += line(("device." + fact).c_str(), value);
  for (const auto& [engine, reason] : plan.refused) s += line(("refused." + engine).c_str(), reason);
  return s;
}

}  // namespace ctconv

namespace {

// What the cost models of the CPU engines read.
std::string describe_machine() {
  std::string s = line("machine.source", name_of(machine().source));
  for (const auto& [fact, value] : facts_of(machine())) s += line(("machine." + fact).c_str(), value);
  if (!machine_ignored().empty()) s += line("machine.ignored", machine_ignored());
  return s;
}

std::string describe_op(const ctconv_op& op) {
  const Options& options = op.backend->options();
  const OpFacts held = op.backend->held();
  std::string s = line("dialect", op.desc.dialect);
  s += line("device", options.device);
  s += line("engine_option", options.engine);
  if (held.threads != 0) s += line("threads", std::to_string(held.threads));
  if (!held.runner.empty()) s += line("runner", held.runner);
  s += line("plans", std::to_string(held.plans));
  s += line("plan_limit", std::to_string(options.plan_limit));
  s += line("packed_bytes", std::to_string(held.packed_bytes));
  s += line("weight_bytes", std::to_string(held.weight_bytes));
  s += line("workspace_held_bytes", std::to_string(held.workspace_bytes));
  if (held.cores != 0) s += line("cores", std::to_string(held.cores));
  if (!held.cpu_quota.empty()) s += line("cpu_quota", held.cpu_quota);
  std::string_view version;
  s += line("mirrors", find_dialect(op.desc.dialect, &version)->source);
  s += line("layout", op.desc.channels_last ? "channels last" : "channels first");
  return held.cores != 0 ? s + describe_machine() : s;
}

}  // namespace

extern "C" ctconv_status ctconv_describe(const ctconv_op* op, const ctconv_call* call, char* buf, size_t cap,
                                         size_t* needed, ctconv_error* error) {
  if (needed != nullptr) *needed = 0;
  if (buf != nullptr && cap > 0) buf[0] = '\0';
  return guarded(error, [&]() -> Status {
    if (op == nullptr) return null_argument("op");
    if (buf == nullptr && cap > 0) return null_argument("buf");
    std::string text;
    if (call == nullptr) {
      text = describe_op(*op);
    } else {
      Call judged;
      CTCONV_RETURN_IF_ERROR(read_call(*op, call, Stage::kPrepare, &judged));
      auto facts = op->backend->describe(work_of(*op, judged));
      if (!facts.ok()) return facts.take_status();
      text = describe_plan(*facts);
    }
    if (needed != nullptr) *needed = text.size() + 1;
    copy_text(text, buf, cap);
    return {};
  });
}
