// SPDX-License-Identifier: Apache-2.0
// The launches of the GEMM kernels and of relayout and fold; defined in gemm_fma.cu, gemm_tensor.cu, relayout.cu,
// fold.cu.
//
//   in:  element type, index of the tile in gemm_configs, filled parameters, grid, stream
//   out: cudaSuccess or what the launch answered
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/gemm_forms.h"

namespace ctconv::cuda {

struct GemmLaunch {
  dim3 grid;  // grid.x counts the blocks of the clusters
  size_t shared_bytes = 0;
};

// Once per device and tile, before the first launch: fills the launch, lets the kernel have its shared memory.
// cudaErrorInvalidValue where the tile does not exist or the device has less memory.
cudaError_t gemm_fma_prepare(int32_t dtype, size_t config, const GemmParams& p, GemmLaunch* launch);
cudaError_t gemm_fma_launch(int32_t dtype, size_t config, const GemmParams& p, const GemmLaunch& launch,
                            cudaStream_t stream);
cudaError_t gemm_tensor_prepare(int32_t dtype, size_t config, const GemmParams& p, GemmLaunch* launch);
cudaError_t gemm_tensor_launch(int32_t dtype, size_t config, const GemmParams& p, const GemmLaunch& launch,
                               cudaStream_t stream);
cudaError_t launch_fold(int32_t dtype, const FoldParams& p, cudaStream_t stream);
cudaError_t launch_relayout(int32_t element_bytes, const RelayoutParams& p, cudaStream_t stream);

}  // namespace ctconv::cuda
