// SPDX-License-Identifier: Apache-2.0
// Vector routines that any engine of ours needs: a table of function pointers for this CPU and one computing type.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: moves<float>() and moves<double>(); lanes is 0 where vectors have no fused multiply-add
//   Per element every routine does the same sequence of correctly rounded operations on every instruction set.
//   T is the computing type: float (also for f16 and bf16, widened when read, narrowed when stored) or double.
//   Loops that multiply belong to the engines; each keeps a table of its own beside this one (simd_tables.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/base/dtype.h"
#include "src/problem/problem.h"

namespace ctconv::kit {

inline constexpr int kMaxLanes = 16;  // N

constexpr int64_t bytes_of(Dtype dtype) { return static_cast<int64_t>(size_of(dtype)); }

// How values lie in memory: as the computing type, or in 16 bits.
enum class Stored { kWide, kF16, kBf16 };
constexpr Stored stored_as(Dtype type) {
  return type == Dtype::kF16 ? Stored::kF16 : type == Dtype::kBf16 ? Stored::kBf16 : Stored::kWide;
}

// Part of a row: elements from the source to the destination, there behind `gap` zeros.
struct RowPart {
  int64_t from, to, count, gap = 0;
};

template <class T>
struct Moves {
  const char* name;  // of the instruction set
  int lanes;         // N
  int accumulators;  // vectors of sums that fit the registers

  // dst[k] = widened src[k*stride], stride in elements of dtype, any sign.
  void (*load)(const void* src, int64_t stride, Dtype dtype, int64_t count, T* dst);
  // dst[k*stride] = narrowed src[k]; stream: whole cache lines past the cache (stride 1 only).
  void (*store)(const T* src, int64_t count, Dtype dtype, void* dst, int64_t stride, bool stream);
  // dst[to ..] = src[from ..] for every part, dst[to - gap .. to] = 0.
  void (*copy)(const T* src, const RowPart* parts, int64_t count, T* dst);
  // The same of a src of dtype, widened; from counts its elements.
  void (*load_parts)(const void* src, Dtype dtype, const RowPart* parts, int64_t count, T* dst);
  // dst[to ..] = narrowed src[from ..] for every part without a gap, dst in elements of dtype.
  void (*store_parts)(const T* src, const RowPart* parts, int64_t count, Dtype dtype, void* dst);
  // dst[q*rows + f] = src[f*src_stride + q]; reads whole vectors of each row.
  // spare: room for rows*count values and one more vector a row.
  void (*interleave)(const T* src, int64_t src_stride, int64_t rows, int64_t count, T* dst, T* spare);
  // dst[j*dst_stride + i] = src[i*src_stride + j], i < rows, j < columns.
  void (*transpose)(const T* src, int64_t src_stride, int64_t rows, int64_t columns, T* dst, int64_t dst_stride);
  // The same of a src of dtype, widened; its stride in elements of dtype.
  void (*transpose_load)(const void* src, int64_t src_stride, Dtype dtype, int64_t rows, int64_t columns, T* dst,
                         int64_t dst_stride);
  // values[k] = act(values[k])
  void (*activate)(const Activation& act, T* values, int64_t count);
  void (*fence)();  // after streaming stores, before the task returns
};

// By value: kernels keep a copy, so a test that forces another instruction set changes only what is planned after it.
template <class T>
Moves<T> moves();

}  // namespace ctconv::kit
