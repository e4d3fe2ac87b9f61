// Windows, their best rates, and what follows from them; see probe.h.
//
//   clock          a chain of dependent exclusive ors: one a cycle on every processor we know
//   multiply-adds  a second; over the clock: how many a cycle, rounded to a power of two; over that: the clock while
//                  they run
//   bf16           products of pairs a second over that clock, rounded to a power of two; 0 where there are none
//   bandwidth      stores past the caches (x86); elsewhere stores over more than the caches hold
//   Several threads are not measured: bandwidth grows with them as in the plain record.
#include "src/machine/probe.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "src/base/cores.h"
#include "src/base/fp_mode.h"

namespace ctconv {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kWindow = 30e-6;                         // seconds of one window of multiply-adds, about
constexpr int kLeastWindows = 8, kMostWindows = 40;       // of each kind
constexpr auto kMostTime = std::chrono::milliseconds(4);  // for each kind, beyond its least windows
constexpr double kGuess = 4e9;                            // cycles a second, before anything is known
constexpr int64_t kChain = 16;                            // exclusive ors of a turn: four times CTCONV_LINKS
#if defined(__x86_64__)
constexpr size_t kStreamed = size_t{1} << 20;  // bytes: stores past the caches need no larger room
#else
constexpr size_t kStreamed = size_t{16} << 20;
#endif

// Written out, so that no compiler, whatever its options, adds to the chain or breaks it.
#if defined(__x86_64__)
#define CTCONV_LINK "xorq %1, %0\n\t"
#elif defined(__aarch64__)
#define CTCONV_LINK "eor %0, %0, %1\n\t"
#endif

uint64_t chain(int64_t turns) {
  uint64_t x = 1;
  const uint64_t k = 3;
  for (int64_t t = 0; t < turns; ++t) {
#if defined(CTCONV_LINK)
#define CTCONV_LINKS CTCONV_LINK CTCONV_LINK CTCONV_LINK CTCONV_LINK
    asm volatile(CTCONV_LINKS CTCONV_LINKS CTCONV_LINKS CTCONV_LINKS : "+r"(x) : "r"(k) : "cc");
#else
    for (int64_t n = 0; n < kChain; ++n) {
      x ^= k;
      asm volatile("" : "+r"(x));
    }
#endif
  }
  return x;
}

// Calls step() until there are enough windows or the time is over.
template <class Step>
void windows(Step&& step) {
  const auto end = Clock::now() + kMostTime;
  for (int n = 0; n < kMostWindows && (n < kLeastWindows || Clock::now() < end); ++n) step();
}

template <class Work>
double seconds_of(Work&& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double power_of_two(double v) { return std::exp2(std::round(std::log2(v))); }

// Clock and multiply-adds, in turns, so that both see the same state of the machine.
void measure_computing(const ProbeLoops& loops, Machine* m) {
  const Machine plain;
  const auto turns = static_cast<int64_t>(kWindow * kGuess / static_cast<double>(kChain));
  const auto rounds = static_cast<int64_t>(kWindow * kGuess / static_cast<double>(loops.multiply_adds));
  double cycles = 0, multiply_adds = 0;  // a second
  volatile double kept = 0;
  windows([&] {
    const double chained = seconds_of([&] { kept = kept + static_cast<double>(chain(turns)); });
    const double computed = seconds_of([&] { kept = kept + static_cast<double>(loops.rounds(rounds)); });
    if (chained > 0) cycles = std::max(cycles, static_cast<double>(turns * kChain) / chained);
    if (computed > 0) {
      multiply_adds = std::max(multiply_adds, static_cast<double>(rounds * loops.multiply_adds) / computed);
    }
  });
  if (!(cycles > 0 && multiply_adds > 0)) return;
  m->vector_bytes = loops.vector_bytes;
  m->fma = power_of_two(multiply_adds / cycles);
  m->hertz = in_steps(multiply_adds / m->fma, plain.hertz);
}

// Some windows are enough: a power of two is asked.
void measure_dot(const DotLoop& loop, Machine* m) {
  m->bf16 = 0;
  if (loop.rounds == nullptr) return;
  const auto rounds = static_cast<int64_t>(kWindow * kGuess / static_cast<double>(loop.products));
  double products = 0;  // a second
  volatile double kept = 0;
  for (int n = 0; n < kLeastWindows; ++n) {
    const double took = seconds_of([&] { kept = kept + static_cast<double>(loop.rounds(rounds)); });
    if (took > 0) products = std::max(products, static_cast<double>(rounds * loop.products) / took);
  }
  if (products > 0) m->bf16 = power_of_two(products / m->hertz);
}

struct Free {
  void operator()(void* p) const { std::free(p); }
};

void measure_memory(const ProbeLoops& loops, Machine* m) {
  const Machine plain;
  const std::unique_ptr<void, Free> room(std::aligned_alloc(4096, kStreamed));
  if (room == nullptr) return;
  auto* values = static_cast<float*>(room.get());
  constexpr size_t kCount = kStreamed / sizeof(float);
  loops.stream(values, kCount);  // its pages come
  double best = 0;               // bytes a second
  windows([&] {
    const double took = seconds_of([&] { loops.stream(values, kCount); });
    if (took > 0) best = std::max(best, static_cast<double>(kStreamed) / took);
  });
  m->memory_1 = in_steps(best, plain.memory_1);
  const double by = m->memory_1 / plain.memory_1;
  m->memory_2 = plain.memory_2 * by;
  m->memory_4 = plain.memory_4 * by;
  m->memory_all = plain.memory_all * by;
}

}  // namespace

Machine measured_machine() {
  Machine m;
  m.source = Machine::Source::kMeasured;
  m.cores = allowed_cores();
  read_caches("", &m);
  const FpMode default_mode;
  const ProbeLoops loops = probe_loops();
  measure_computing(loops, &m);
  measure_dot(dot_loop(), &m);
  measure_memory(loops, &m);
  return clamped(m);
}

}  // namespace ctconv
