// SPDX-License-Identifier: Apache-2.0
// See trial.h.
#include "tests/domain/trial.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "src/engine/reference/reference.h"
#include "src/plan/plan.h"
#include "tests/rig/definition.h"

namespace ctconv::domain {
namespace {

using rig::Arena;
using rig::Element;

constexpr uint8_t kPoison = 0xa5;   // no small integer looks like it, in no type
constexpr double kWholeFlop = 6e5;  // up to here every value is compared
constexpr int64_t kWholeValues = 100000;
constexpr int kPlaces = 64;

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Integers from -2 to 2: every sum below 2^24 is exact in f32, whatever its order.
void fill(void* data, Dtype t, int64_t count, uint64_t seed) {
  uint64_t state = seed * 2 + 1;
  for (int64_t at = 0; at < count; ++at) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    const auto value = static_cast<float>(static_cast<int64_t>((state >> 33) % 5) - 2);
    rig::store(data, t, at, value);
  }
}

// One element in x or bias that is no number, or none: an engine may neither spread nor swallow it.
void spoil(void* data, Dtype t, int64_t count, uint64_t seed) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float value = seed % 3 == 0 ? kInf : seed % 3 == 1 ? -kInf : std::numeric_limits<float>::quiet_NaN();
  const auto at = static_cast<int64_t>((seed * 6364136223846793005ull >> 20) % static_cast<uint64_t>(count));
  rig::store(data, t, at, value);
}

bool close(const Problem& p, double got, double want) {
  const bool smooth =
      p.epilogue.activation.kind == Activation::kTanh || p.epilogue.activation.kind == Activation::kSigmoid;
  const double narrow = p.types.x == Dtype::kBf16 ? 0x1p-8 : p.types.x == Dtype::kF16 ? 0x1p-11 : 0;
  if (!std::isfinite(got) || !std::isfinite(want)) return got == want || (std::isnan(got) && std::isnan(want));
  return std::fabs(got - want) <= (smooth ? 1e-5 : 0) + 2 * narrow * std::fabs(want);
}

int64_t place_in_y(const Problem& p, const Element& e) { return rig::place_of(p, Written::kY, e); }

std::string told(const Problem& p, const Element& e, double got, double want) {
  return "y[" + std::to_string(e.n) + "," + std::to_string(e.g * p.co + e.co) + "," + std::to_string(e.at[0]) + "," +
         std::to_string(e.at[1]) + "," + std::to_string(e.at[2]) + "] is " + std::to_string(got) + ", not " +
         std::to_string(want);
}

std::string compare_whole(const Problem& p, const void* y, const void* want) {
  std::string wrong;
  rig::each_element(p, Written::kY, [&](const Element& at) {
    const int64_t e = place_in_y(p, at);
    const double got = rig::load(y, p.types.y, e), right = rig::load(want, p.types.y, e);
    if (wrong.empty() && !close(p, got, right)) wrong = told(p, at, got, right);
  });
  return wrong;
}

std::string compare_places(const Problem& p, const rig::Operand& m, const void* y, uint64_t seed) {
  const int64_t extent[5] = {p.n, p.groups * p.co, p.axis[0].o, p.axis[1].o, p.axis[2].o};
  uint64_t state = seed;
  rig::Definition definition(p, m);
  for (int k = 0; k < kPlaces; ++k) {
    int64_t index[5];
    for (int e = 0; e < 5; ++e) {  // the first eight are corners
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      const auto drawn = static_cast<int64_t>((state >> 20) % static_cast<uint64_t>(extent[e]));
      index[e] = k == 0 ? 0 : k == 1 ? extent[e] - 1 : k < 8 && state >> 63 ? extent[e] - 1 : drawn;
    }
    const Element at{index[0], index[1] / p.co, 0, index[1] % p.co, {index[2], index[3], index[4]}};
    const double got = rig::load(y, p.types.y, place_in_y(p, at)), want = definition.finished<float>(at);
    if (!close(p, got, want)) return told(p, at, got, want);
  }
  // Elsewhere: written at all. In a dense y every element is ours.
  std::string wrong;
  const auto poisoned = [&](int64_t e) {
    const auto* bytes = static_cast<const uint8_t*>(y) + e * static_cast<int64_t>(size_of(p.types.y));
    return std::all_of(bytes, bytes + size_of(p.types.y), [](uint8_t v) { return v == kPoison; });
  };
  rig::each_element(p, Written::kY, [&](const Element& at) {
    if (wrong.empty() && poisoned(place_in_y(p, at))) wrong = told(p, at, NAN, NAN) + " never written";
  });
  return wrong;
}

// Between guards that any wild 32-bit offset meets.
Arena arena(size_t bytes) {
  const size_t capacity = bytes + (size_t{1} << 20);
  return Arena(capacity, capacity, size_t{4} << 30);
}

// As many workers as the plan counts on, one after another.
void in_turn(void* user, int64_t count, Runner::Task task, void* data) {
  const int64_t workers = *static_cast<const int32_t*>(user);
  for (int64_t k = 0; k < count; ++k) task(data, k, static_cast<int32_t>(k % workers));
}

}  // namespace

Bench::Bench(size_t most_bytes)
    : x_(arena(most_bytes * 5 / 4)),
      w_(arena(most_bytes)),
      bias_(arena(most_bytes)),
      y_(arena(most_bytes * 5 / 4)),
      want_(arena(most_bytes * 5 / 4)),
      workspace_(arena(most_bytes * 8)),
      packed_(arena(most_bytes * 4)) {}

Verdict Bench::run(const Problem& p, std::span<const Engine* const> engines, const char* engine, uint64_t seed,
                   volatile int* stage) {
  Verdict verdict;
  *stage = static_cast<int>(Stage::kDraw);
  const auto bytes = static_cast<int64_t>(size_of(p.types.x));
  const int64_t x_count = rig::span_of(p, Written::kX).elements(), y_count = rig::span_of(p, Written::kY).elements();
  const int32_t workers = static_cast<int32_t>(seed % 3 == 0 ? 1 + seed / 3 % 8 : 1);
  const bool at_end = seed % 2 == 0, own_weight = seed / 8 % 2 == 0;

  PlanRequest request;
  PackedStore store;
  const Allocator from_arena{&packed_,
                             [](void* arena, size_t size, size_t alignment) {
                               return static_cast<Arena*>(arena)->place(size, alignment, true);
                             },
                             [](void*, void*, size_t, size_t) {}};
  int32_t limit = workers;
  request.engines = engines;
  request.engine = engine;
  request.reference = &kReferenceEngine;
  request.allocator = &from_arena;
  request.store = &store;
  request.runner = workers > 1 ? Runner(in_turn, &limit, workers) : Runner();
  request.context.threads = workers;
  request.context.workspace_limit = workspace_.capacity() - 4096;
  request.bias_per_call = true;

  void* x = x_.place(static_cast<size_t>(x_count * bytes), 1, at_end);
  void* w = w_.place(static_cast<size_t>(p.weight_elements() * bytes), 1, at_end);
  void* bias = bias_.place(static_cast<size_t>(p.groups * p.co * bytes), 1, at_end);
  if (x == nullptr || w == nullptr || bias == nullptr) return verdict;
  if (own_weight) {  // packed while planning: filled before
    fill(w, p.types.x, p.weight_elements(), seed + 1);
    request.weight = w;
    w_.read_only();
  }
  *stage = static_cast<int>(Stage::kPlan);
  double start = cpu_seconds();
  auto plan = make_plan(p, request);
  verdict.seconds = cpu_seconds() - start;
  if (!plan.ok()) {
    verdict.why = plan.status().detail().message;
    if (plan.status().code() == Code::UNSUPPORTED_ENGINE) return verdict;
    verdict.outcome = Outcome::kFailed;
    return verdict;
  }
  verdict.form = std::string((*plan)->engine->name) + " " + (*plan)->kernel->form();
  fill(x, p.types.x, x_count, seed + 2);
  fill(bias, p.types.x, p.groups * p.co, seed + 3);
  if (!own_weight) fill(w, p.types.x, p.weight_elements(), seed + 1);
  const bool whole = useful_flop(p) <= kWholeFlop && p.out_elements() <= kWholeValues;
  if (whole && seed / 16 % 8 == 0) {
    const bool in_bias = p.epilogue.bias && seed / 128 % 4 == 0;
    spoil(in_bias ? bias : x, p.types.x, in_bias ? p.groups * p.co : x_count, seed);
  }
  x_.read_only();
  w_.read_only();
  bias_.read_only();
  if ((*plan)->packed) packed_.read_only();
  void* y = y_.place(static_cast<size_t>(y_count * bytes), 1, at_end);
  std::memset(y, kPoison, static_cast<size_t>(y_count * bytes));
  const size_t workspace_bytes = (*plan)->workspace_bytes();
  void* workspace = workspace_.place(workspace_bytes, 1, at_end);
  const RunMemory memory{.x = x, .w = w, .bias = p.epilogue.bias ? bias : nullptr, .y = y, .workspace = workspace};
  *stage = static_cast<int>(Stage::kRun);
  start = cpu_seconds();
  const Status ran = run_plan(**plan, memory, request.runner);
  verdict.seconds += cpu_seconds() - start;
  *stage = static_cast<int>(Stage::kCheck);
  verdict.outcome = Outcome::kWrong;
  if (!ran.ok()) {
    verdict.outcome = Outcome::kFailed;
    verdict.why = ran.detail().message;
    return verdict;
  }
  if (!y_.intact() || !workspace_.intact() || ((*plan)->packed && !packed_.intact())) {
    verdict.why = "wrote beside y, the workspace or the packed weight";
    return verdict;
  }
  if (whole) {
    PlanRequest plain = request;
    PackedStore none;
    const Allocator heap;
    plain.engine = "reference";
    plain.allocator = &heap;
    plain.store = &none;
    auto reference = make_plan(p, plain);
    void* want = want_.place(static_cast<size_t>(y_count * bytes), 1, at_end);
    RunMemory second = memory;
    second.y = want;
    std::vector<uint8_t> own((*reference)->workspace_bytes());
    second.workspace = own.data();
    if (!run_plan(**reference, second, Runner()).ok()) verdict.why = "the reference failed";
    if (verdict.why.empty()) verdict.why = compare_whole(p, y, want);
  } else {
    std::vector<float> sums(
        static_cast<size_t>(p.groups * p.co));  // the bias as sums are kept: all types drawn use f32
    convert_bias(p.types.x, bias, 1, p.groups * p.co, sums.data());
    verdict.why = compare_places(p, {.x = x, .w = w, .bias = sums.data()}, y, seed);
  }
  if (verdict.why.empty()) verdict.outcome = Outcome::kRight;
  return verdict;
}

}  // namespace ctconv::domain
