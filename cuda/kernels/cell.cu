// Launch of cell.h. Instantiated forms (S, Q): (0, 1) any stride, (1, 4), (2, 2), (3, 1), (4, 1), (8, 1); CB 1, 4, 8.
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class T, int S, int Q, int CB>
__global__ void __launch_bounds__(kCellThreads) cell_kernel(const __grid_constant__ CellParams p) {
  extern __shared__ __align__(16) unsigned char raw[];
  auto* shared = reinterpret_cast<Accumulator<T>*>(raw);
  cell_fill<T, CB>(p, static_cast<int32_t>(blockIdx.y), static_cast<int32_t>(threadIdx.x), shared);
  __syncthreads();
  cell_compute<T, S, Q, CB>(p, blockIdx.x, static_cast<int32_t>(blockIdx.y), static_cast<int32_t>(threadIdx.x), shared);
}

template <class T, int S, int Q>
cudaError_t launch(int32_t cb, const CellParams& p, dim3 grid, size_t shared_bytes, cudaStream_t stream) {
  if (cb == 1) {
    cell_kernel<T, S, Q, 1><<<grid, kCellThreads, shared_bytes, stream>>>(p);
  } else if constexpr (S == 8) {
    return cudaErrorInvalidValue;  // 8 outputs of 1 channel fill a thread's registers sensibly, of 8 channels they do
                                   // not
  } else if (cb == 4) {
    cell_kernel<T, S, Q, 4><<<grid, kCellThreads, shared_bytes, stream>>>(p);
  } else {
    cell_kernel<T, S, Q, 8><<<grid, kCellThreads, shared_bytes, stream>>>(p);
  }
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_cell(int32_t dtype, CellForm form, const CellParams& p, size_t shared_bytes, cudaStream_t stream) {
  const int64_t tiles = (p.rows * p.runs + kCellThreads - 1) / kCellThreads;
  if (tiles > 0x7fffffff) return cudaErrorInvalidConfiguration;
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(p.groups * p.co_blocks));
  return with_type(dtype, [&](auto t) {
    using T = decltype(t);
    switch (form.s) {
      case 0:
        return launch<T, 0, 1>(form.cb, p, grid, shared_bytes, stream);
      case 1:
        return launch<T, 1, 4>(form.cb, p, grid, shared_bytes, stream);
      case 2:
        return launch<T, 2, 2>(form.cb, p, grid, shared_bytes, stream);
      case 3:
        return launch<T, 3, 1>(form.cb, p, grid, shared_bytes, stream);
      case 4:
        return launch<T, 4, 1>(form.cb, p, grid, shared_bytes, stream);
      case 8:
        return launch<T, 8, 1>(form.cb, p, grid, shared_bytes, stream);
    }
    return cudaErrorInvalidValue;
  });
}

}  // namespace ctconv::cuda
