// SPDX-License-Identifier: Apache-2.0
// The launches of the probes (probe.cu): one wave of blocks over all multiprocessors.
//
//   in:  multiprocessors, rounds, a buffer that a kernel may write to;   out: cudaSuccess or what the launch answered
//   Nothing waits or allocates.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/kernels/probe.h"

namespace ctconv::cuda {

enum class ProbeMath { kF32, kF64, kTf32, kF16 };

// Operations of one round of launch_probe_math, all threads together.
double probe_round_flop(ProbeMath math, int processors);
cudaError_t launch_probe_math(ProbeMath math, int processors, int rounds, void* scratch, cudaStream_t stream);

// `count` lines; from is half of a buffer for kCopy, the buffer itself otherwise.
enum class ProbeMove { kWrite, kRead, kCopy };
cudaError_t launch_probe_move(ProbeMove move, int processors, void* buffer, int64_t lines, cudaStream_t stream);
// `lines` of random numbers in +-[0.5, 1) of an element type (CTCONV_CUDA_F32, ...).
cudaError_t launch_probe_fill(int32_t dtype, int processors, void* buffer, int64_t lines, cudaStream_t stream);
cudaError_t launch_probe_nothing(cudaStream_t stream);

}  // namespace ctconv::cuda
