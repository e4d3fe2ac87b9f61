// SPDX-License-Identifier: Apache-2.0
// Launch of fold.h.
#include "cuda/kernels/gemm_launch.h"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kFoldThreads) fold_kernel(const __grid_constant__ FoldParams p) {
  const int64_t index = int64_t{blockIdx.x} * kFoldThreads + threadIdx.x;
  if (index < p.elements) fold_element<T>(p, static_cast<int32_t>(index));
}

}  // namespace

cudaError_t launch_fold(int32_t dtype, const FoldParams& p, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>((int64_t{p.elements} + kFoldThreads - 1) / kFoldThreads);
  return with_type(dtype, [&](auto t) {
    fold_kernel<decltype(t)><<<blocks, kFoldThreads, 0, stream>>>(p);
    return cudaGetLastError();
  });
}

}  // namespace ctconv::cuda
