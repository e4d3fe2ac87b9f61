// Random legal problems for the native engine's tests: every rank, group, stride, dilation, crop, layout, dtype,
// activation.
#pragma once

#include <algorithm>
#include <random>

#include "tests/native/harness.h"

namespace ctconv::native_test {

inline Problem random_problem(std::mt19937_64& rng) {
  auto pick = [&](int64_t a, int64_t b) { return std::uniform_int_distribution<int64_t>(a, b)(rng); };
  Problem p;
  p.types =
      uniform_types(std::array<Dtype, 8>{Dtype::kF32, Dtype::kF32, Dtype::kF32, Dtype::kF32, Dtype::kF64, Dtype::kF16,
                                         Dtype::kBf16, Dtype::kF32}[static_cast<size_t>(pick(0, 7))]);
  p.rank = static_cast<int>(pick(1, 3));
  p.n = pick(0, 3) == 0 ? pick(2, 5) : 1;
  const int kind = static_cast<int>(pick(0, 9));
  p.groups = kind < 7 ? 1 : pick(2, 40);
  p.ci = kind == 9 ? 1 : pick(1, pick(0, 1) ? 6 : 40);
  p.co = kind == 9 ? 1 : pick(1, pick(0, 1) ? 6 : 70);
  for (int a = 3 - p.rank; a < 3; ++a) {
    Axis& x = p.axis[static_cast<size_t>(a)];
    x.i = pick(1, p.rank == 1 ? 150 : p.rank == 2 ? 18 : 7);
    if (pick(0, 9) == 0) x.i = 1;
    x.k = pick(1, p.rank == 1 ? 12 : 4);
    x.s = pick(1, pick(0, 3) == 0 ? 9 : 3);
    if (pick(0, 3) == 0) x.k = x.s;
    if (pick(0, 5) == 0) x.k = 2 * x.s;
    x.d = pick(0, 3) == 0 ? pick(2, 4) : 1;
    const int64_t full = (x.i - 1) * x.s + (x.k - 1) * x.d + 1;
    x.lo = pick(0, 2) == 0 ? 0 : pick(-1, std::min<int64_t>(6, full));
    const int64_t hi = pick(0, 2) == 0 ? 0 : pick(-3, 5);
    x.o = std::max<int64_t>(1, full - x.lo - hi);
    if (pick(0, 7) == 0) {  // a region of the output, which may lie wholly outside of what x reaches
      x.lo = pick(-40, 60);
      x.o = pick(1, p.rank == 1 ? 120 : p.rank == 2 ? 30 : 9);
    }
  }
  while (p.out_elements() * p.ci * p.taps() > 400000 && p.co > 1) p.co = (p.co + 1) / 2;
  while (p.out_elements() * p.ci * p.taps() > 2000000 && p.groups > 1) p.groups = (p.groups + 1) / 2;
  p.x = layout(p, false, pick(0, 1) == 1, pick(0, 2) == 0 ? pick(1, 5) : 0);
  p.y = layout(p, true, pick(0, 1) == 1, pick(0, 2) == 0 ? pick(1, 5) : 0);
  if (pick(0, 9) == 0) {
    p.x.axis[2] *= 2;
    p.x.axis[1] *= 2;
    p.x.axis[0] *= 2;
    p.x.c *= 2;
    p.x.n *= 2;
  }
  if (pick(0, 9) == 0) {
    p.y.axis[2] *= 2;
    p.y.axis[1] *= 2;
    p.y.axis[0] *= 2;
    p.y.c *= 2;
    p.y.n *= 2;
  }
  p.w.tap[2] = 1;
  p.w.tap[1] = p.axis[2].k;
  p.w.tap[0] = p.w.tap[1] * p.axis[1].k;
  p.w.co = p.taps();
  p.w.ci = p.w.co * p.co;
  p.w.g = p.w.ci * p.ci;
  if (pick(0, 2) == 0) {
    std::swap(p.w.co, p.w.ci);
    p.w.co *= 1;
    p.w.ci = p.taps();
    p.w.co = p.taps() * p.ci;
  }
  p.epilogue.bias = pick(0, 1) == 1;
  p.epilogue.activation.kind = pick(0, 1) ? Activation::kNone : static_cast<Activation::Kind>(pick(0, 5));
  p.epilogue.activation.alpha = p.epilogue.activation.kind == Activation::kClip ? -0.5 : 0.1;
  p.epilogue.activation.beta = 0.75;
  return p;
}

struct Outcome {
  bool refused = false, same = true;
  std::string form, why;
};

// Plans, packs and runs p; compares y with the reference bit for bit, and the bytes around and between y's elements
// with what they were.
template <class T>
Outcome compare(const Engine& engine, const Problem& p, std::mt19937_64& rng, int workers,
                int64_t bias_zero_every = 5) {
  Outcome out;
  std::uniform_real_distribution<float> uniform(-1, 1);
  const size_t size = size_of(p.types.x), guard = 4096;
  auto make = [&](int64_t elements, bool values) {
    Operand o;
    o.offset = guard + size * static_cast<size_t>(rng() % 16);
    o.memory.assign(o.offset + static_cast<size_t>(elements) * size + guard, static_cast<char>(0xA5));
    if (values)
      for (int64_t k = 0; k < elements; ++k) write_value<double>(o.data(), p.types.x, k, uniform(rng));
    return o;
  };
  const Operand x = make(extent(p, p.x, false), true), w = make(p.weight_elements(), true);
  Operand y = make(extent(p, p.y, true), false);
  Operand expected = y;
  std::vector<T> bias(static_cast<size_t>(p.groups * p.co));
  for (size_t k = 0; k < bias.size(); ++k)
    bias[k] = k % static_cast<size_t>(bias_zero_every) == 0 ? T(0) : static_cast<T>(uniform(rng));
  const T* b = p.epilogue.bias ? bias.data() : nullptr;

  PlanContext context;
  context.threads = workers;
  auto planned = engine.plan(p, context);
  if (!planned.ok()) {
    out.refused = true;
    out.why = planned.status().detail().message;
    return out;
  }
  const Kernel& k = **planned;
  out.form = k.form();
  const Runner runner = workers == 1 ? Runner() : Runner(&threads_for, &workers, workers);
  std::vector<char> packed(k.packed_bytes() + 64), scratch(k.scratch_bytes() + 64 + guard, static_cast<char>(0x7f));
  Operands m;
  m.x = read_only(x.data());
  m.w = read_only(w.data());
  m.y = y.data();
  m.bias = read_only(b);
  m.packed = align_up(packed.data());
  m.scratch = align_up(scratch.data());
  auto finite = k.pack(w.data(), align_up(packed.data()), runner);
  if (!finite.ok() || !*finite) {
    out.same = false;
    out.why = "pack";
    return out;
  }
  const char* scratch_end = static_cast<char*>(m.scratch) + k.scratch_bytes();
  if (!k.run(m, runner).ok()) {
    out.same = false;
    out.why = "run";
  }
  for (const char* q = scratch_end; q < scratch.data() + scratch.size(); ++q) {
    if (*q != static_cast<char>(0x7f)) {
      out.same = false;
      out.why = "wrote past its scratch";
    }
  }
  reference<T>(p, x.data(), w.data(), b, expected.data());
  if (y.memory != expected.memory) {
    out.same = false;
    for (size_t q = 0; q < y.memory.size(); ++q) {
      if (y.memory[q] != expected.memory[q]) {
        const int64_t at = (static_cast<int64_t>(q) - static_cast<int64_t>(y.offset)) / static_cast<int64_t>(size);
        out.why = "first difference at element " + std::to_string(at) + ": " +
                  std::to_string(read_value(y.data(), p.types.x, at)) + " instead of " +
                  std::to_string(read_value(expected.data(), p.types.x, at));
        break;
      }
    }
  }
  return out;
}

inline Outcome compare(const Engine& engine, const Problem& p, std::mt19937_64& rng, int workers) {
  return p.types.x == Dtype::kF64 ? compare<double>(engine, p, rng, workers, 5)
                                  : compare<float>(engine, p, rng, workers, 5);
}

}  // namespace ctconv::native_test
