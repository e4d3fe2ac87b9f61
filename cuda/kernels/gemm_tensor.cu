// SPDX-License-Identifier: Apache-2.0
// Launch of gemm_tensor.h. Tiles as gemm_configs lists them, three or four stages deep.
#include "cuda/kernels/gemm_run.cuh"
#include "cuda/kernels/gemm_tensor.h"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class T, class Kernel, int kStages>
__global__ void __launch_bounds__(Kernel::kThreads) gemm_tensor_kernel(const __grid_constant__ GemmParams p) {
  extern __shared__ __align__(128) unsigned char raw[];
  typename Kernel::Shared s = Kernel::carve(raw);
  typename Kernel::Registers r;
  const GemmTile tile = tile_of<Kernel::kBN>(p);
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const GemmPhase f = gemm_phase(p, tile.phase);
  if (tile.tile_m * Kernel::kBM >= f.positions) return;  // all blocks of the cluster alike
  int32_t first, last;
  Kernel::steps(p, f, tile.rank, &first, &last);
  Kernel::begin(p, tile, f, first, thread, s, r);
  __syncthreads();
  const int32_t steps = last - first;
  for (int32_t step = 0; step < kStages - 1; ++step) {
    if (step < steps) Kernel::fetch(p, tile, f, step, thread, s, r);
    commit_copies();
  }
  int32_t stage = 0, next = kStages - 1;
  for (int32_t step = 0; step < steps; ++step) {
    wait_copies<kStages - 2>();
    __syncthreads();
    if (step + kStages - 1 < steps) Kernel::fetch(p, tile, f, next, thread, s, r);
    commit_copies();
    Kernel::multiply(stage, thread, s, r);
    stage = stage + 1 == kStages ? 0 : stage + 1;
    next = next + 1 == kStages ? 0 : next + 1;
  }
  wait_copies<0>();
  __syncthreads();  // the sums take the panels' place
  Kernel::stage_sums(p, thread, s, r);
  finish_tile<T, Kernel>(p, tile, thread, {s.place, s.y_offset, s.column, s.sums});
}

template <class T, class F>
cudaError_t with_tile(size_t config, F&& f) {
  if constexpr (sizeof(T) == 8) {
    return cudaErrorInvalidValue;
  } else {
    switch (config) {
      case 0:
        return f(GemmTensor<T, 128, 128, 2, 4, 3>{}, std::integral_constant<int, 3>{});
      case 1:
        return f(GemmTensor<T, 128, 64, 4, 2, 3>{}, std::integral_constant<int, 3>{});
      case 2:
        return f(GemmTensor<T, 64, 64, 2, 2, 4>{}, std::integral_constant<int, 4>{});
      case 3:
        return f(GemmTensor<T, 128, 32, 4, 1, 3>{}, std::integral_constant<int, 3>{});
      case 4:
        return f(GemmTensor<T, 128, 8, 4, 1, 4>{}, std::integral_constant<int, 4>{});
      default:
        return cudaErrorInvalidValue;
    }
  }
}

}  // namespace

cudaError_t gemm_tensor_prepare(int32_t dtype, size_t config, const GemmParams& p, GemmLaunch* launch) {
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    return with_tile<T>(config, [&](auto k, auto stages) {
      return prepare_gemm<decltype(k)>(gemm_tensor_kernel<T, decltype(k), decltype(stages)::value>, p, launch);
    });
  });
}

cudaError_t gemm_tensor_launch(int32_t dtype, size_t config, const GemmParams& p, const GemmLaunch& launch,
                               cudaStream_t stream) {
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    return with_tile<T>(config, [&](auto k, auto stages) {
      return launch_gemm<decltype(k)>(gemm_tensor_kernel<T, decltype(k), decltype(stages)::value>, p, launch, stream);
    });
  });
}

}  // namespace ctconv::cuda
