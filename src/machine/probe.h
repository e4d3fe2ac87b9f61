// Measuring the processor: clock, multiply-adds a cycle, vectors, caches, bandwidth into memory.
//
//   out: a record within its ranges, speeds in steps (machine.h); what cannot be found out is the plain record's
//   The best of many short windows counts: a window of 30 microseconds is mostly not interrupted, whatever else runs.
//   Measures on the calling thread alone; starts no thread, takes no lock, leaves the floating-point control as it is.
//   Borrows a megabyte or two for a few milliseconds. Below about 10 ms in all (kMostTime in probe.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/machine/machine.h"

namespace ctconv {

Machine measured_machine();

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

}  // namespace ctconv
