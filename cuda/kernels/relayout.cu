// SPDX-License-Identifier: Apache-2.0
// Launch of relayout.h.
#include "cuda/kernels/gemm_launch.h"

namespace ctconv::cuda {
namespace {

template <class Bits>
__global__ void __launch_bounds__(kRelayoutTile* kRelayoutRows)
    relayout_kernel(const __grid_constant__ RelayoutParams p) {
  __shared__ RelayoutTile<Bits> tile;
  const auto x = static_cast<int32_t>(threadIdx.x), y = static_cast<int32_t>(threadIdx.y);
  const auto tile_p = static_cast<int32_t>(blockIdx.x), tile_c = static_cast<int32_t>(blockIdx.y);
  for (auto n = static_cast<int32_t>(blockIdx.z); n < p.n; n += static_cast<int32_t>(gridDim.z)) {
    relayout_load<Bits>(p, n, tile_c, tile_p, x, y, tile);
    __syncthreads();
    relayout_store<Bits>(p, n, tile_c, tile_p, x, y, tile);
    __syncthreads();
  }
}

}  // namespace

cudaError_t launch_relayout(int32_t element_bytes, const RelayoutParams& p, cudaStream_t stream) {
  const auto tiles = [](int32_t extent) { return static_cast<unsigned>((extent + kRelayoutTile - 1) / kRelayoutTile); };
  const dim3 grid(tiles(p.positions), tiles(relayout_channels(p)), static_cast<unsigned>(p.n < 65535 ? p.n : 65535));
  const dim3 block(kRelayoutTile, kRelayoutRows);
  if (grid.y > 65535) return cudaErrorInvalidConfiguration;
  switch (element_bytes) {
    case 2:
      relayout_kernel<uint16_t><<<grid, block, 0, stream>>>(p);
      break;
    case 4:
      relayout_kernel<uint32_t><<<grid, block, 0, stream>>>(p);
      break;
    case 8:
      relayout_kernel<uint64_t><<<grid, block, 0, stream>>>(p);
      break;
    default:
      return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}

}  // namespace ctconv::cuda
