// SPDX-License-Identifier: Apache-2.0
// Launch of pack.h.
#include <algorithm>

#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

constexpr int kThreads = 256;

template <class Bits>
__global__ void __launch_bounds__(kThreads) pack_kernel(const __grid_constant__ PackParams p) {
  for (int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x; at < p.elements;
       at += int64_t{gridDim.x} * kThreads) {
    pack_element<Bits>(p, at);
  }
}

}  // namespace

cudaError_t launch_pack(int32_t element_bytes, const PackParams& p, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(std::min<int64_t>((p.elements + kThreads - 1) / kThreads, 65535));
  switch (element_bytes) {
    case 2:
      pack_kernel<uint16_t><<<blocks, kThreads, 0, stream>>>(p);
      break;
    case 4:
      pack_kernel<uint32_t><<<blocks, kThreads, 0, stream>>>(p);
      break;
    case 8:
      pack_kernel<uint64_t><<<blocks, kThreads, 0, stream>>>(p);
      break;
    default:
      return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}

}  // namespace ctconv::cuda
