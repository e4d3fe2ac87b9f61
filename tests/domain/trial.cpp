// See trial.h.
#include "tests/domain/trial.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "src/base/activation.h"
#include "src/base/half.h"
#include "src/engine/reference/reference.h"
#include "src/plan/plan.h"

namespace ctconv::domain {
namespace {

constexpr uint8_t kPoison = 0xa5;   // no small integer looks like it, in no type
constexpr double kWholeFlop = 6e5;  // up to here every value is compared
constexpr int64_t kWholeValues = 100000;
constexpr int kPlaces = 64;

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double load(const void* data, Dtype t, int64_t at) {
  switch (t) {
    case Dtype::kF32:
      return static_cast<const float*>(data)[at];
    case Dtype::kF64:
      return static_cast<const double*>(data)[at];
    case Dtype::kF16:
      return f16_to_f32(static_cast<const uint16_t*>(data)[at]);
    case Dtype::kBf16:
      return bf16_to_f32(static_cast<const uint16_t*>(data)[at]);
    case Dtype::kI8:
      return static_cast<const int8_t*>(data)[at];
    case Dtype::kI32:
      return static_cast<const int32_t*>(data)[at];
  }
  return 0;
}

// f64 is never drawn.
void put(void* data, Dtype t, int64_t at, float value) {
  if (size_of(t) == 4) {
    static_cast<float*>(data)[at] = value;
  } else {
    static_cast<uint16_t*>(data)[at] = t == Dtype::kBf16 ? f32_to_bf16(value) : f32_to_f16(value);
  }
}

// Integers from -2 to 2: every sum below 2^24 is exact in f32, whatever its order.
void fill(void* data, Dtype t, int64_t count, uint64_t seed) {
  uint64_t state = seed * 2 + 1;
  for (int64_t at = 0; at < count; ++at) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    const auto value = static_cast<float>(static_cast<int64_t>((state >> 33) % 5) - 2);
    put(data, t, at, value);
  }
}

// One element in x or bias that is no number, or none: an engine may neither spread nor swallow it.
void spoil(void* data, Dtype t, int64_t count, uint64_t seed) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float value = seed % 3 == 0 ? kInf : seed % 3 == 1 ? -kInf : std::numeric_limits<float>::quiet_NaN();
  const auto at = static_cast<int64_t>((seed * 6364136223846793005ull >> 20) % static_cast<uint64_t>(count));
  put(data, t, at, value);
}

// Elements a view spans (all strides positive).
int64_t span_of(const Problem& p, const ActivationLayout& l, bool output) {
  int64_t last = (p.n - 1) * l.n + (p.groups * (output ? p.co : p.ci) - 1) * l.c;
  for (size_t a = 0; a < 3; ++a) {
    last += ((output ? p.axis[a].o + p.axis[a].tail : p.axis[a].i) - 1) * l.axis[a];
  }
  return last + 1;
}

float activated(const Activation& act, float v) {
  const auto alpha = static_cast<float>(act.alpha), beta = static_cast<float>(act.beta);
  switch (act.kind) {
    case Activation::kNone:
      return v;
    case Activation::kRelu:
      return relu(v);
    case Activation::kLeakyRelu:
      return leaky_relu(v, alpha);
    case Activation::kTanh:
      return tanh_exact_steps(v);
    case Activation::kSigmoid:
      return sigmoid_exact_steps(v);
    case Activation::kClip:
      return clip(v, alpha, beta);
  }
  return v;
}

struct Tensors {
  const void *x, *w, *bias;
};

struct Place {
  int64_t n, c, o[3];
};

// The taps of one axis that reach output o, as (tap, input).
std::vector<std::pair<int64_t, int64_t>> reaching(const Axis& a, int64_t o) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t t = 0; t < a.k; ++t) {
    const int64_t at = o + a.lo - t * a.d;
    if (at < 0) break;
    if (at % a.s == 0 && at / a.s < a.i) pairs.emplace_back(t, at / a.s);
  }
  return pairs;
}

// y at one place, straight from the definition, before rounding to the element type.
double defined(const Problem& p, const Tensors& m, const Place& at) {
  const int64_t g = at.c / p.co, co = at.c % p.co;
  double sum = 0;
  for (const auto& [td, d] : reaching(p.axis[0], at.o[0])) {
    for (const auto& [th, h] : reaching(p.axis[1], at.o[1])) {
      for (const auto& [tw, v] : reaching(p.axis[2], at.o[2])) {
        const int64_t x0 = at.n * p.x.n + d * p.x.axis[0] + h * p.x.axis[1] + v * p.x.axis[2];
        const int64_t w0 = g * p.w.g + co * p.w.co + td * p.w.tap[0] + th * p.w.tap[1] + tw * p.w.tap[2];
        for (int64_t ci = 0; ci < p.ci; ++ci) {
          sum += load(m.x, p.types.x, x0 + (g * p.ci + ci) * p.x.c) * load(m.w, p.types.x, w0 + ci * p.w.ci);
        }
      }
    }
  }
  if (p.epilogue.bias) sum += load(m.bias, p.types.x, at.c);
  return activated(p.epilogue.activation, static_cast<float>(sum));
}

bool close(const Problem& p, double got, double want) {
  const bool smooth =
      p.epilogue.activation.kind == Activation::kTanh || p.epilogue.activation.kind == Activation::kSigmoid;
  const double narrow = p.types.x == Dtype::kBf16 ? 0x1p-8 : p.types.x == Dtype::kF16 ? 0x1p-11 : 0;
  if (!std::isfinite(got) || !std::isfinite(want)) return got == want || (std::isnan(got) && std::isnan(want));
  return std::fabs(got - want) <= (smooth ? 1e-5 : 0) + 2 * narrow * std::fabs(want);
}

int64_t place_in_y(const Problem& p, const Place& at) {
  return at.n * p.y.n + at.c * p.y.c + at.o[0] * p.y.axis[0] + at.o[1] * p.y.axis[1] + at.o[2] * p.y.axis[2];
}

std::string told(const Place& at, double got, double want) {
  return "y[" + std::to_string(at.n) + "," + std::to_string(at.c) + "," + std::to_string(at.o[0]) + "," +
         std::to_string(at.o[1]) + "," + std::to_string(at.o[2]) + "] is " + std::to_string(got) + ", not " +
         std::to_string(want);
}

// Calls f(place) for each element of the core until it answers false.
template <class F>
void each_place(const Problem& p, F f) {
  for (int64_t n = 0; n < p.n; ++n) {
    for (int64_t c = 0; c < p.groups * p.co; ++c) {
      for (int64_t d = 0; d < p.axis[0].o; ++d) {
        for (int64_t h = 0; h < p.axis[1].o; ++h) {
          for (int64_t w = 0; w < p.axis[2].o; ++w) {
            if (!f(Place{n, c, {d, h, w}})) return;
          }
        }
      }
    }
  }
}

std::string compare_whole(const Problem& p, const void* y, const void* want) {
  std::string wrong;
  each_place(p, [&](const Place& at) {
    const int64_t e = place_in_y(p, at);
    const double got = load(y, p.types.x, e), right = load(want, p.types.x, e);
    if (!close(p, got, right)) wrong = told(at, got, right);
    return wrong.empty();
  });
  return wrong;
}

std::string compare_places(const Problem& p, const Tensors& m, const void* y, uint64_t seed) {
  const int64_t extent[5] = {p.n, p.groups * p.co, p.axis[0].o, p.axis[1].o, p.axis[2].o};
  uint64_t state = seed;
  for (int k = 0; k < kPlaces; ++k) {
    int64_t index[5];
    for (int e = 0; e < 5; ++e) {  // the first eight are corners
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      const auto drawn = static_cast<int64_t>((state >> 20) % static_cast<uint64_t>(extent[e]));
      index[e] = k == 0 ? 0 : k == 1 ? extent[e] - 1 : k < 8 && state >> 63 ? extent[e] - 1 : drawn;
    }
    const Place at{index[0], index[1], {index[2], index[3], index[4]}};
    const double got = load(y, p.types.x, place_in_y(p, at)), want = defined(p, m, at);
    if (!close(p, got, want)) return told(at, got, want);
  }
  // Elsewhere: written at all. In a dense y every element is ours.
  std::string wrong;
  const auto poisoned = [&](int64_t e) {
    const auto* bytes = static_cast<const uint8_t*>(y) + e * static_cast<int64_t>(size_of(p.types.x));
    return std::all_of(bytes, bytes + size_of(p.types.x), [](uint8_t v) { return v == kPoison; });
  };
  each_place(p, [&](const Place& at) {
    if (poisoned(place_in_y(p, at))) wrong = told(at, NAN, NAN) + " never written";
    return wrong.empty();
  });
  return wrong;
}

// As many workers as the plan counts on, one after another.
void in_turn(void* user, int64_t count, Runner::Task task, void* data) {
  const int64_t workers = *static_cast<const int32_t*>(user);
  for (int64_t k = 0; k < count; ++k) task(data, k, static_cast<int32_t>(k % workers));
}

}  // namespace

Bench::Bench(size_t most_bytes)
    : x_(most_bytes * 5 / 4 + (size_t{1} << 20)),
      w_(most_bytes + (size_t{1} << 20)),
      bias_(most_bytes + (size_t{1} << 20)),
      y_(most_bytes * 5 / 4 + (size_t{1} << 20)),
      want_(most_bytes * 5 / 4 + (size_t{1} << 20)),
      workspace_(most_bytes * 8),
      packed_(most_bytes * 4) {}

Verdict Bench::run(const Problem& p, std::span<const Engine* const> engines, const char* engine, uint64_t seed,
                   volatile int* stage) {
  Verdict verdict;
  *stage = static_cast<int>(Stage::kDraw);
  const auto bytes = static_cast<int64_t>(size_of(p.types.x));
  const int64_t x_count = span_of(p, p.x, false), y_count = span_of(p, p.y, true);
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
    verdict.why = compare_places(p, {x, w, bias}, y, seed);
  }
  if (verdict.why.empty()) verdict.outcome = Outcome::kRight;
  return verdict;
}

}  // namespace ctconv::domain
