// A borrowed, already checked view of a tensor: what capi makes of a ctconv_tensor.
//
//   in:  a record with ndim 0..kMaxNdim, shape, strides in elements
//   out: the same as values, strides always filled; no ownership
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "src/base/dtype.h"

namespace ctconv {

inline constexpr int kMaxNdim = 8;

struct TensorView {
  void* data = nullptr;  // byte_offset already added; may be null where only the shape is read
  ElementType type;
  int32_t device_type = 1, device_id = 0;  // DLPack's numbers; 1 CPU, 2 CUDA
  int ndim = 0;
  std::array<int64_t, kMaxNdim> shape{};
  std::array<int64_t, kMaxNdim> strides{};  // in elements, any sign

  std::span<const int64_t> dims() const { return {shape.data(), static_cast<size_t>(ndim)}; }
};

// A shape the library answers; ndim 0: no such tensor.
struct TensorSpec {
  ElementType type;
  int ndim = 0;
  std::array<int64_t, kMaxNdim> shape{};
};

}  // namespace ctconv
