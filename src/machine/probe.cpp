// SPDX-License-Identifier: Apache-2.0
// Windows, their best rates, and what follows from them; see probe.h.
//
//   clock          a chain of dependent exclusive ors: one a cycle on every processor we know
//   multiply-adds  a second; over the clock: how many a cycle, rounded to a power of two; over that: the clock while
//                  they run
//   bf16           products of pairs a second over that clock, rounded to a power of two; 0 where there are none
//   amx            the same of tile products, in 16 cycles
//   bandwidth      stores past the caches (x86); elsewhere stores over more than the caches hold
//   Several threads: each stores into room of its own for the time of a window. Quick: not measured, bandwidth grows
//   with them as in the plain record.
#include "src/machine/probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <numeric>
#include <system_error>
#include <thread>
#include <vector>

#include "src/base/cores.h"
#include "src/base/fp_mode.h"

namespace ctconv {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kTileCycles = 16;  // of a tile product
constexpr double kGuess = 4e9;      // cycles a second, before anything is known
constexpr int64_t kChain = 16;      // exclusive ors of a turn: four times CTCONV_LINKS
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

// Rates of some windows, and the one that counts; 0: there was none.
class Rates {
 public:
  void add(double work, double seconds) {
    if (seconds > 0) all_.push_back(work / seconds);
    std::sort(all_.begin(), all_.end());
  }
  double of(const Effort& effort) const {
    if (all_.empty()) return 0;
    return effort.median ? all_[all_.size() / 2] : all_.back();
  }
  // The best ones agree: no window to come will say much else. A step (kStep) is six times as wide.
  bool settled(const Effort& effort) const {
    constexpr size_t kBest = 3;
    constexpr double kAlike = 0.96;
    return !effort.median && all_.size() > kBest && all_[all_.size() - kBest] > kAlike * all_.back();
  }

 private:
  std::vector<double> all_;  // the slowest first
};

// Calls step() until there are enough windows, the rates are settled or the time is over.
template <class Step, class... Kinds>
void windows(const Effort& effort, Step&& step, const Kinds&... rates) {
  const auto end = Clock::now() + effort.most_time;
  for (int n = 0; n < effort.most_windows; ++n) {
    if (n >= effort.least_windows && (Clock::now() >= end || (rates.settled(effort) && ...))) return;
    step();
  }
}

template <class Work>
double seconds_of(Work&& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double power_of_two(double v) { return std::exp2(std::round(std::log2(v))); }

// Clock and multiply-adds, in turns, so that both see the same state of the machine.
void measure_computing(const ProbeLoops& loops, const Effort& effort, Machine* m) {
  const Machine plain;
  const auto turns = static_cast<int64_t>(effort.window * kGuess / static_cast<double>(kChain));
  const auto rounds = static_cast<int64_t>(effort.window * kGuess / static_cast<double>(loops.multiply_adds));
  Rates cycles, multiply_adds;  // a second
  volatile double kept = 0;
  const auto step = [&] {
    const double chained = seconds_of([&] { kept = kept + static_cast<double>(chain(turns)); });
    const double computed = seconds_of([&] { kept = kept + static_cast<double>(loops.rounds(rounds)); });
    cycles.add(static_cast<double>(turns * kChain), chained);
    multiply_adds.add(static_cast<double>(rounds * loops.multiply_adds), computed);
  };
  windows(effort, step, cycles, multiply_adds);
  const double clock = cycles.of(effort), rate = multiply_adds.of(effort);
  if (!(clock > 0 && rate > 0)) return;
  m->vector_bytes = loops.vector_bytes;
  m->fma = power_of_two(rate / clock);
  m->hertz = in_steps(rate / m->fma, plain.hertz);
}

// Products in `cycles` cycles. Some windows are enough: a power of two is asked.
double rate_of(const DotLoop& loop, const Effort& effort, const Machine& m, double cycles) {
  if (loop.rounds == nullptr) return 0;
  const auto rounds = static_cast<int64_t>(effort.window * kGuess / static_cast<double>(loop.products) / cycles);
  Rates rates;  // a second
  volatile double kept = 0;
  for (int n = 0; n < effort.least_windows; ++n) {
    const double took = seconds_of([&] { kept = kept + static_cast<double>(loop.rounds(rounds)); });
    rates.add(static_cast<double>(rounds * loop.products), took);
  }
  const double products = rates.of(effort);
  return products > 0 ? power_of_two(products * cycles / m.hertz) : 0;
}

struct Free {
  void operator()(void* p) const { std::free(p); }
};

using Room = std::unique_ptr<void, Free>;

void measure_memory(const ProbeLoops& loops, const Effort& effort, Machine* m) {
  const Machine plain;
  const Room room(std::aligned_alloc(4096, kStreamed));
  if (room == nullptr) return;
  auto* values = static_cast<float*>(room.get());
  constexpr size_t kCount = kStreamed / sizeof(float);
  loops.stream(values, kCount);  // its pages come
  Rates rates;                   // bytes a second
  const auto step = [&] {
    rates.add(static_cast<double>(kStreamed), seconds_of([&] { loops.stream(values, kCount); }));
  };
  windows(effort, step, rates);
  m->memory_1 = in_steps(rates.of(effort), plain.memory_1);
  const double by = m->memory_1 / plain.memory_1;
  m->memory_2 = plain.memory_2 * by;
  m->memory_4 = plain.memory_4 * by;
  m->memory_all = plain.memory_all * by;
}

// Of the calling thread: what others do on its core meanwhile does not count.
double own_seconds() {
  timespec t{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) return 0;
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Stores into `values` for kTogetherTime once nobody waits any more. Answers bytes a second.
double stored(const ProbeLoops& loops, float* values, std::atomic<int64_t>* waiting) {
  constexpr auto kTogetherTime = std::chrono::milliseconds(20);
  waiting->fetch_sub(1);
  while (waiting->load() > 0) std::this_thread::yield();
  const double start = own_seconds();
  double bytes = 0;
  for (const auto end = Clock::now() + kTogetherTime; Clock::now() < end; bytes += static_cast<double>(kStreamed)) {
    loops.stream(values, kStreamed / sizeof(float));
  }
  const double took = own_seconds() - start;
  return took > 0 ? bytes / took : 0;
}

// Bytes a second that `count` threads store together; the median of some windows counts. 0: a thread could not start.
double together(const ProbeLoops& loops, int64_t count) {
  constexpr int kTogether = 9;
  std::vector<Room> rooms;
  for (int64_t n = 0; n < count; ++n) rooms.emplace_back(std::aligned_alloc(4096, kStreamed));
  for (const Room& room : rooms) {
    if (room == nullptr) return 0;
    std::memset(room.get(), 1, kStreamed);  // its pages come
  }
  std::vector<double> rates, own(rooms.size());
  for (int turn = 0; turn < kTogether; ++turn) {
    std::atomic<int64_t> waiting{count};
    std::vector<std::thread> threads;
    try {
      for (size_t n = 0; n < rooms.size(); ++n) {
        threads.emplace_back([&, n] { own[n] = stored(loops, static_cast<float*>(rooms[n].get()), &waiting); });
      }
    } catch (const std::system_error&) {
      waiting.store(0);  // those that run go on without it
    }
    for (std::thread& t : threads) t.join();
    if (std::ssize(threads) < count) return 0;
    rates.push_back(std::accumulate(own.begin(), own.end(), 0.0));
  }
  std::sort(rates.begin(), rates.end());
  return rates[rates.size() / 2];
}

// By 1, 2, 4 and all threads. More threads than cores have what all cores have.
void measure_threads(const ProbeLoops& loops, Machine* m) {
  const Machine plain;
  const auto by = [&](int64_t count, double otherwise, double step) {
    const double rate = count <= m->cores ? together(loops, count) : 0;
    return rate > 0 ? in_steps(rate, step) : otherwise;
  };
  m->memory_1 = by(1, m->memory_1, plain.memory_1);
  m->memory_2 = by(2, m->memory_1, plain.memory_2);
  m->memory_4 = by(4, m->memory_2, plain.memory_4);
  m->memory_all = m->cores > 4 ? by(m->cores, m->memory_4, plain.memory_all) : m->memory_4;
}

}  // namespace

Machine measured_machine(const Effort& effort) {
  Machine m;
  m.source = Machine::Source::kMeasured;
  m.cores = allowed_cores();
  read_caches("", &m);
  const FpMode default_mode;
  const ProbeLoops loops = probe_loops();
  measure_computing(loops, effort, &m);
  m.bf16 = rate_of(dot_loop(), effort, m, 1);
  m.amx = rate_of(amx_loop(), effort, m, kTileCycles);
  measure_memory(loops, effort, &m);
  if (effort.threads) measure_threads(loops, &m);
  return clamped(m);
}

}  // namespace ctconv
