// SPDX-License-Identifier: Apache-2.0
// Launch of direct.h.
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

constexpr int kThreads = 128;

template <class T>
__global__ void __launch_bounds__(kThreads) direct_kernel(const __grid_constant__ DirectParams p) {
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index < p.elements) direct_element<T>(p, index);
}

}  // namespace

cudaError_t launch_direct(int32_t dtype, const DirectParams& p, cudaStream_t stream) {
  const int64_t blocks = (p.elements + kThreads - 1) / kThreads;
  if (blocks > 0x7fffffff) return cudaErrorInvalidConfiguration;
  return with_type(dtype, [&](auto t) {
    direct_kernel<decltype(t)><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(p);
    return cudaGetLastError();
  });
}

}  // namespace ctconv::cuda
