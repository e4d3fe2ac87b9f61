// SPDX-License-Identifier: Apache-2.0
// What a device reaches: bandwidth, arithmetic, launch cost, measured once per process and device.
//
//   in:  the data sheet's model of a device (device.h)
//   out: the model the estimates use, and one line of text that says where each number comes from
//   A measured number counts where it lies within [0.2, 1.5] of the data sheet (a launch: [0.2, 4] of 2.5 us); else the
//   data sheet's. It is rounded to sixteenths of the data sheet, so that noise seldom changes the choice of a kernel.
//   Refuses nothing: a device that cannot be measured keeps its data sheet, and the text says why.
#pragma once

#include <string>

#include "cuda/device.h"

namespace ctconv::cuda {

struct Measured {
  // per second; 0: not measured. copy counts the bytes read and the bytes written
  double copy = 0, read = 0, write = 0;
  double f32 = 0, f64 = 0, tf32 = 0, f16 = 0;
  double launch_seconds = 0, enqueue_seconds = 0;  // of a kernel that does nothing: in the stream, on the host
  size_t buffer_bytes = 0, l2_bytes = 0;
  double seconds = 0;   // all of it
  std::string failure;  // why a number is missing, empty: none is
};

struct Constants {
  DeviceModel model;
  std::string text;  // "measured in 12.1 ms: ...", "data sheet (...): ..."
};

// Pure.
Constants settle(const DeviceModel& sheet, const Measured& measured);
// Bytes to measure bandwidth over: above 4 x L2, at most 1 GiB and a quarter of the free memory; 0 where that is less
// than 2 x L2, since the cache would be measured.
size_t probe_bytes(size_t l2_bytes, size_t free_bytes);
// Rounds that last about `seconds` at `rate`.
int probe_rounds(double flop_of_round, double rate, double seconds);

// Runs the probes on the current device, on a stream of their own (probe.cpp): about 10 ms, at most 30 and one probe.
Measured measure_constants(const DeviceModel& sheet);

// Measures at the first call for an ordinal, which must be the current device; later calls answer from memory.
// Any thread: others wait for the first.
Result<const Constants*> device_constants(int32_t ordinal);

}  // namespace ctconv::cuda
