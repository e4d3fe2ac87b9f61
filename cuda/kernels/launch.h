// SPDX-License-Identifier: Apache-2.0
// The launches of our kernels: one function a kernel, defined in the .cu file of the same name.
//
//   in:  element type, filled parameters, stream
//   out: cudaSuccess or what the launch answered
//   Nothing waits or allocates.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/kernels/cell.h"
#include "cuda/kernels/direct.h"
#include "cuda/kernels/epilogue.h"
#include "cuda/kernels/pack.h"
#include "cuda/kernels/pixel.h"
#include "cuda/kernels/shuffle.h"

namespace ctconv::cuda {

cudaError_t launch_direct(int32_t dtype, const DirectParams& p, cudaStream_t stream);
cudaError_t launch_epilogue(int32_t dtype, EpilogueWay way, bool vector, const EpilogueParams& p, cudaStream_t stream);
cudaError_t launch_pack(int32_t element_bytes, const PackParams& p, cudaStream_t stream);
cudaError_t launch_cell(int32_t dtype, CellForm form, const CellParams& p, cudaStream_t stream);
cudaError_t launch_pixel(int32_t dtype, bool vector, const PixelParams& p, cudaStream_t stream);
cudaError_t launch_shuffle(int32_t dtype, ShuffleMath math, const ShuffleParams& p, cudaStream_t stream);

// Elements a thread of the vector ways moves: 16 bytes.
constexpr int vector_of(int32_t dtype) { return dtype == CTCONV_CUDA_F32 ? 4 : dtype == CTCONV_CUDA_F64 ? 2 : 8; }

// f(T{}) for the element type.
template <class F>
cudaError_t with_type(int32_t dtype, F&& f) {
  switch (dtype) {
    case CTCONV_CUDA_F32:
      return f(float{});
    case CTCONV_CUDA_F16:
      return f(F16{});
    case CTCONV_CUDA_BF16:
      return f(Bf16{});
    case CTCONV_CUDA_F64:
      return f(double{});
  }
  return cudaErrorInvalidValue;
}

}  // namespace ctconv::cuda
