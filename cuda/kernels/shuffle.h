// SPDX-License-Identifier: Apache-2.0
// shuffle: kernel = stride (dilation 1): every input position owns its own k^d block of y, so the layer is one GEMM per
// group whose columns are stored interleaved.
//
//   in:  x (channels-first or -last), weights packed [g][ci][columns]
//   out: y = act(x w + bias), every tap its own place
//   M = n * input positions, columns = co * taps, K = ci
//   (channels-first: co, d, h, w; channels-last: d, h, w, co)
//   o = i*s + t - lo; places outside [0, o) are dropped. 64 x 64 tiles, 256 threads, the next tile is fetched while
//   one is used.
//   kFma: each element is one chain of fused multiply-adds over ci: the reference's bits.
//   kTensor: tensor cores with f32 accumulators (f16, bf16, f32 rounded to TF32): other bits.
//   refuses: k != s or d != 1 on an axis, rows that no tap reaches, extents beyond 31 bits
#pragma once

#include "cuda/activation.h"
#include "cuda/index.h"

#ifdef __CUDACC__
#include <mma.h>
#endif

#include <type_traits>

namespace ctconv::cuda {

inline constexpr int kShuffleThreads = 256;
inline constexpr int kTile = 64;

enum class ShuffleMath { kFma, kTensor };

struct ShuffleParams {
  const void *x, *w, *bias;
  void* y;
  int32_t groups, ci, co, columns, tile_columns, positions, crop;
  int32_t i[3], o[3], k[3], lo[3];
  int64_t xs[5], ys[5], bias_stride;
  ActParams act;
  SmallDivider run, row_span;  // channels-first: k_w and 64*k_w; channels-last: tile_columns in row_span
  int32_t bias_accumulator, channels_last;
};

CTCONV_HD float to_tf32(float v) {  // nearest, ties away from zero, as cvt.rna.tf32
#ifdef __CUDA_ARCH__
  return nvcuda::wmma::__float_to_tf32(v);
#else
  const uint32_t u = std::bit_cast<uint32_t>(v);
  return (u & 0x7f800000u) == 0x7f800000u ? v : std::bit_cast<float>((u + 0x1000u) & ~0x1fffu);
#endif
}

template <class T, ShuffleMath kMath>
struct Shuffle {
  using Acc = Accumulator<T>;
  static constexpr bool kTensorCores = kMath == ShuffleMath::kTensor;
  static constexpr int kDepth = kTensorCores && sizeof(T) == 2 ? 32 : 16;
  static constexpr int kEach = kTile * kDepth / kShuffleThreads;
  static constexpr int kFragmentDepth = sizeof(T) == 2 ? 16 : 8;
  static constexpr int kWide = kTile + 8;  // row pitch of [depth][64], of the accumulator tile too
  using Stored = std::conditional_t<kTensorCores, T, Acc>;

  struct Place {  // where a row or a column of the tile goes in y
    int64_t offset;
    int32_t d, h, w, channel;  // rows: channel < 0 is no row
  };
  struct Shared {
    union {
      struct {
        alignas(32) Stored a[kTile * (kDepth + 8) > kDepth* kWide ? kTile*(kDepth + 8) : kDepth* kWide];
        alignas(32) Stored b[kDepth * kWide];
      };
      alignas(32) Acc c[kTile * kWide];
    };
    Place row[kTile], column[kTile];
  };
  struct Registers {
    Acc acc[4][4];
    T a[kEach], b[kEach];
    int64_t base[kEach];
#ifdef __CUDACC__
    // Two 16 x 16 accumulators of the warp's 16 x 32 part; unused by kFma.
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, kFragmentDepth, float> sum[2];
#endif
  };

  // a lies [depth][64] where a thread or fragment reads positions side by side, else [64][depth].
  CTCONV_HD static bool a_by_position(const ShuffleParams& p) { return kTensorCores && p.channels_last; }
  CTCONV_HD static void split(const ShuffleParams& p, int32_t e, int32_t* m, int32_t* k) {
    if (p.channels_last) {
      *k = e % kDepth;
      *m = e / kDepth;
    } else {
      *m = e % kTile;
      *k = e / kTile;
    }
  }

  CTCONV_HD static void begin(const ShuffleParams& p, int32_t tile_m, int32_t tile_c, int32_t g, int32_t thread,
                              Shared& s, Registers& r) {
    CTCONV_UNROLL
    for (int a = 0; a < 4; ++a) {
      CTCONV_UNROLL
      for (int b = 0; b < 4; ++b) r.acc[a][b] = Acc(0);
    }
#ifdef __CUDA_ARCH__
    if constexpr (kTensorCores) {
      nvcuda::wmma::fill_fragment(r.sum[0], 0.0f);
      nvcuda::wmma::fill_fragment(r.sum[1], 0.0f);
    }
#endif
    CTCONV_UNROLL
    for (int e = 0; e < kEach; ++e) {
      int32_t m, k;
      split(p, thread + e * kShuffleThreads, &m, &k);
      const int32_t position = tile_m * kTile + m;
      r.base[e] = -1;
      if (position < p.positions) {
        const int32_t w = position % p.i[2], h = position / p.i[2] % p.i[1], dn = position / p.i[2] / p.i[1];
        r.base[e] =
            dn / p.i[0] * p.xs[0] + int64_t{g} * p.ci * p.xs[1] + dn % p.i[0] * p.xs[2] + h * p.xs[3] + w * p.xs[4];
      }
    }
    if (thread < kTile) {
      const int32_t position = tile_m * kTile + thread;
      Place place{0, 0, 0, 0, -1};
      if (position < p.positions) {
        const int32_t w = position % p.i[2], h = position / p.i[2] % p.i[1], dn = position / p.i[2] / p.i[1];
        place.d = dn % p.i[0] * p.k[0] - p.lo[0];
        place.h = h * p.k[1] - p.lo[1];
        place.w = w * p.k[2] - p.lo[2];
        place.offset = dn / p.i[0] * p.ys[0] + place.d * p.ys[2] + place.h * p.ys[3] + place.w * p.ys[4];
        place.channel = 0;
      }
      s.row[thread] = place;
    } else if (thread < 2 * kTile) {
      const int32_t at = thread - kTile, column = tile_c * p.tile_columns + at;
      Place place{0, 0, 0, 0, -1};
      if (at < p.tile_columns && column < p.columns) {
        const int32_t taps = p.k[0] * p.k[1] * p.k[2];
        const int32_t c = p.channels_last ? column % p.co : column / taps,
                      tap = p.channels_last ? column / p.co : column % taps;
        place.w = tap % p.k[2];
        place.h = tap / p.k[2] % p.k[1];
        place.d = tap / p.k[2] / p.k[1];
        place.channel = g * p.co + c;
        place.offset = place.channel * p.ys[1] + place.d * p.ys[2] + place.h * p.ys[3] + place.w * p.ys[4];
      }
      s.column[at] = place;
    }
  }

  CTCONV_HD static void fetch(const ShuffleParams& p, int32_t tile_c, int32_t g, int32_t k0, int32_t thread,
                              Registers& r) {
    const T* x = static_cast<const T*>(p.x);
    const T* w = static_cast<const T*>(p.w) + (int64_t{g} * p.ci) * p.columns;
    CTCONV_UNROLL
    for (int e = 0; e < kEach; ++e) {
      int32_t m, k;
      split(p, thread + e * kShuffleThreads, &m, &k);
      // behind the last channel -0 meets +0: their product leaves every sum as it is, a sum of -0 too
      r.a[e] = r.base[e] >= 0 && k0 + k < p.ci ? x[r.base[e] + (k0 + k) * p.xs[1]] : narrow<T>(Acc(-0.0));
      const int32_t at = (thread + e * kShuffleThreads) % kTile, depth = k0 + (thread + e * kShuffleThreads) / kTile;
      const int32_t column = tile_c * p.tile_columns + at;
      const bool real = at < p.tile_columns && column < p.columns && depth < p.ci;
      r.b[e] = real ? w[int64_t{depth} * p.columns + column] : T{};
    }
  }

  CTCONV_HD static Stored stored(T v) {
    if constexpr (!kTensorCores) {
      return widen(v);
    } else if constexpr (sizeof(T) == 4) {
      return to_tf32(v);
    } else {
      return v;
    }
  }

  CTCONV_HD static void stash(const ShuffleParams& p, int32_t thread, Shared& s, const Registers& r) {
    CTCONV_UNROLL
    for (int e = 0; e < kEach; ++e) {
      int32_t m, k;
      split(p, thread + e * kShuffleThreads, &m, &k);
      s.a[a_by_position(p) ? m * (kDepth + 8) + k : k * kWide + m] = stored(r.a[e]);
      const int32_t at = thread + e * kShuffleThreads;
      s.b[at / kTile * kWide + at % kTile] = stored(r.b[e]);
    }
  }

  CTCONV_HD static void multiply(const ShuffleParams& p, int32_t thread, const Shared& s, Registers& r) {
    if constexpr (!kTensorCores) {
      const int32_t m0 = thread / 16 * 4, n0 = thread % 16 * 4;
      CTCONV_UNROLL
      for (int k = 0; k < kDepth; ++k) {
        Acc a[4], b[4];
        CTCONV_UNROLL
        for (int e = 0; e < 4; ++e) {
          a[e] = s.a[k * kWide + m0 + e];
          b[e] = s.b[k * kWide + n0 + e];
        }
        CTCONV_UNROLL
        for (int m = 0; m < 4; ++m) {
          CTCONV_UNROLL
          for (int n = 0; n < 4; ++n) r.acc[m][n] = fused(a[m], b[n], r.acc[m][n]);
        }
      }
    } else {
      warp_multiply(p, thread, s, r);
    }
  }

  CTCONV_HD static void spill(const ShuffleParams& p, int32_t thread, Shared& s, const Registers& r) {
    if constexpr (!kTensorCores) {
      const int32_t m0 = thread / 16 * 4, n0 = thread % 16 * 4;
      CTCONV_UNROLL
      for (int m = 0; m < 4; ++m) {
        CTCONV_UNROLL
        for (int n = 0; n < 4; ++n) s.c[(m0 + m) * kWide + n0 + n] = r.acc[m][n];
      }
    } else {
      warp_spill(p, thread, s, r);
    }
  }

  // Neighbouring threads write neighbouring addresses: channels-first runs of (position, w tap), channels-last of
  // columns.
  CTCONV_HD static void write(const ShuffleParams& p, int32_t thread, const Shared& s) {
    for (int32_t e = thread; e < kTile * p.tile_columns; e += kShuffleThreads) {
      const auto outer = static_cast<int32_t>(p.row_span.divide(e));
      const int32_t inner = e - outer * static_cast<int32_t>(p.row_span.divisor);
      int32_t m = outer, n = inner;
      if (!p.channels_last) {
        m = static_cast<int32_t>(p.run.divide(inner));
        n = outer * static_cast<int32_t>(p.run.divisor) + inner - m * static_cast<int32_t>(p.run.divisor);
      }
      const Place &row = s.row[m], &column = s.column[n];
      if (row.channel < 0 || column.channel < 0) continue;
      if (p.crop) {
        const int32_t d = row.d + column.d, h = row.h + column.h, w = row.w + column.w;
        if (d < 0 || d >= p.o[0] || h < 0 || h >= p.o[1] || w < 0 || w >= p.o[2]) continue;
      }
      const Acc bias = load_bias<T>(p.bias, p.bias_accumulator, column.channel * p.bias_stride);
      static_cast<T*>(p.y)[row.offset + column.offset] = narrow<T>(activate<Acc>(p.act, s.c[m * kWide + n] + bias));
    }
  }

 private:
  // Warp v of 8 owns rows v/2*16 and columns v%2*32 of the tile.
  CTCONV_HD static void warp_multiply(const ShuffleParams& p, int32_t thread, const Shared& s, Registers& r) {
#ifdef __CUDA_ARCH__
    namespace wm = nvcuda::wmma;
    using Element = std::conditional_t<std::is_same_v<T, F16>, __half,
                                       std::conditional_t<std::is_same_v<T, Bf16>, __nv_bfloat16, wm::precision::tf32>>;
    using Memory = std::conditional_t<sizeof(T) == 4, float, Element>;
    const int32_t warp = thread / 32, m0 = warp / 2 * 16, n0 = warp % 2 * 32;
    const auto* a = reinterpret_cast<const Memory*>(s.a);
    const auto* b = reinterpret_cast<const Memory*>(s.b);
    CTCONV_UNROLL
    for (int k = 0; k < kDepth; k += kFragmentDepth) {
      wm::fragment<wm::matrix_b, 16, 16, kFragmentDepth, Element, wm::row_major> bf[2];
      CTCONV_UNROLL
      for (int n = 0; n < 2; ++n) wm::load_matrix_sync(bf[n], b + k * kWide + n0 + n * 16, kWide);
      if (p.channels_last) {
        wm::fragment<wm::matrix_a, 16, 16, kFragmentDepth, Element, wm::row_major> af;
        wm::load_matrix_sync(af, a + m0 * (kDepth + 8) + k, kDepth + 8);
        CTCONV_UNROLL
        for (int n = 0; n < 2; ++n) wm::mma_sync(r.sum[n], af, bf[n], r.sum[n]);
      } else {
        wm::fragment<wm::matrix_a, 16, 16, kFragmentDepth, Element, wm::col_major> af;
        wm::load_matrix_sync(af, a + k * kWide + m0, kWide);
        CTCONV_UNROLL
        for (int n = 0; n < 2; ++n) wm::mma_sync(r.sum[n], af, bf[n], r.sum[n]);
      }
    }
#else
    // On the host each thread of the warp keeps one column of its 16 x 32 part.
    const int32_t warp = thread / 32, lane = thread % 32, m0 = warp / 2 * 16, n0 = warp % 2 * 32;
    for (int e = 0; e < 16; ++e) {
      const int32_t m = m0 + e, n = n0 + lane;
      for (int k = 0; k < kDepth; ++k) {
        const Stored a = a_by_position(p) ? s.a[m * (kDepth + 8) + k] : s.a[k * kWide + m];
        r.acc[e / 4][e % 4] = fused(widen(a), widen(s.b[k * kWide + n]), r.acc[e / 4][e % 4]);
      }
    }
#endif
  }

  CTCONV_HD static void warp_spill(const ShuffleParams&, int32_t thread, Shared& s, const Registers& r) {
    const int32_t warp = thread / 32, m0 = warp / 2 * 16, n0 = warp % 2 * 32;
#ifdef __CUDA_ARCH__
    CTCONV_UNROLL
    for (int n = 0; n < 2; ++n) {
      nvcuda::wmma::store_matrix_sync(s.c + m0 * kWide + n0 + n * 16, r.sum[n], kWide, nvcuda::wmma::mem_row_major);
    }
#else
    for (int e = 0; e < 16; ++e) s.c[(m0 + e) * kWide + n0 + thread % 32] = r.acc[e / 4][e % 4];
#endif
  }
};

}  // namespace ctconv::cuda
