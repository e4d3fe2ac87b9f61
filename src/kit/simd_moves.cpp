// SPDX-License-Identifier: Apache-2.0
// Moving values: widening loads, narrowing and streaming stores, interleaving of phases, transposition.
//
//   in, out: see Moves (moves.h);   bf16 and f16 convert to the same bits as src/base/half.h
#include "src/kit/targets.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize( \
    "no-tree-loop-distribute-patterns")  // short loops of vector copies must not become calls of memcpy
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/kit/simd_moves.cpp"
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/base/half.h"
#include "src/kit/moves.h"
#include "src/kit/simd_halves.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::kit {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
inline float widen(uint16_t h, Dtype dtype) { return dtype == Dtype::kBf16 ? bf16_to_f32(h) : f16_to_f32(h); }
inline uint16_t narrow(float f, Dtype dtype) { return dtype == Dtype::kBf16 ? f32_to_bf16(f) : f32_to_f16(f); }

// Whole vectors, then halves, quarters, ...: masked stores and calls of memcpy cost more than most of these rows.
template <class T>
HWY_INLINE void Copy(const T* src, int64_t count, T* dst) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = 0;
  for (; k + n <= count; k += n) hn::StoreU(hn::LoadU(d, src + k), d, dst + k);
  if (count & 8 & (n - 1)) {
    std::memcpy(dst + k, src + k, 8 * sizeof(T));
    k += 8;
  }
  if (count & 4 & (n - 1)) {
    std::memcpy(dst + k, src + k, 4 * sizeof(T));
    k += 4;
  }
  if (count & 2 & (n - 1)) {
    std::memcpy(dst + k, src + k, 2 * sizeof(T));
    k += 2;
  }
  if (count & 1) std::memcpy(dst + k, src + k, sizeof(T));
}

template <class T>
void CopyParts(const T* src, const RowPart* parts, int64_t count, T* dst) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (const RowPart* p = parts; p < parts + count; ++p) {
    T* to = dst + p->to - p->gap;
    int64_t gap = p->gap;
    for (; gap >= n; gap -= n, to += n) hn::StoreU(hn::Zero(d), d, to);
    for (; gap > 0; --gap) *to++ = 0;
    Copy(src + p->from, p->count, to);
  }
}

template <bool kBf16>
void WidenParts(const uint16_t* src, const RowPart* parts, int64_t count, float* dst) {
  const hn::ScalableTag<float> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (const RowPart* p = parts; p < parts + count; ++p) {
    float* to = dst + p->to - p->gap;
    int64_t gap = p->gap;
    for (; gap >= n; gap -= n, to += n) hn::StoreU(hn::Zero(d), d, to);
    for (; gap > 0; --gap) *to++ = 0;
    WidenRow<kBf16>(src + p->from, p->count, to);
  }
}

template <class T>
void LoadParts(const void* src, Dtype dtype, const RowPart* parts, int64_t count, T* dst) {
  if (size_of(dtype) == sizeof(T)) return CopyParts(static_cast<const T*>(src), parts, count, dst);
  if constexpr (std::is_same_v<T, float>) {
    const auto* s = static_cast<const uint16_t*>(src);
    if (dtype == Dtype::kBf16) return WidenParts<true>(s, parts, count, dst);
    WidenParts<false>(s, parts, count, dst);
  }
}

template <class T>
void Load(const void* src, int64_t stride, Dtype dtype, int64_t count, T* dst) {
  if (size_of(dtype) == sizeof(T)) {
    const T* s = static_cast<const T*>(src);
    if (stride == 1) {
      Copy(s, count, dst);
    } else {
      for (int64_t k = 0; k < count; ++k) dst[k] = s[k * stride];
    }
    return;
  }
  if constexpr (std::is_same_v<T, float>) {
    const uint16_t* s = static_cast<const uint16_t*>(src);
    if (stride != 1) {
      for (int64_t k = 0; k < count; ++k) dst[k] = widen(s[k * stride], dtype);
    } else if (dtype == Dtype::kBf16) {
      WidenRow<true>(s, count, dst);
    } else {
      WidenRow<false>(s, count, dst);
    }
  }
}

template <class T>
void StoreSame(const T* src, int64_t count, T* dst, int64_t stride, bool stream) {
  if (stride != 1) {
    for (int64_t k = 0; k < count; ++k) dst[k * stride] = src[k];
    return;
  }
  if (!stream) return Copy(src, count, dst);
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), line = 64 / static_cast<int64_t>(sizeof(T));
  int64_t k = -static_cast<int64_t>(reinterpret_cast<uintptr_t>(dst) / sizeof(T)) & (line - 1);
  if (k > count) k = count;
  Copy(src, k, dst);
  for (; k + line <= count; k += line) {
    for (int64_t j = 0; j < line; j += n) hn::Stream(hn::LoadU(d, src + k + j), d, dst + k + j);
  }
  Copy(src + k, count - k, dst + k);
}

template <bool kBf16>
void StoreNarrow(const float* src, int64_t count, uint16_t* dst, int64_t stride, bool stream) {
  constexpr Dtype kType = kBf16 ? Dtype::kBf16 : Dtype::kF16;
  if (stride != 1) {
    for (int64_t k = 0; k < count; ++k) dst[k * stride] = narrow(src[k], kType);
  } else if (stream) {
    StreamRow<kBf16>(src, count, dst);
  } else {
    NarrowRow<kBf16>(src, count, dst);
  }
}

template <class T>
void Store(const T* src, int64_t count, Dtype dtype, void* dst, int64_t stride, bool stream) {
  if (size_of(dtype) == sizeof(T)) return StoreSame(src, count, static_cast<T*>(dst), stride, stream);
  if constexpr (std::is_same_v<T, float>) {
    uint16_t* y = static_cast<uint16_t*>(dst);
    if (dtype == Dtype::kBf16) return StoreNarrow<true>(src, count, y, stride, stream);
    StoreNarrow<false>(src, count, y, stride, stream);
  }
}

template <bool kBf16>
void NarrowParts(const float* src, const RowPart* parts, int64_t count, uint16_t* dst) {
  for (const RowPart* p = parts; p < parts + count; ++p) NarrowRow<kBf16>(src + p->from, p->count, dst + p->to);
}

template <class T>
void StoreParts(const T* src, const RowPart* parts, int64_t count, Dtype dtype, void* dst) {
  if (size_of(dtype) == sizeof(T)) return CopyParts(src, parts, count, static_cast<T*>(dst));
  if constexpr (std::is_same_v<T, float>) {
    uint16_t* y = static_cast<uint16_t*>(dst);
    if (dtype == Dtype::kBf16) return NarrowParts<true>(src, parts, count, y);
    NarrowParts<false>(src, parts, count, y);
  }
}

// Rows of vectors a, b, ... become groups of R in dst.
template <class T, int R, class D>
HWY_INLINE void InterleaveOne(D d, const T* s, int64_t stride, T* dst) {
  const auto a = hn::LoadU(d, s), b = hn::LoadU(d, s + stride);
  if constexpr (R == 2) {
    hn::StoreInterleaved2(a, b, d, dst);
  } else {
    const auto c = hn::LoadU(d, s + 2 * stride);
    if constexpr (R == 3) {
      hn::StoreInterleaved3(a, b, c, d, dst);
    } else {
      hn::StoreInterleaved4(a, b, c, hn::LoadU(d, s + 3 * stride), d, dst);
    }
  }
}

// R rows of count values each become groups of R. Reads whole vectors.
template <class T, int R>
void InterleaveFew(const T* s, int64_t stride, int64_t count, T* dst) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t q = 0;
  for (; q + n <= count; q += n) InterleaveOne<T, R>(d, s + q, stride, dst + R * q);
  if (q < count) {
    HWY_ALIGN T rest[R * hn::MaxLanes(d)];
    InterleaveOne<T, R>(d, s + q, stride, rest);
    Copy(rest, R * (count - q), dst + R * q);
  }
}

// A square of vectors: log2(N) rounds in which vector i meets vector i + N/2.
template <int N, class D, class V>
HWY_INLINE void TransposeSquare(D d, V (&a)[N]) {
#pragma GCC unroll 4
  for (int round = 1; round < N; round *= 2) {
    V b[N];
#pragma GCC unroll 16
    for (int i = 0; i < N / 2; ++i) {
      b[2 * i] = hn::InterleaveWholeLower(d, a[i], a[i + N / 2]);
      b[2 * i + 1] = hn::InterleaveWholeUpper(d, a[i], a[i + N / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) a[i] = b[i];
  }
}

template <class T>
void Transpose(const T* src, int64_t src_stride, int64_t rows, int64_t columns, T* dst, int64_t dst_stride) {
  const hn::CappedTag<T, kMaxLanes> d;
  constexpr int N = static_cast<int>(hn::MaxLanes(d));
  using V = hn::Vec<decltype(d)>;
  int64_t i = 0;
  for (; i + N <= rows; i += N) {
    const T* s = src + i * src_stride;
    T* out = dst + i;
    int64_t j = 0;
    for (; j + N <= columns; j += N) {
      V a[N];
#pragma GCC unroll 16
      for (int r = 0; r < N; ++r) a[r] = hn::LoadU(d, s + r * src_stride + j);
      TransposeSquare<N>(d, a);
#pragma GCC unroll 16
      for (int q = 0; q < N; ++q) hn::StoreU(a[q], d, out + (j + q) * dst_stride);
    }
    for (; j < columns; ++j) {
      for (int64_t r = 0; r < N; ++r) out[j * dst_stride + r] = s[r * src_stride + j];
    }
  }
  for (; i + 4 <= rows; i += 4) {
    const T* s = src + i * src_stride;
    HWY_ALIGN T group[4 * N];
    int64_t j = 0;
    for (; j + N <= columns; j += N) {
      hn::StoreInterleaved4(hn::LoadU(d, s + j), hn::LoadU(d, s + src_stride + j), hn::LoadU(d, s + 2 * src_stride + j),
                            hn::LoadU(d, s + 3 * src_stride + j), d, group);
      T* out = dst + j * dst_stride + i;
      for (int64_t q = 0; q < N; ++q) std::memcpy(out + q * dst_stride, group + 4 * q, 4 * sizeof(T));
    }
    for (; j < columns; ++j) {
      for (int64_t r = 0; r < 4; ++r) dst[j * dst_stride + i + r] = s[r * src_stride + j];
    }
  }
  for (; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) dst[j * dst_stride + i] = src[i * src_stride + j];
  }
}

// Widened some rows at a time into a buffer that stays in the first-level cache.
template <class T>
void TransposeLoad(const void* src, int64_t src_stride, Dtype dtype, int64_t rows, int64_t columns, T* dst,
                   int64_t dst_stride) {
  if (size_of(dtype) == sizeof(T)) {
    return Transpose(static_cast<const T*>(src), src_stride, rows, columns, dst, dst_stride);
  }
  constexpr int64_t kColumns = 256, kBuffer = kColumns * kMaxLanes;
  HWY_ALIGN T wide[kBuffer];
  const auto* from = static_cast<const uint16_t*>(src);
  for (int64_t c = 0; c < columns; c += kColumns) {
    const int64_t some = std::min(kColumns, columns - c), together = kBuffer / some / kMaxLanes * kMaxLanes;
    for (int64_t r = 0; r < rows; r += together) {
      const int64_t count = std::min(together, rows - r);
      const uint16_t* s = from + r * src_stride + c;
      if (some == src_stride) {
        Load(s, 1, dtype, count * some, wide);
      } else {
        for (int64_t k = 0; k < count; ++k) Load(s + k * src_stride, 1, dtype, some, wide + k * some);
      }
      Transpose(wide, some, count, some, dst + c * dst_stride + r, dst_stride);
    }
  }
}

template <class T>
void Interleave(const T* src, int64_t stride, int64_t rows, int64_t count, T* dst, T* spare) {
  switch (rows) {
    case 1:
      return Copy(src, count, dst);
    case 2:
      return InterleaveFew<T, 2>(src, stride, count, dst);
    case 3:
      return InterleaveFew<T, 3>(src, stride, count, dst);
    case 4:
      return InterleaveFew<T, 4>(src, stride, count, dst);
    case 6:
    case 8: {  // rows f and f + rows/2 first, then half as many rows of twice the length
      const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
      const int64_t whole = (count + n - 1) / n * n;
      for (int64_t f = 0; f < rows / 2; ++f) {
        InterleaveFew<T, 2>(src + f * stride, rows / 2 * stride, whole, spare + f * 2 * whole);
      }
      return rows == 6 ? InterleaveFew<T, 3>(spare, 2 * whole, 2 * count, dst)
                       : InterleaveFew<T, 4>(spare, 2 * whole, 2 * count, dst);
    }
    default:
      return Transpose(src, stride, rows, count, dst, rows);
  }
}

void Fence() { hwy::FlushStream(); }

template <class T>
void Fill(Moves<T>& s) {
  s.name = hwy::TargetName(HWY_TARGET);
  s.lanes = static_cast<int>(hn::Lanes(hn::ScalableTag<T>()));
  s.accumulators = CTCONV_ACCUMULATORS;
  s.load = &Load<T>;
  s.store = &Store<T>;
  s.copy = &CopyParts<T>;
  s.load_parts = &LoadParts<T>;
  s.store_parts = &StoreParts<T>;
  s.interleave = &Interleave<T>;
  s.transpose = &Transpose<T>;
  s.transpose_load = &TransposeLoad<T>;
  s.fence = &Fence;
}
#else
template <class T>
void Fill(Moves<T>& s) {
  s.lanes = 0;
}
#endif

void FillF32(Moves<float>& s) { Fill(s); }
void FillF64(Moves<double>& s) { Fill(s); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::kit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::kit {
CTCONV_SIMD_FILLS(fill_moves, Moves)
}  // namespace ctconv::kit
#endif
