// SPDX-License-Identifier: Apache-2.0
// Launches of weights.h and bias_sums.h.
#include "cuda/kernels/gradient_launch.h"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

constexpr int kThreads = 128;

template <class T>
__global__ void __launch_bounds__(kThreads) weights_kernel(const __grid_constant__ WeightsParams p) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index < p.weights) weights_element<T>(p, index, p.first + blockIdx.y);
}

template <class T>
__global__ void __launch_bounds__(kThreads) weights_add_kernel(const __grid_constant__ WeightsParams p) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index < p.weights) weights_add<T>(p, index);
}

template <class T>
__global__ void __launch_bounds__(BiasSums<T>::kThreads) bias_sums_kernel(const __grid_constant__ BiasParams p) {
  using Kernel = BiasSums<T>;
  __shared__ typename Kernel::Shared s;
  typename Kernel::Registers r;
  const auto thread = static_cast<int32_t>(threadIdx.x);
  const int64_t row0 = int64_t{blockIdx.x} * Kernel::kRows;
  Kernel::start(r);
  Kernel::fetch(p, row0, 0, thread, r);
  for (int32_t at = 0; at < kChain; at += Kernel::kPlaces) {
    if (at >= p.places) break;
    Kernel::stash(p, thread, s, r);
    __syncthreads();
    if (at + Kernel::kPlaces < kChain) Kernel::fetch(p, row0, at + Kernel::kPlaces, thread, r);
    Kernel::add(p, row0, at, thread, s, r);
    __syncthreads();
  }
  Kernel::write(p, row0, thread, r);
}

// The blocks of one thread a weight; 0: more than a grid holds.
unsigned blocks_of(const WeightsParams& p) {
  const int64_t blocks = (p.weights + kThreads - 1) / kThreads;
  return blocks > 0x7fffffff ? 0 : static_cast<unsigned>(blocks);
}

}  // namespace

cudaError_t launch_weights(int32_t dtype, const WeightsParams& p, cudaStream_t stream) {
  const unsigned blocks = blocks_of(p);
  if (blocks == 0) return cudaErrorInvalidConfiguration;
  return with_type(dtype, [&](auto t) {
    weights_kernel<decltype(t)><<<dim3(blocks, static_cast<unsigned>(p.count)), kThreads, 0, stream>>>(p);
    return cudaGetLastError();
  });
}

cudaError_t launch_weights_add(int32_t dtype, const WeightsParams& p, cudaStream_t stream) {
  const unsigned blocks = blocks_of(p);
  if (blocks == 0) return cudaErrorInvalidConfiguration;
  return with_type(dtype, [&](auto t) {
    weights_add_kernel<decltype(t)><<<blocks, kThreads, 0, stream>>>(p);
    return cudaGetLastError();
  });
}

cudaError_t launch_bias_sums(int32_t dtype, const BiasParams& p, cudaStream_t stream) {
  return with_type(dtype, [&](auto t) {
    using Kernel = BiasSums<decltype(t)>;
    const int64_t blocks = (p.rows + Kernel::kRows - 1) / Kernel::kRows;
    if (blocks > 0x7fffffff) return cudaErrorInvalidConfiguration;
    bias_sums_kernel<decltype(t)><<<static_cast<unsigned>(blocks), Kernel::kThreads, 0, stream>>>(p);
    return cudaGetLastError();
  });
}

}  // namespace ctconv::cuda
