// SPDX-License-Identifier: Apache-2.0
// What a call of the reference is expected to take: cycles over the clock of this machine.
//
//   in:  cycles of one thread's work, threads;   out: seconds (for comparing engines only)
//   Measured on Zen 4 at 3.65 GHz, f32, 53 layers: 0.4 (weights that stream by) to 18 GF/s (long rows, one channel) of
//   a thread's time; f16 a fifth of it. The low end is meant, so that `auto` comes here last.
#pragma once

#include <cstdint>

#include "src/machine/machine.h"

namespace ctconv::reference {

constexpr double kFusedFlopCycles = 3.65 / 0.6;     // per flop: 0.6 GF/s where the CPU fuses
constexpr double kLibraryFlopCycles = 3.65 / 0.05;  // where the C library does
constexpr double kGradientFlopCycles = 3.65 / 0.3;  // of the gradients
constexpr double kElementCycles = 73;               // per output element: its taps, its activation
constexpr double kCallCycles = 3650;                // a microsecond

inline double seconds_of(double cycles, int32_t threads) { return machine().seconds(kCallCycles + cycles / threads); }

}  // namespace ctconv::reference
