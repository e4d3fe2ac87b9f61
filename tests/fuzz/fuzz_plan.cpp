// SPDX-License-Identifier: Apache-2.0
// Property: for every small problem the one-line form can say, with dense x, y and w, every engine answers a kernel or
//           a reason, and what the engines with the reference's bits compute equals the reference, which equals the
//           definition where that is quick (bit for bit, values from the bytes, under guard).
// Bytes that are no such line are the seed of a random problem: every operand written, any slices, tails, regions.
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
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

Case random_case(uint64_t seed) {
  Rng rng(seed);
  Limits limits;
  limits.written.assign(std::begin(kEveryWritten), std::end(kEveryWritten));
  limits.layouts = Layouts::kSlices;
  limits.extents = {24, 7, 4};
  limits.channels = 9;
  limits.groups = 3;
  limits.far = 6;
  limits.products = 2e4;
  const Problem p = random_problem(rng, limits);
  return make_case(p, rng, Values::kReal);
}

// slow: also the engine that generates code.
int judge(const Case& c, bool slow) {
  const Problem& p = c.p;
  const Outcome plain = planned(*reference_engine(), c);
  const bool known = check_known("reference", reference_engine()->knows, p).ok();
  if (plain.status.ok() != known) std::abort();
  if (!known) return 0;
  const bool quick = useful_flop(p) <= 2e4 && p.written_elements() <= 4000;
  if (quick && !p.empty() && !difference(plain.written, defined(p, c.operand())).empty()) std::abort();
  for (const Engine* engine : cpu_engines()) {
    if (engine == reference_engine() || (!slow && std::string_view(engine->name) == "onednn")) continue;
    const Outcome fast = planned(*engine, c);
    if (!fast.status.ok() || fast.bits != Bits::kReference) continue;
    if (!difference(fast.written, plain.written).empty()) std::abort();
  }
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* end = static_cast<const uint8_t*>(size ? std::memchr(data, '\n', size) : nullptr);
  const size_t length = end ? static_cast<size_t>(end - data) : size;
  auto parsed = problem_from_text({reinterpret_cast<const char*>(data), length});
  if (!parsed.ok()) {
    const size_t seed = std::hash<std::string_view>()({reinterpret_cast<const char*>(data), size});
    return judge(random_case(seed), seed % 16 == 0);
  }
  if (!is_small(*parsed)) return 0;
  Problem p = *parsed;
  p.w = dense_weight(p);
  return judge(case_of(p, data + length, size - length), size % 16 == 0);
}
