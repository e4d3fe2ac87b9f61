// SPDX-License-Identifier: Apache-2.0
// Launch of shuffle.h.
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class T, ShuffleMath kMath>
__global__ void __launch_bounds__(kShuffleThreads) shuffle_kernel(const __grid_constant__ ShuffleParams p) {
  using Kernel = Shuffle<T, kMath>;
  __shared__ typename Kernel::Shared shared;
  typename Kernel::Registers registers;
  const auto thread = static_cast<int32_t>(threadIdx.x), tile_m = static_cast<int32_t>(blockIdx.x);
  const auto tile_c = static_cast<int32_t>(blockIdx.y), g = static_cast<int32_t>(blockIdx.z);
  Kernel::begin(p, tile_m, tile_c, g, thread, shared, registers);
  Kernel::fetch(p, tile_c, g, 0, thread, registers);
  for (int32_t k = 0; k < p.ci; k += Kernel::kDepth) {
    Kernel::stash(p, thread, shared, registers);
    __syncthreads();
    if (k + Kernel::kDepth < p.ci) Kernel::fetch(p, tile_c, g, k + Kernel::kDepth, thread, registers);
    Kernel::multiply(p, thread, shared, registers);
    __syncthreads();
  }
  Kernel::spill(p, thread, shared, registers);
  __syncthreads();
  Kernel::write(p, thread, shared);
}

}  // namespace

cudaError_t launch_shuffle(int32_t dtype, ShuffleMath math, const ShuffleParams& p, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((p.positions + kTile - 1) / kTile),
                  static_cast<unsigned>((p.columns + p.tile_columns - 1) / p.tile_columns),
                  static_cast<unsigned>(p.groups));
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    if (math == ShuffleMath::kFma) {
      shuffle_kernel<T, ShuffleMath::kFma><<<grid, kShuffleThreads, 0, stream>>>(p);
    } else if constexpr (!std::is_same_v<T, double>) {
      shuffle_kernel<T, ShuffleMath::kTensor><<<grid, kShuffleThreads, 0, stream>>>(p);
    } else {
      return cudaErrorInvalidValue;
    }
    return cudaGetLastError();
  });
}

}  // namespace ctconv::cuda
