// SPDX-License-Identifier: Apache-2.0
// Launch of probe.h, and the tensor cores' loop.
#include <mma.h>

#include <type_traits>

#include "cuda/kernels/probe_launch.h"

namespace ctconv::cuda {
namespace {

constexpr int kBlocksOfChains = 4, kBlocksOfTiles = 2, kBlocksOfMoves = 8;  // per multiprocessor: all resident at once
constexpr int kWarps = kProbeThreads / 32;

// The result is stored where it equals `never`, which no run gives: the loop cannot be left out.
template <class T>
__global__ void __launch_bounds__(kProbeThreads) chains_kernel(T a, T b, int rounds, T never, T* scratch) {
  const T sum = probe_chains<T>(static_cast<T>(threadIdx.x), a, b, rounds);
  if (sum == never) *scratch = sum;
}

// In is half (depth 16) or tf32 (depth 8).
template <class In, int kDepth>
__global__ void __launch_bounds__(kProbeThreads)
    tiles_kernel(float a, float b, int rounds, float never, float* scratch) {
#if __CUDA_ARCH__ >= 800
  namespace wm = nvcuda::wmma;
  using Stored = std::conditional_t<kDepth == 16, __half, float>;
  wm::fragment<wm::matrix_a, 16, 16, kDepth, In, wm::row_major> left;
  wm::fragment<wm::matrix_b, 16, 16, kDepth, In, wm::row_major> right;
  wm::fragment<wm::accumulator, 16, 16, kDepth, float> sum[kProbeTiles];
  wm::fill_fragment(left, static_cast<Stored>(a));
  wm::fill_fragment(right, static_cast<Stored>(b));
#pragma unroll
  for (int t = 0; t < kProbeTiles; ++t) wm::fill_fragment(sum[t], static_cast<float>(t));
#pragma unroll 1
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int step = 0; step < kProbeSteps; ++step) {
#pragma unroll
      for (int t = 0; t < kProbeTiles; ++t) wm::mma_sync(sum[t], left, right, sum[t]);
    }
  }
  float all = 0;
#pragma unroll
  for (int t = 0; t < kProbeTiles; ++t) {
    for (int e = 0; e < sum[t].num_elements; ++e) all += sum[t].x[e];
  }
  if (all == never) *scratch = all;
#endif
}

template <ProbeMove kMove>
__global__ void __launch_bounds__(kProbeThreads) move_kernel(ProbeLine* buffer, int64_t lines, uint32_t never) {
  const int64_t first = int64_t{blockIdx.x} * kProbeThreads + threadIdx.x, step = int64_t{gridDim.x} * kProbeThreads;
  if constexpr (kMove == ProbeMove::kWrite) probe_write(buffer, first, step, lines);
  if constexpr (kMove == ProbeMove::kCopy) probe_copy(buffer, buffer + lines / 2, first, step, lines / 2);
  if constexpr (kMove == ProbeMove::kRead) {
    if (probe_read(buffer, first, step, lines) == never) buffer[0].v[0] = never;  // rare, and of no consequence
  }
}

__global__ void __launch_bounds__(kProbeThreads) fill_kernel(ProbeLine* buffer, int64_t lines, ProbeNumbers numbers) {
  const int64_t first = int64_t{blockIdx.x} * kProbeThreads + threadIdx.x, step = int64_t{gridDim.x} * kProbeThreads;
  probe_fill(buffer, numbers, first, step, lines);
}

__global__ void nothing_kernel() {}

bool on_tiles(ProbeMath math) { return math == ProbeMath::kTf32 || math == ProbeMath::kF16; }

}  // namespace

double probe_round_flop(ProbeMath math, int processors) {
  if (!on_tiles(math)) return probe_chain_flop() * kProbeThreads * kBlocksOfChains * processors;
  return probe_tile_flop(math == ProbeMath::kF16 ? 16 : 8) * kWarps * kBlocksOfTiles * processors;
}

// The chains fall from their start towards 2, the tiles grow from 0 up: neither ever is -1.
cudaError_t launch_probe_math(ProbeMath math, int processors, int rounds, void* scratch, cudaStream_t stream) {
  const int chains = processors * kBlocksOfChains, tiles = processors * kBlocksOfTiles;
  switch (math) {
    case ProbeMath::kF32:
      chains_kernel<float><<<chains, kProbeThreads, 0, stream>>>(0.5f, 1, rounds, -1, static_cast<float*>(scratch));
      break;
    case ProbeMath::kF64:
      chains_kernel<double><<<chains, kProbeThreads, 0, stream>>>(0.5, 1, rounds, -1, static_cast<double*>(scratch));
      break;
    case ProbeMath::kTf32:
      tiles_kernel<nvcuda::wmma::precision::tf32, 8>
          <<<tiles, kProbeThreads, 0, stream>>>(0.5f, 0.25f, rounds, -1, static_cast<float*>(scratch));
      break;
    case ProbeMath::kF16:
      tiles_kernel<__half, 16>
          <<<tiles, kProbeThreads, 0, stream>>>(0.5f, 0.25f, rounds, -1, static_cast<float*>(scratch));
      break;
  }
  return cudaGetLastError();
}

cudaError_t launch_probe_move(ProbeMove move, int processors, void* buffer, int64_t lines, cudaStream_t stream) {
  const int blocks = processors * kBlocksOfMoves;
  auto* line = static_cast<ProbeLine*>(buffer);
  switch (move) {
    case ProbeMove::kWrite:
      move_kernel<ProbeMove::kWrite><<<blocks, kProbeThreads, 0, stream>>>(line, lines, 0x9e3779b9u);
      break;
    case ProbeMove::kRead:
      move_kernel<ProbeMove::kRead><<<blocks, kProbeThreads, 0, stream>>>(line, lines, 0x9e3779b9u);
      break;
    case ProbeMove::kCopy:
      move_kernel<ProbeMove::kCopy><<<blocks, kProbeThreads, 0, stream>>>(line, lines, 0x9e3779b9u);
      break;
  }
  return cudaGetLastError();
}

cudaError_t launch_probe_fill(int32_t dtype, int processors, void* buffer, int64_t lines, cudaStream_t stream) {
  fill_kernel<<<processors * kBlocksOfMoves, kProbeThreads, 0, stream>>>(static_cast<ProbeLine*>(buffer), lines,
                                                                         probe_numbers(dtype));
  return cudaGetLastError();
}

cudaError_t launch_probe_nothing(cudaStream_t stream) {
  nothing_kernel<<<1, 32, 0, stream>>>();
  return cudaGetLastError();
}

}  // namespace ctconv::cuda
