// SPDX-License-Identifier: Apache-2.0
// Measuring the processor: clock, multiply-adds a cycle, vectors, caches, bandwidth into memory.
//
//   out: a record within its ranges, speeds in steps (machine.h); what cannot be found out is the plain record's
//   Quick: the best of many short windows counts. A window of 30 microseconds is mostly not interrupted, whatever else
//   runs, and where the best agree there are no more. On the calling thread alone; starts no thread. Borrows a megabyte
//   or two; a millisecond or two, below about 10 ms where others run.
//   Careful: the median of longer windows, some tenths of a second in all; bandwidth by 1, 2, 4 and all threads is
//   measured with threads.
//   Takes no lock, leaves the floating-point control as it is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "src/machine/machine.h"

namespace ctconv {

// How much time measuring may take.
struct Effort {
  double window;                        // seconds of one window of multiply-adds, about
  int least_windows, most_windows;      // of each kind
  std::chrono::milliseconds most_time;  // for each kind, beyond its least windows
  bool median;                          // of the windows; else the best
  bool threads;                         // bandwidth is measured with threads
};
inline constexpr Effort kQuick{30e-6, 6, 40, std::chrono::milliseconds(4), false, false};
inline constexpr Effort kCareful{1e-3, 21, 101, std::chrono::milliseconds(150), true, true};

Machine measured_machine(const Effort& effort = kQuick);

// Line and caches by the kernel's files below `root` ("" on a real machine), else by the C library; a level that
// neither knows keeps its value in *m.
void read_caches(const char* root, Machine* m);

// Loops to be timed, for the instruction set our engines use on this CPU (simd_probe.cpp).
struct ProbeLoops {
  int64_t vector_bytes;
  int64_t multiply_adds;                    // vector multiply-adds of one round
  float (*rounds)(int64_t count);           // so many rounds, independent enough to fill every port
  void (*stream)(float* to, size_t count);  // stores past the caches, count a multiple of 64
};
ProbeLoops probe_loops();

// The same for products of bf16 pairs in 64-byte vectors; rounds is null where the CPU has none (dot_probe.cpp).
struct DotLoop {
  int64_t products = 0;  // vectors of one round
  float (*rounds)(int64_t count) = nullptr;
};
DotLoop dot_loop();
DotLoop amx_loop();  // tile products (amx_probe.cpp)

}  // namespace ctconv
