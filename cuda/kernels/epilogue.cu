// SPDX-License-Identifier: Apache-2.0
// Launch of epilogue.h: a grid that fills the device and strides on, so any size is one launch.
#include <algorithm>

#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 132 * 8 * 4;

template <class T, int kV, EpilogueWay kWay>
__global__ void __launch_bounds__(kThreads) epilogue_kernel(const __grid_constant__ EpilogueParams p) {
  const int64_t items = kWay == EpilogueWay::kAny ? p.elements : p.elements / kV;
  for (int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x; at < items; at += int64_t{gridDim.x} * kThreads) {
    if constexpr (kWay == EpilogueWay::kRows) {
      epilogue_rows<T, kV>(p, static_cast<uint32_t>(at));
    } else if constexpr (kWay == EpilogueWay::kChannels) {
      epilogue_channels<T, kV>(p, static_cast<uint32_t>(at));
    } else {
      epilogue_any<T>(p, at);
    }
  }
}

}  // namespace

cudaError_t launch_epilogue(int32_t dtype, EpilogueWay way, bool vector, const EpilogueParams& p, cudaStream_t stream) {
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    constexpr int kV = 16 / sizeof(T);
    const int64_t items = vector && way != EpilogueWay::kAny ? p.elements / kV : p.elements;
    const auto blocks = static_cast<unsigned>(std::min((items + kThreads - 1) / kThreads, kMostBlocks));
    if (way == EpilogueWay::kAny) {
      epilogue_kernel<T, 1, EpilogueWay::kAny><<<blocks, kThreads, 0, stream>>>(p);
    } else if (way == EpilogueWay::kRows) {
      if (vector) {
        epilogue_kernel<T, kV, EpilogueWay::kRows><<<blocks, kThreads, 0, stream>>>(p);
      } else {
        epilogue_kernel<T, 1, EpilogueWay::kRows><<<blocks, kThreads, 0, stream>>>(p);
      }
    } else if (vector) {
      epilogue_kernel<T, kV, EpilogueWay::kChannels><<<blocks, kThreads, 0, stream>>>(p);
    } else {
      epilogue_kernel<T, 1, EpilogueWay::kChannels><<<blocks, kThreads, 0, stream>>>(p);
    }
    return cudaGetLastError();
  });
}

}  // namespace ctconv::cuda
