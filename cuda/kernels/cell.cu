// SPDX-License-Identifier: Apache-2.0
// Launch of cell.h: one thread an item, no shared memory. The instances are with_cell's: S 0, 1, 2, 3, 4, 8; CB 1, 4,
// 8.
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class T, int S, int Q, int CB>
__global__ void __launch_bounds__(kCellThreads, CB == 1 ? 6 : 4) cell_kernel(const __grid_constant__ CellParams p) {
  const uint32_t index = blockIdx.x * kCellThreads + threadIdx.x;
  if (index < p.threads) cell_item<T, S, Q, CB>(p, index);
}

}  // namespace

cudaError_t launch_cell(int32_t dtype, CellForm form, const CellParams& p, cudaStream_t stream) {
  const unsigned blocks = (p.threads + kCellThreads - 1) / kCellThreads;
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    const bool known = with_cell(
        form, [&]<int S, int Q, int CB>() { cell_kernel<T, S, Q, CB><<<blocks, kCellThreads, 0, stream>>>(p); });
    return known ? cudaGetLastError() : cudaErrorInvalidValue;
  });
}

}  // namespace ctconv::cuda
