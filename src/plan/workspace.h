// SPDX-License-Identifier: Apache-2.0
// How much memory a call may borrow: the padded input and a few megabytes for each thread, whatever the batch.
//
//   in:  a Problem and the number of threads;   out: bytes
//   The native engine has no form that needs more (native/plan.cpp). Where an engine's kernel needs more for a batch,
//   it runs in pieces of it (pieces.h). `auto` takes an engine that still needs more only where it promises half the
//   time, and never beyond copies of x and y (plan.cpp). Weight and bias of a call come on top.
#pragma once

#include <algorithm>
#include <cstdint>

#include "src/problem/problem.h"

namespace ctconv {

// The same on every machine: callers plan their memory by it, so it does not follow the machine record.
inline constexpr double kThreadBytes = 4.0 * (1 << 20);

// Images of x with the rows its taps reach beyond it, and the bias, in the computing type.
inline double padded_bytes(const Problem& p, int64_t images) {
  double elements = static_cast<double>(images) * static_cast<double>(p.groups) * static_cast<double>(p.ci);
  for (const Axis& a : p.axis) elements *= static_cast<double>(a.i + 2 * (a.d * (a.k - 1) / a.s));
  const double bias = static_cast<double>(p.groups) * static_cast<double>(p.co);
  return (elements + bias) * static_cast<double>(size_of(p.types.accumulator));
}

// x and y once more, as an engine that works in a layout of its own copies them.
inline double copied_bytes(const Problem& p) {
  return static_cast<double>(p.in_elements()) * static_cast<double>(size_of(p.types.x)) +
         static_cast<double>(p.out_elements()) * static_cast<double>(size_of(p.types.y));
}

// Scratch of one call: 8 MiB for one or two threads, 4 MiB for each further one, and an image for each thread.
inline double scratch_budget(const Problem& p, int32_t threads) {
  const int64_t workers = std::max(1, threads);
  return padded_bytes(p, std::min(p.n, workers)) + kThreadBytes * static_cast<double>(std::max<int64_t>(2, workers));
}

}  // namespace ctconv
