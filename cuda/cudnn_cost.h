// SPDX-License-Identifier: Apache-2.0
// What a cuDNN plan costs before it is run: seconds by engine, from the problem and the device.
//
//   in:  a problem, the engine's number, whether it uses tensor cores, its workspace, whether a pass of ours follows
//   out: after + fixed + converts * (workspace > 4 KiB) + memory * (bytes + 2 * workspace) / bandwidth
//          + work / (peak * share) + step * steps
//          + square * positions^2 + group * (groups - 1)
//        work: 2 * y * ci * taps, channels rounded up to the engine's tile, over min(phases, product of strides): an
//        engine that does not cut y into phases multiplies zeros; steps: ci * taps over the same, one block's chain
//   A gradient by cuDNN's convolution or backward filter: 10 us + 1.5 * bytes / bandwidth + twice its flop at peak, a
//   guess that no run has seen.
//   The coefficients are fitted to measured rows by tools/gpu/fit_choice.py. An engine no run has met counts as the
//   commonest of its kind. Refuses nothing.
#pragma once

#include <cstdint>

#include "cuda/device.h"
#include "cuda/forms.h"

namespace ctconv::cuda {

struct CudnnEngine {
  int64_t number = -1;  // -1: of a saved plan
  bool tensor_core = false;
};

double cudnn_seconds(const DeviceModel& device, const ctconv_cuda_problem& problem, const CudnnEngine& engine,
                     double workspace, bool after);

}  // namespace ctconv::cuda
