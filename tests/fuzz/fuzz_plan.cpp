// SPDX-License-Identifier: Apache-2.0
// Property: for every small problem the one-line form can say, with dense x, y and w, every engine answers a kernel or
//           a reason,
// and what the engines with the reference's bits compute equals the reference, which equals the definition where that
// is quick (bit for bit, values from the bytes, under guard).
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "capi/engines.h"
#include "src/problem/text.h"
#include "tests/rig/trial.h"

namespace {

using namespace ctconv;
using namespace ctconv::rig;

// Engines may assume what canonicalize promises: the extents fit together. Strides: dense only, memory is ours.
bool is_small(const Problem& p) {
  for (const Axis& a : p.axis) {
    if (a.i > 64 || a.o > 128 || a.k > 32 || a.s > 32 || a.d > 32 || a.lo > 1024 || a.lo < -1024 || a.tail > 8) {
      return false;
    }
  }
  if (p.n > 8 || p.groups * p.ci > 64 || p.groups * p.co > 64) return false;
  if (useful_flop(p) + static_cast<double>(p.out_elements()) > 1e6) return false;
  return order_of(p.x, p, false) != Order::kOther && order_of(p.y, p, true) != Order::kOther;
}

// Operands whose bytes are those given, again and again from another place on.
Case case_of(const Problem& p, const uint8_t* data, size_t size) {
  Case c;
  c.p = p;
  size_t seed = 0;
  for (const Written operand : kEveryWritten) {
    if (operand == p.written) continue;
    std::vector<uint8_t>& bytes = c.memory(operand).bytes;
    bytes.resize(static_cast<size_t>(span_of(p, operand).elements()) * size_of(type_of(p, operand)));
    for (size_t n = 0; n < bytes.size(); ++n) bytes[n] = size != 0 ? data[(n * 7 + seed) % size] : 0x3c;
    ++seed;
  }
  if (p.epilogue.bias && p.written == Written::kY) {
    c.bias.resize(static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator));
    for (int64_t k = 0; k < p.groups * p.co; ++k) store(c.bias.data(), p.types.accumulator, k, 0.5);
  }
  return c;
}

Outcome planned(const Engine& engine, const Case& c) {
  PlanTrial trial;
  trial.engines = cpu_engines();
  trial.reference = reference_engine();
  trial.engine = engine.name;
  Outcome out = run_planned(trial, c);
  if (!out.fault.empty()) std::abort();
  if (!out.status.ok() && (!out.refused() || out.reason().size() <= 10)) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* end = static_cast<const uint8_t*>(size ? std::memchr(data, '\n', size) : nullptr);
  const size_t length = end ? static_cast<size_t>(end - data) : size;
  auto parsed = problem_from_text({reinterpret_cast<const char*>(data), length});
  if (!parsed.ok() || !is_small(*parsed)) return 0;
  Problem p = *parsed;
  p.w = dense_weight(p);
  const Case c = case_of(p, data + length, size - length);

  const Outcome plain = planned(*reference_engine(), c), fast = planned(*cpu_engines().front(), c);
  const bool known = check_known("reference", reference_engine()->knows, p).ok();
  if (plain.status.ok() != known) std::abort();
  if (!known) return 0;
  const bool quick = useful_flop(p) <= 2e4 && p.written_elements() <= 4000;
  if (quick && !p.empty() && !difference(plain.written, defined(p, c.operand())).empty()) std::abort();
  if (fast.status.ok() && fast.bits == Bits::kReference && !difference(fast.written, plain.written).empty()) {
    std::abort();
  }
  return 0;
}
