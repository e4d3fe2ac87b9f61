// SPDX-License-Identifier: Apache-2.0
// Launch of pixel.h.
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class T, int V>
__global__ void __launch_bounds__(kPixelThreads, V == 8 ? 4 : 5) pixel_kernel(const __grid_constant__ PixelParams p) {
  const uint32_t index = blockIdx.x * kPixelThreads + threadIdx.x;
  if (index < p.items) pixel_item<T, V>(p, index);
}

}  // namespace

cudaError_t launch_pixel(int32_t dtype, bool vector, const PixelParams& p, cudaStream_t stream) {
  const unsigned blocks = (p.items + kPixelThreads - 1) / kPixelThreads;
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    if (vector) {
      pixel_kernel<T, 16 / sizeof(T)><<<blocks, kPixelThreads, 0, stream>>>(p);
    } else {
      pixel_kernel<T, 1><<<blocks, kPixelThreads, 0, stream>>>(p);
    }
    return cudaGetLastError();
  });
}

}  // namespace ctconv::cuda
