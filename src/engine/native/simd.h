// The vector routines of the native engine: tables of function pointers, one per instruction set and computing type.
//
//   in:  this CPU (Highway's run-time dispatch)
//   out: simd<float>() and simd<double>(); lanes is 0 where vectors have no fused multiply-add
//   Per element every routine does the same sequence of correctly rounded operations on every instruction set.
//   T is the computing type: float (also for f16 and bf16, widened when read, narrowed when stored) or double.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/base/dtype.h"
#include "src/problem/problem.h"

namespace ctconv::native {

inline constexpr int kMaxRows = 12;      // M: rows of one block of accumulators
inline constexpr int kMaxVectors = 6;    // V: vectors of one row
inline constexpr int kMaxLanes = 16;     // N
inline constexpr int kMaxRowPhases = 8;  // S of a row that is interleaved in registers

// Lanes over positions.
// out[row[m]][q] = sum over c, t (in this order) of w[c][t][m] * x[c*x_ci + x_tap[t] + q], + bias[row_c[m]]
template <class T>
struct PositionsArgs {
  const T* x;
  int64_t x_ci, ci;
  const int64_t* x_tap;
  int64_t taps;
  const T* x_ahead;  // what will be read soon, to be fetched ahead: V vectors per ci; null: nothing
  int64_t x_ahead_ci;
  const T* w;  // [ci][taps][M], ci apart by w_ci
  int64_t w_ci;
  const T* bias;
  const int32_t* row;    // M offsets into out
  const int32_t* row_c;  // M channels: which bias
  T* out;
};

// Lanes over channels.
// out[out_pos[m]][r] (+)= sum over c, t of x[x_pos[m] + c + x_tap[t]] * w[c*w_ci + w_tap[t] + r], r < V*N
template <class T>
struct ChannelsArgs {
  const T* x;
  const int64_t* x_pos;  // M
  int64_t ci;
  const int64_t* x_tap;
  const int64_t* w_tap;
  int64_t taps;
  const T* w;
  int64_t w_ci;
  const T* bias;  // V*N values
  int64_t spare;  // lanes of the last vector that are not stored
  T* out;
  const int64_t* out_pos;  // M
  const T* w_next;         // weights of the next slab, fetched ahead: so many bytes per input channel; null: none
  int64_t w_next_step;
  bool first, last;     // start from +0; add the bias
  const Epilogue* act;  // after the bias: relu, leaky relu or clip; null: none, or the caller's business
  bool stream;          // store past the cache: out is aligned to whole vectors and lines
};

// Depthwise, lanes over channels: out[m*out_step + r] = bias[r] + sum over t of x[m*x_step + x_tap[t] + r] * w[w_tap[t]
// + r], r < channels (N at least), m < count
template <class T>
struct DepthwiseArgs {
  const T* x;
  int64_t x_step;
  const int64_t* x_tap;
  const int64_t* w_tap;
  int64_t taps;
  const T* w;
  const T* bias;
  T* out;
  int64_t out_step;
  int64_t count, channels;
};

// Depthwise, lanes over positions: y[q*S + r] = bias + sum over t of w[t] * x[x_tap[t] + q], t of phase r in begin[r]
// ..
// begin[r+1], for q*S + r < values
template <class T>
struct RowsArgs {
  const T* x;
  const int64_t* x_tap;
  const T* w;
  const int32_t* begin;  // S + 1
  T bias;
  T* y;
  int64_t values;
};

// Part of a row: elements from the source to the destination, there behind `gap` zeros.
struct RowPart {
  int64_t from, to, count, gap = 0;
};

template <class T>
struct Simd {
  const char* name;
  int lanes;                                                          // N
  int accumulators;                                                   // largest M*V
  void (*positions[kMaxRows][kMaxVectors])(const PositionsArgs<T>&);  // [M-1][V-1], null where M*V is too large
  void (*channels[kMaxRows][kMaxVectors])(const ChannelsArgs<T>&);
  void (*depthwise)(const DepthwiseArgs<T>&);
  void (*rows[kMaxRowPhases + 1])(const RowsArgs<T>&);  // [S], null where S phases have no interleaving store

  // dst[k] = widened src[k*stride], stride in elements of dtype, any sign.
  void (*load)(const void* src, int64_t stride, Dtype dtype, int64_t count, T* dst);
  // dst[k*stride] = narrowed src[k]; stream: whole cache lines past the cache (stride 1 only).
  void (*store)(const T* src, int64_t count, Dtype dtype, void* dst, int64_t stride, bool stream);
  // dst[to ..] = src[from ..] for every part, dst[to - gap .. to] = 0.
  void (*copy)(const T* src, const RowPart* parts, int64_t count, T* dst);
  // dst[q*rows + f] = src[f*src_stride + q]; reads whole vectors of each row; spare: room for rows*count values and
  // one more vector a row.
  void (*interleave)(const T* src, int64_t src_stride, int64_t rows, int64_t count, T* dst, T* spare);
  // dst[j*dst_stride + i] = src[i*src_stride + j], i < rows, j < columns.
  void (*transpose)(const T* src, int64_t src_stride, int64_t rows, int64_t columns, T* dst, int64_t dst_stride);
  void (*activate)(const Epilogue& act, T* values, int64_t count);
  void (*fence)();  // after streaming stores, before the task returns
};

// Positions per block of the form "channels" with `vectors` vectors of channels.
template <class T>
int channel_rows(const Simd<T>& s, int64_t vectors) {
  int m = kMaxRows;
  while (m > 1 && s.channels[m - 1][vectors - 1] == nullptr) --m;
  return m;
}

// By value: kernels keep a copy, so a test that forces another instruction set changes only what is planned after it.
template <class T>
Simd<T> simd();

}  // namespace ctconv::native
