// SPDX-License-Identifier: Apache-2.0
// The launches of the gradients' kernels; defined in weights.cu, weights_gemm.cu and pass.cu.
//
//   in:  element type, filled parameters, stream
//   out: cudaSuccess or what the launch answered; nothing waits or allocates
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/kernels/pass.h"
#include "cuda/weights_forms.h"

namespace ctconv::cuda {

cudaError_t launch_weights(int32_t dtype, const WeightsParams& p, cudaStream_t stream);
cudaError_t launch_weights_add(int32_t dtype, const WeightsParams& p, cudaStream_t stream);
// config: index in weights_configs
cudaError_t launch_weights_gemm(int32_t dtype, size_t config, const WeightsGemmParams& p, cudaStream_t stream);
cudaError_t launch_bias_sums(int32_t dtype, const BiasParams& p, cudaStream_t stream);
cudaError_t launch_pass(int32_t dtype, const PassParams& p, cudaStream_t stream);

}  // namespace ctconv::cuda
