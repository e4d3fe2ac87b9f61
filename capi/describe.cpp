// ctconv_describe: which engine, why, and the numbers, as `key: value` lines that are only appended to.
#include "capi/call.h"
#include "capi/gpu.h"
#include "src/base/number.h"
#include "src/base/utf8.h"
#include "src/problem/text.h"

using namespace ctconv;

namespace {

std::string line(const char* key, const std::string& value) { return std::string(key) + ": " + value + "\n"; }

PlanFacts facts_of(const ctconv_op& op, const Plan& plan) {
  return {.engine = plan.engine->name,
          .form = plan.kernel->form(),
          .why = plan.why,
          .problem = plan.problem,
          .estimated_seconds = plan.kernel->estimated_seconds(),
          .workspace_bytes = plan.workspace_bytes(),
          .packed_bytes = plan.kernel->packed_bytes(),
          .threads = op.runner.workers(),
          .refused = plan.refused};
}

// The op's own device decides who answers; the lines are written here alone.
Result<PlanFacts> plan_facts(const ctconv_op& op, const Call& call) {
  if (op.gpu) return op.gpu->describe(gpu_call(op, call));
  auto plan = plan_of(op, call);
  if (!plan.ok()) return plan.take_status();
  return facts_of(op, **plan);
}

OpFacts op_facts(const ctconv_op& op) {
  if (op.gpu) return op.gpu->held();
  const auto held = op.plans.held();
  return {.plans = held.plans,
          .packed_bytes = held.packed_bytes,
          .weight_bytes = op.weight.copy.bytes(),
          .workspace_bytes = op.spare.bytes()};
}

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
  for (const auto& [fact, value] : plan.device) s += line(("device." + fact).c_str(), value);
  for (const auto& [engine, reason] : plan.refused) s += line(("refused." + engine).c_str(), reason);
  return s;
}

std::string describe_op(const ctconv_op& op) {
  const OpFacts held = op_facts(op);
  std::string s = line("dialect", op.desc.dialect);
  s += line("device", op.options.device);
  s += line("engine_option", op.options.engine);
  if (!op.gpu) {  // threads of the host have no part in work on a device
    s += line("threads", std::to_string(op.runner.workers()));
    s += line("runner", op.options.runner ? "the caller's" : "own pool");
  }
  s += line("plans", std::to_string(held.plans));
  s += line("plan_limit", std::to_string(op.options.plan_limit));
  s += line("packed_bytes", std::to_string(held.packed_bytes));
  s += line("weight_bytes", std::to_string(held.weight_bytes));
  s += line("workspace_held_bytes", std::to_string(held.workspace_bytes));
  if (!op.gpu) {
    s += line("cores", std::to_string(allowed_cores()));
    s += line("cpu_quota", cpu_quota_text());
  }
  std::string_view version;
  return s + line("mirrors", find_dialect(op.desc.dialect, &version)->source);
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
      CTCONV_RETURN_IF_ERROR(check_output(*op, judged, Stage::kPrepare));
      auto facts = plan_facts(*op, judged);
      if (!facts.ok()) return facts.take_status();
      text = describe_plan(*facts);
    }
    if (needed != nullptr) *needed = text.size() + 1;
    copy_text(text, buf, cap);
    return {};
  });
}
