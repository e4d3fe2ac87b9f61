// SPDX-License-Identifier: Apache-2.0
// A borrowed, already checked view of a tensor, and the algebra of such views.
//
//   in:  a record with ndim 0..kMaxNdim, shape, strides in elements (capi makes the view of a ctconv_tensor)
//   out: the same as values, strides always filled; no ownership
//   refuses: a view that reaches beyond 63 bits (span_of: MISUSE_TENSOR)
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "src/base/dtype.h"
#include "src/base/status.h"

namespace ctconv {

inline constexpr int kMaxNdim = 8;
using Strides = std::array<int64_t, kMaxNdim>;

// DLPack's numbers of devices.
inline constexpr int32_t kDeviceCpu = 1, kDeviceCuda = 2, kDeviceCudaHost = 3, kDeviceCudaManaged = 13;

struct TensorView {
  void* data = nullptr;  // byte_offset already added; may be null where only the shape is read
  ElementType type;
  int32_t device_type = kDeviceCpu, device_id = 0;
  int ndim = 0;
  std::array<int64_t, kMaxNdim> shape{};
  Strides strides{};  // in elements, any sign

  std::span<const int64_t> dims() const { return {shape.data(), static_cast<size_t>(ndim)}; }
};

// A shape the library answers; ndim 0: no such tensor.
struct TensorSpec {
  ElementType type;
  int ndim = 0;
  std::array<int64_t, kMaxNdim> shape{};

  std::span<const int64_t> dims() const { return {shape.data(), static_cast<size_t>(ndim)}; }
};

// Strides of a dense row-major tensor, in elements. An extent of 0 counts as 1: an empty tensor has harmless strides.
Strides dense_strides(std::span<const int64_t> shape);

// Pinned host memory counts as CPU.
inline bool on_host(const TensorView& t) { return t.device_type == kDeviceCpu || t.device_type == kDeviceCudaHost; }

// The view of a dense row-major copy: strides replaced, `data` its memory.
void lie_dense(TensorView* t, void* data);

// Elements between two entries of a tensor with at most one axis above 1 (a bias in any dialect's shape).
int64_t vector_stride(const TensorView& t);

// Elements; saturates at INT64_MAX.
int64_t count_of(const TensorView& t);

// The bytes a view reaches, relative to its data: [lo, hi). Empty tensors reach nothing.
struct Span {
  int64_t lo = 0, hi = 0;
};
Status span_of(const TensorView& t, const char* name, Span* out);

// Row-major copy of a strided host tensor into `out`.
void copy_dense(const TensorView& from, void* out);

}  // namespace ctconv
