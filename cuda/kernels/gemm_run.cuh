// SPDX-License-Identifier: Apache-2.0
// What the two GEMM kernels' launches share: the block's tile, the end of a tile, and the launch with its cluster.
//
//   in:  a kernel of gemm_fma.cu or gemm_tensor.cu;   out: its launch
#pragma once

#include <cooperative_groups.h>

#include "cuda/kernels/gemm_launch.h"

namespace ctconv::cuda {

template <int BN>
__device__ __forceinline__ GemmTile tile_of(const GemmParams& p) {
  const auto x = static_cast<int32_t>(blockIdx.x), y = static_cast<int32_t>(blockIdx.y);
  const int32_t wide = gemm_tile_columns<BN>(p), tiles_n = (p.columns + wide - 1) / wide;
  return {x / p.split, y % tiles_n, y / tiles_n, static_cast<int32_t>(blockIdx.z), x % p.split};
}

template <int kLeft>
__device__ __forceinline__ void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// The sums stand in shared memory, not yet seen by the other threads.
template <class T, class Kernel>
__device__ __forceinline__ void finish_tile(const GemmParams& p, const GemmTile& tile, int32_t thread,
                                            const GemmStore<Accumulator<T>>& store) {
#if __CUDA_ARCH__ >= 900
  if (p.split > 1) {
    const auto cluster = cooperative_groups::this_cluster();
    cluster.sync();
    gemm_reduce<Kernel, Accumulator<T>>(p, tile.rank, thread, [&](int32_t r) {
      return cluster.map_shared_rank(store.sums, static_cast<unsigned>(r < p.split ? r : 0));
    });
    // nobody leaves while another still reads its sums
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
    __syncthreads();
    gemm_write<T, Kernel>(p, tile, thread, store);
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
    return;
  }
#endif
  __syncthreads();
  gemm_write<T, Kernel>(p, tile, thread, store);
}

template <class Kernel, class F>
cudaError_t prepare_gemm(F* kernel, const GemmParams& p, GemmLaunch* launch) {
  const GemmShape shape = gemm_shape(p, {Kernel::kBM, Kernel::kBN});
  if (shape.grid_x * p.split > 0x7fffffff || shape.grid_y > 65535 || shape.grid_z > 65535) return cudaErrorInvalidValue;
  launch->grid = dim3(static_cast<unsigned>(shape.grid_x * p.split), static_cast<unsigned>(shape.grid_y),
                      static_cast<unsigned>(shape.grid_z));
  launch->shared_bytes = Kernel::shared_bytes(p.most_taps);
  if (p.split > 1) {  // the code that runs must know clusters: PTX of an older architecture on a new device does not
    cudaFuncAttributes code{};
    if (cudaFuncGetAttributes(&code, kernel) != cudaSuccess) {
      cudaGetLastError();
    } else if (code.ptxVersion < 90) {
      return cudaErrorInvalidValue;
    }
  }
  // All that the device gives, not what this plan needs: the limit belongs to the kernel, which other plans share.
  int device = 0, most = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error == cudaSuccess && launch->shared_bytes > static_cast<size_t>(most)) return cudaErrorInvalidValue;
  if (error == cudaSuccess) error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
  if (error == cudaSuccess) return error;
  cudaGetLastError();
  // without a driver nothing will run: the plan may still be looked at
  return error == cudaErrorInsufficientDriver || error == cudaErrorNoDevice ? cudaSuccess : error;
}

template <class Kernel, class F>
cudaError_t launch_gemm(F* kernel, const GemmParams& p, const GemmLaunch& launch, cudaStream_t stream) {
  cudaLaunchConfig_t config{};
  config.gridDim = launch.grid;
  config.blockDim = dim3(Kernel::kThreads);
  config.dynamicSmemBytes = launch.shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = static_cast<unsigned>(p.split);
  cluster.val.clusterDim.y = 1;
  cluster.val.clusterDim.z = 1;
  config.attrs = &cluster;
  config.numAttrs = p.split > 1 ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, p);
}

}  // namespace ctconv::cuda
