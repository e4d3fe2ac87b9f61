// SPDX-License-Identifier: Apache-2.0
// bench_peaks: the roof of this machine, measured. Usage: bench_peaks [threads ...]   (default: 1 and all cores)
//
//   out: one JSON object: per number of threads the peak of float32 fused multiply-adds (GFLOP/s, 2 per FMA and lane),
//        and per working set (bytes of all threads together) the bandwidth in GB/s of
//        read (sum), fill (ordinary stores), stream (stores past the cache), copy (bytes read + written);
//        handoff_ns: how long a cache line that one thread wrote takes to reach another (0 with one thread)
//   Method: the widest vectors Highway finds here; each figure is the best of several runs of at least 10 ms. (The
//   roof is what the machine can do, so disturbance is left out.) Every thread has its own buffer, touched first by it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peaks.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // re-includes this file once per instruction set
#include <hwy/highway.h>

#include "bench/multiply_add-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bench {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

float read_loop(const float* p, size_t n) {
  const D d;
  const size_t v = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (size_t i = 0; i + 4 * v <= n; i += 4 * v) {
    s0 = hn::Add(s0, hn::Load(d, p + i));
    s1 = hn::Add(s1, hn::Load(d, p + i + v));
    s2 = hn::Add(s2, hn::Load(d, p + i + 2 * v));
    s3 = hn::Add(s3, hn::Load(d, p + i + 3 * v));
  }
  return hn::ReduceSum(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)));
}

void fill_loop(float* p, size_t n, float value) {
  const D d;
  const auto x = hn::Set(d, value);
  for (size_t i = 0, v = hn::Lanes(d); i + v <= n; i += v) hn::Store(x, d, p + i);
}

void stream_loop(float* p, size_t n, float value) {
  const D d;
  const auto x = hn::Set(d, value);
  for (size_t i = 0, v = hn::Lanes(d); i + v <= n; i += v) hn::Stream(x, d, p + i);
  hwy::FlushStream();
}

void copy_loop(float* to, const float* from, size_t n) {
  const D d;
  for (size_t i = 0, v = hn::Lanes(d); i + v <= n; i += v) hn::Store(hn::Load(d, from + i), d, to + i);
}

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace bench
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "bench/threads.h"

namespace bench {
HWY_EXPORT(fma_loop);
HWY_EXPORT(read_loop);
HWY_EXPORT(fill_loop);
HWY_EXPORT(stream_loop);
HWY_EXPORT(copy_loop);
HWY_EXPORT(target_name);

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Best seconds per call of `body` on every member of the team: batches of at least 10 ms, `tries` of them.
template <class Body>
double best_seconds(Team& team, int tries, const Body& body) {
  size_t calls = 1;
  double best = 1e30;
  for (int t = 0; t < tries;) {
    const std::function<void(int, int)> task = [&](int member, int) {
      for (size_t i = 0; i < calls; ++i) body(member);
    };
    const double start = now();
    team.run(task);
    const double took = now() - start;
    if (took < 0.01 && calls < (size_t{1} << 40)) {
      calls *= took < 0.001 ? 8 : 2;
      continue;
    }
    best = std::min(best, took / static_cast<double>(calls));
    ++t;
  }
  return best;
}

// Two threads hand a line to and fro. Best of several runs, in nanoseconds for one way.
double handoff(Team& team) {
  constexpr int64_t kTurns = 20000;
  alignas(128) std::atomic<int64_t> turn{0};
  double best = 1e30;
  for (int t = 0; t < 10; ++t) {
    turn.store(0);
    const double start = now();
    team.run([&](int member, int) {
      if (member > 1) return;
      for (int64_t k = member; k < 2 * kTurns; k += 2) {
        while (turn.load(std::memory_order_acquire) != k) continue;
        turn.store(k + 1, std::memory_order_release);
      }
    });
    best = std::min(best, (now() - start) / (2.0 * kTurns));
  }
  return best * 1e9;
}

void measure(int threads, bool last) {
  Team team(threads);
  std::vector<float> sinks(static_cast<size_t>(threads) * 16);
  constexpr size_t kRounds = 20000;
  double flops = 0;
  const double fma = best_seconds(team, 20, [&](int m) {
    const double f = HWY_DYNAMIC_DISPATCH(fma_loop)(kRounds, &sinks[static_cast<size_t>(m) * 16]);
    if (m == 0) flops = f;
  });
  std::printf("    {\"threads\": %d, \"gflops\": %.2f, \"handoff_ns\": %.1f, \"bandwidth\": [\n", threads,
              flops * threads / fma * 1e-9, threads > 1 ? handoff(team) : 0.0);
  constexpr size_t kLargest = size_t{256} << 20;
  std::vector<hwy::AlignedFreeUniquePtr<float[]>> buffers;
  for (int m = 0; m < threads; ++m) buffers.push_back(hwy::AllocateAligned<float>(kLargest / threads / 4));
  team.run([&](int m, int) { std::fill_n(buffers[static_cast<size_t>(m)].get(), kLargest / threads / 4, 1.0f); });
  for (size_t bytes = size_t{64} << 10; bytes <= kLargest; bytes *= 4) {
    const size_t n = bytes / static_cast<size_t>(threads) / 4 / 128 * 128, half = n / 2 / 64 * 64;
    const double gb = static_cast<double>(n) * 4e-9 * threads;
    const auto at = [&](int m) { return buffers[static_cast<size_t>(m)].get(); };
    const int tries = bytes > (size_t{16} << 20) ? 5 : 8;
    const double read = best_seconds(
        team, tries, [&](int m) { sinks[static_cast<size_t>(m) * 16] += HWY_DYNAMIC_DISPATCH(read_loop)(at(m), n); });
    const double fill = best_seconds(team, tries, [&](int m) { HWY_DYNAMIC_DISPATCH(fill_loop)(at(m), n, 1.0f); });
    const double stream = best_seconds(team, tries, [&](int m) { HWY_DYNAMIC_DISPATCH(stream_loop)(at(m), n, 1.0f); });
    const double copy = best_seconds(team, tries, [&](int m) {
      HWY_DYNAMIC_DISPATCH(copy_loop)
      (at(m) + half, at(m), half);
    });
    std::printf("      {\"bytes\": %zu, \"read\": %.2f, \"fill\": %.2f, \"stream\": %.2f, \"copy\": %.2f}%s\n", bytes,
                gb / read, gb / fill, gb / stream, static_cast<double>(half) * 8e-9 * threads / copy,
                bytes * 4 <= kLargest ? "," : "");
    std::fflush(stdout);
  }
  std::printf("    ]}%s\n", last ? "" : ",");
}

}  // namespace bench

int main(int argc, char** argv) {
  std::vector<int> counts;
  for (int i = 1; i < argc; ++i) counts.push_back(std::atoi(argv[i]));
  const int all = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (counts.empty()) {
    counts.push_back(1);
    if (all > 1) counts.push_back(all);
  }
  for (int count : counts) {
    if (count < 1 || count > 1024) {
      std::fprintf(stderr, "bench_peaks: threads must be 1 to 1024\n");
      return 2;
    }
  }
  std::printf("{\"vectors\": \"%s\", \"runs\": [\n", HWY_DYNAMIC_DISPATCH(bench::target_name)());
  for (size_t i = 0; i < counts.size(); ++i) bench::measure(counts[i], i + 1 == counts.size());
  std::printf("  ]}\n");
  return 0;
}
#endif  // HWY_ONCE
