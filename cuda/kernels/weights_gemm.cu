// SPDX-License-Identifier: Apache-2.0
// Launch of weights_gemm.h: the tiles of weights_configs, each for the four element types.
#include "cuda/kernels/gradient_launch.h"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class T, class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads) weights_gemm_kernel(const __grid_constant__ WeightsGemmParams p) {
  __shared__ __align__(16) unsigned char raw[sizeof(typename Kernel::Shared)];
  auto& s = *reinterpret_cast<typename Kernel::Shared*>(raw);
  typename Kernel::Registers r;
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const typename Kernel::Tile tile =
      Kernel::tile(p, static_cast<int32_t>(blockIdx.x), p.w.first + static_cast<int64_t>(blockIdx.y));
  Kernel::start(r);
  Kernel::plan(p, tile, 0, thread, s);
  __syncthreads();
  Kernel::fetch(p, tile, 0, thread, s, r);
  Kernel::stash(p, 0, thread, s, r);
  __syncthreads();
  for (int32_t step = 0; step < tile.steps; ++step) {
    const bool more = step + 1 < tile.steps;
    if (step % Kernel::kSteps == 0) Kernel::plan(p, tile, step / Kernel::kSteps + 1, thread, s);
    if (more) Kernel::fetch(p, tile, step + 1, thread, s, r);
    Kernel::multiply(step, thread, s, r);
    Kernel::close(tile, step, r);
    if (more) Kernel::stash(p, step + 1, thread, s, r);
    __syncthreads();
  }
  Kernel::write(p, tile, thread, r);
}

template <class T, class F>
cudaError_t with_tile(size_t config, F&& f) {
  switch (config) {
    case 0:
      return f(WeightsGemm<T, 128, 64, 8, 4>{});
    case 1:
      return f(WeightsGemm<T, 64, 64, 4, 4>{});
    case 2:
      return f(WeightsGemm<T, 32, 32, 4, 4>{});
    case 3:
      return f(WeightsGemm<T, 64, 16, 4, 4>{});
    case 4:
      return f(WeightsGemm<T, 16, 64, 4, 4>{});
    case 5:
      return f(WeightsGemm<T, 16, 16, 2, 2>{});
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace

cudaError_t launch_weights_gemm(int32_t dtype, size_t config, const WeightsGemmParams& p, cudaStream_t stream) {
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    return with_tile<T>(config, [&](auto k) {
      using Kernel = decltype(k);
      const dim3 grid(static_cast<unsigned>(weights_blocks(p)), static_cast<unsigned>(p.w.count));
      weights_gemm_kernel<T, Kernel><<<grid, Kernel::kThreads, 0, stream>>>(p);
      return cudaGetLastError();
    });
  });
}

}  // namespace ctconv::cuda
