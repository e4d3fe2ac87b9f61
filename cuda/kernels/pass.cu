// SPDX-License-Identifier: Apache-2.0
// Launch of pass.h: a grid that fills the device and strides on, so any size is one launch.
#include <algorithm>

#include "cuda/kernels/gradient_launch.h"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 132 * 8 * 4;

template <class T>
__global__ void __launch_bounds__(kThreads) pass_kernel(const __grid_constant__ PassParams p) {
  for (int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x; at < p.elements;
       at += int64_t{gridDim.x} * kThreads) {
    pass_element<T>(p, at);
  }
}

}  // namespace

cudaError_t launch_pass(int32_t dtype, const PassParams& p, cudaStream_t stream) {
  if (p.elements == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>(std::min((p.elements + kThreads - 1) / kThreads, kMostBlocks));
  return with_type(dtype, [&](auto t) {
    pass_kernel<decltype(t)><<<blocks, kThreads, 0, stream>>>(p);
    return cudaGetLastError();
  });
}

}  // namespace ctconv::cuda
