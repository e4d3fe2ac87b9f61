// SPDX-License-Identifier: Apache-2.0
// Launch of gemm_fma.h. Tiles: f32 as gemm_configs lists them, 8 x 8 or 4 x 4 sums a thread; other types 64 x 64.
#include "cuda/kernels/gemm_fma.h"
#include "cuda/kernels/gemm_run.cuh"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class Kernel>
__device__ __forceinline__ void multiply(const GemmParams& p, const GemmPhase& f, int32_t step, int32_t stage,
                                         bool finite, int32_t thread, const typename Kernel::Shared& s,
                                         typename Kernel::Registers& r) {
  if (finite) {
    Kernel::multiply(stage, thread, s, r);
  } else {
    Kernel::multiply_honestly(p, f, step, stage, thread, s, r);
  }
}

// Through registers: the next step is on its way while one is used.
template <class Kernel>
__device__ __forceinline__ void steps_by_registers(const GemmParams& p, const GemmPhase& f, int32_t first, int32_t last,
                                                   bool plain, int32_t thread, typename Kernel::Shared& s,
                                                   typename Kernel::Registers& r) {
  if (first >= last) return;
  bool finite = Kernel::fetch(p, 0, thread, s, r);
  Kernel::stash(0, thread, s, r);
  finite = __syncthreads_and(finite) != 0;
  for (int32_t step = 0; step < last - first; ++step) {
    const int32_t stage = step & 1;
    const bool more = first + step + 1 < last;
    const bool next = more ? Kernel::fetch(p, (step + 1) % Kernel::kSlots, thread, s, r) : true;
    if (stage == 0) Kernel::plan_rows(p, f, first, step + Kernel::kStages, thread, s);
    multiply<Kernel>(p, f, first + step, stage, plain && finite, thread, s, r);
    if (more) Kernel::stash(stage ^ 1, thread, s, r);
    finite = __syncthreads_and(next) != 0;
  }
}

// By asynchronous copies, kStages - 1 steps ahead.
template <class Kernel>
__device__ __forceinline__ void steps_by_copies(const GemmParams& p, const GemmPhase& f, int32_t first, int32_t last,
                                                bool plain, int32_t thread, typename Kernel::Shared& s,
                                                typename Kernel::Registers& r) {
  constexpr int kAhead = Kernel::kStages - 1;
  const int32_t steps = last - first;
  for (int32_t step = 0; step < kAhead; ++step) {
    if (step < steps) Kernel::fetch_async(p, step, step, thread, s, r);
    commit_copies();
  }
  for (int32_t step = 0; step < steps; ++step) {
    const int32_t stage = step % Kernel::kStages, next = step + kAhead;
    wait_copies<kAhead - 1>();
    const bool finite = __syncthreads_and(Kernel::landed_finite(stage, thread, s)) != 0;
    if (next < steps) Kernel::fetch_async(p, next % Kernel::kStages, next % Kernel::kSlots, thread, s, r);
    commit_copies();
    if (stage == 0) Kernel::plan_rows(p, f, first, step + Kernel::kStages, thread, s);
    multiply<Kernel>(p, f, first + step, stage, plain && finite, thread, s, r);
  }
  wait_copies<0>();
  __syncthreads();  // the sums take the panels' place
}

template <class T, class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads) gemm_fma_kernel(const __grid_constant__ GemmParams p) {
  extern __shared__ __align__(128) unsigned char raw[];
  typename Kernel::Shared s = Kernel::carve(raw, p.most_taps);
  typename Kernel::Registers r;
  const GemmTile tile = tile_of<Kernel::kBN>(p);
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const GemmPhase f = gemm_phase(p, tile.phase);
  if (tile.tile_m * Kernel::kBM >= f.positions) return;  // all blocks of the cluster alike
  int32_t first, last;
  Kernel::steps(p, f, tile.rank, &first, &last);
  const bool plain = __syncthreads_or(Kernel::begin(p, tile, f, thread, s)) == 0;
  Kernel::start(p, tile, f, first, thread, s, r);
  __syncthreads();
  if constexpr (Kernel::kAsync) {
    steps_by_copies<Kernel>(p, f, first, last, plain, thread, s, r);
  } else {
    steps_by_registers<Kernel>(p, f, first, last, plain, thread, s, r);
  }
  Kernel::stage(p, thread, s, r);
  finish_tile<T, Kernel>(p, tile, thread, {s.place, s.y_offset, s.column, s.sums});
}

template <class T, class F>
cudaError_t with_tile(size_t config, F&& f) {
  if constexpr (std::is_same_v<T, float>) {
    switch (config) {
      case 0:
        return f(GemmFma<T, 128, 128, 8, 8>{});
      case 1:
        return f(GemmFma<T, 128, 96, 4, 12>{});
      case 2:
        return f(GemmFma<T, 128, 64, 8, 4>{});
      case 3:
        return f(GemmFma<T, 64, 64, 4, 4>{});
      case 4:
        return f(GemmFma<T, 128, 32, 4, 4>{});
      default:
        return cudaErrorInvalidValue;
    }
  } else {
    return config == 0 ? f(GemmFma<T, 64, 64, 4, 4>{}) : cudaErrorInvalidValue;
  }
}

}  // namespace

cudaError_t gemm_fma_prepare(int32_t dtype, size_t config, const GemmParams& p, GemmLaunch* launch) {
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    return with_tile<T>(config,
                        [&](auto k) { return prepare_gemm<decltype(k)>(gemm_fma_kernel<T, decltype(k)>, p, launch); });
  });
}

cudaError_t gemm_fma_launch(int32_t dtype, size_t config, const GemmParams& p, const GemmLaunch& launch,
                            cudaStream_t stream) {
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    return with_tile<T>(
        config, [&](auto k) { return launch_gemm<decltype(k)>(gemm_fma_kernel<T, decltype(k)>, p, launch, stream); });
  });
}

}  // namespace ctconv::cuda
