// SPDX-License-Identifier: Apache-2.0
// gemm-tensor: implicit GEMM on tensor cores, f16, bf16, and f32 rounded to TF32; f32 accumulators.
//
//   in:  x with unit channel stride (relayout.h brings it there), weights packed [g][tap][co][ci_pitch], zero behind ci
//   out: y = act(sum + bias) of one phase tile (gemm.h)
//   K runs over the phase's taps, then 16-byte chunks of channels. Rows of 128 bytes of A [BM] and B [BN] lie in shared
//   memory, kStages deep, filled by asynchronous copies; chunk c of row r stands at c ^ (r % 8), so that ldmatrix meets
//   every bank once. A tap outside x, and what lies behind the last chunk, is zeros.
//   mma.m16n8: a k step is 32 bytes: 16 elements of 2 bytes or 8 of 4 bytes; ldmatrix moves both alike.
//   bits:    not the reference's; the same on every run
//   A weight that is not finite can reach outputs at the border, where it multiplies zeros.
#pragma once

#include "cuda/kernels/gemm.h"

namespace ctconv::cuda {

CTCONV_HD float round_to_tf32(float v) {  // nearest, ties away from zero: cvt.rna.tf32
#ifdef __CUDA_ARCH__
  uint32_t u;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(v));
  return __uint_as_float(u);
#else
  const uint32_t u = std::bit_cast<uint32_t>(v);
  return (u & 0x7f800000u) == 0x7f800000u ? v : std::bit_cast<float>((u + 0x1000u) & ~0x1fffu);
#endif
}

template <class T, int BM, int BN, int WM, int WN, int kStages>
struct GemmTensor {
  static constexpr int kBM = BM, kBN = BN, kThreads = WM * WN * 32;
  static constexpr int kElements = 16 / sizeof(T), kChunks = 8, kRow = 128;  // of one row of a panel
  static constexpr int kTM = BM / WM, kTN = BN / WN;                         // a warp's part
  static constexpr int kPass = kThreads / kChunks;                           // rows a pass of copies fills
  static_assert(kTM % 16 == 0 && (kTN == 8 || kTN % 16 == 0) && BM % kPass == 0 && sizeof(T) < 8);

  struct Shared {
    unsigned char* panels;  // [kStages][BM + BN][128]
    float* sums;            // the same memory
    GemmPlace* place;
    int64_t* y_offset;
    GemmColumn<float>* column;
    GemmTap* tap;
  };
  struct Registers {
    float acc[kTM / 16][kTN / 8][4];
    int32_t tap, chunk;  // of this thread's column of the next stage
  };

  static constexpr size_t kPanels = size_t{kStages} * (BM + BN) * kRow;
  static constexpr size_t kSums = gemm_sums<BM, BN>() * sizeof(float);
  static constexpr size_t kBody = kPanels > kSums ? kPanels : kSums;
  CTCONV_HD static size_t shared_bytes(int32_t most_taps) {
    return kBody + BM * (sizeof(GemmPlace) + sizeof(int64_t)) + BN * sizeof(GemmColumn<float>) +
           static_cast<size_t>(most_taps) * sizeof(GemmTap);
  }
  CTCONV_HD static Shared carve(unsigned char* raw) {
    Shared s;
    s.panels = raw;
    s.sums = reinterpret_cast<float*>(raw);
    raw += kBody;
    s.place = reinterpret_cast<GemmPlace*>(raw);
    raw += BM * sizeof(GemmPlace);
    s.y_offset = reinterpret_cast<int64_t*>(raw);
    raw += BM * sizeof(int64_t);
    s.column = reinterpret_cast<GemmColumn<float>*>(raw);
    raw += BN * sizeof(GemmColumn<float>);
    s.tap = reinterpret_cast<GemmTap*>(raw);
    return s;
  }

  // Steps of kChunks chunks of this rank: [first, last).
  CTCONV_HD static void steps(const GemmParams& p, const GemmPhase& f, int32_t rank, int32_t* first, int32_t* last) {
    const int32_t chunks = f.count * (p.ci_pitch / kElements);
    const int32_t all = (chunks + kChunks - 1) / kChunks, share = (all + p.split - 1) / p.split;
    *first = rank * share < all ? rank * share : all;
    *last = (rank + 1) * share < all ? (rank + 1) * share : all;
  }

  CTCONV_HD static void begin(const GemmParams& p, const GemmTile& t, const GemmPhase& f, int32_t first, int32_t thread,
                              Shared& s, Registers& r) {
    for (int32_t m = thread; m < BM; m += kThreads) gemm_place(p, f, t.tile_m * BM + m, &s.place[m], &s.y_offset[m]);
    for (int32_t n = thread; n < BN; n += kThreads) s.column[n] = gemm_column<T, BN>(p, t, n);
    for (int32_t j = thread; j < f.count; j += kThreads) s.tap[j] = gemm_tap(p, f, j);
    CTCONV_UNROLL
    for (int i = 0; i < kTM / 16; ++i) {
      CTCONV_UNROLL
      for (int j = 0; j < kTN / 8; ++j) {
        CTCONV_UNROLL
        for (int e = 0; e < 4; ++e) r.acc[i][j][e] = 0.0f;
      }
    }
    const int32_t per_tap = p.ci_pitch / kElements, chunk = first * kChunks + thread % kChunks;
    r.tap = chunk / per_tap;
    r.chunk = chunk % per_tap;
  }

  // 16 bytes, or zeros where there is nothing to read.
  CTCONV_HD static void copy(unsigned char* to, const T* from, bool real) {
#ifdef __CUDA_ARCH__
    const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(real ? 16 : 0) : "memory");
#else
    std::memset(to, 0, 16);
    if (real) std::memcpy(to, from, 16);
#endif
  }
  CTCONV_HD static unsigned char* chunk_at(unsigned char* panel, int32_t row, int32_t chunk) {
    return panel + row * kRow + (chunk ^ (row & 7)) * 16;
  }

  // Starts the copies of the next step into `stage`.
  CTCONV_HD static void fetch(const GemmParams& p, const GemmTile& t, const GemmPhase& f, int32_t stage, int32_t thread,
                              Shared& s, Registers& r) {
    const int32_t column = thread % kChunks, row0 = thread / kChunks;
    const bool real = r.tap < f.count;
    const GemmTap tap = real ? s.tap[r.tap] : GemmTap{0, 0, 0, 0, 0};
    const T* x = static_cast<const T*>(p.x) + t.group * p.x_group - tap.offset + r.chunk * kElements;
    const int32_t column0 = t.tile_n * gemm_tile_columns<BN>(p);
    const T* w = static_cast<const T*>(p.w) +
                 ((int64_t{t.group} * p.weight_taps + tap.row) * p.columns + column0) * p.ci_pitch +
                 r.chunk * kElements;
    unsigned char* a = s.panels + size_t{static_cast<uint32_t>(stage)} * (BM + BN) * kRow;
    unsigned char* b = a + BM * kRow;
    // all tables are read before the first copy: copies are fences to the compiler
    int32_t at[BM / kPass];
    CTCONV_UNROLL
    for (int e = 0; e < BM / kPass; ++e) {
      const auto v = *reinterpret_cast<const Pack<int32_t, 4>*>(s.place + row0 + e * kPass);
      at[e] = real && gemm_inside(p, {v.v[0], v.v[1], v.v[2], v.v[3]}, tap) ? v.v[3] : kNoPlace;
    }
    CTCONV_UNROLL
    for (int e = 0; e < BM / kPass; ++e) {
      const bool inside = at[e] != kNoPlace;
      copy(chunk_at(a, row0 + e * kPass, column), inside ? x + at[e] : static_cast<const T*>(p.x), inside);
    }
    CTCONV_UNROLL
    for (int e = 0; e < (BN + kPass - 1) / kPass; ++e) {
      const int32_t n = row0 + e * kPass;
      if (BN % kPass != 0 && n >= BN) break;
      const bool inside = real && column0 + n < p.columns;
      copy(chunk_at(b, n, column), inside ? w + int64_t{n} * p.ci_pitch : static_cast<const T*>(p.w), inside);
    }
    const int32_t per_tap = p.ci_pitch / kElements;
    r.chunk += kChunks;
    while (r.chunk >= per_tap) {
      r.chunk -= per_tap;
      ++r.tap;
    }
  }

  CTCONV_HD static void multiply(int32_t stage, int32_t thread, const Shared& s, Registers& r) {
    unsigned char* a = s.panels + size_t{static_cast<uint32_t>(stage)} * (BM + BN) * kRow;
    unsigned char* b = a + BM * kRow;
    const int32_t warp = thread / 32, lane = thread % 32, m0 = warp / WN * kTM, n0 = warp % WN * kTN;
#ifdef __CUDA_ARCH__
    CTCONV_UNROLL
    for (int k = 0; k < kChunks / 2; ++k) {
      uint32_t af[kTM / 16][4], bf[kTN / 8][2];
      CTCONV_UNROLL
      for (int i = 0; i < kTM / 16; ++i) {
        load4(chunk_at(a, m0 + i * 16 + (lane & 15), 2 * k + (lane >> 4)), af[i]);
      }
      if constexpr (kTN == 8) {
        load2(chunk_at(b, n0 + (lane & 7), 2 * k + (lane >> 3 & 1)), bf[0]);
      } else {
        CTCONV_UNROLL
        for (int j = 0; j < kTN / 16; ++j) {
          uint32_t four[4];
          load4(chunk_at(b, n0 + j * 16 + (lane >> 4) * 8 + (lane & 7), 2 * k + (lane >> 3 & 1)), four);
          bf[2 * j][0] = four[0];
          bf[2 * j][1] = four[1];
          bf[2 * j + 1][0] = four[2];
          bf[2 * j + 1][1] = four[3];
        }
      }
      if constexpr (sizeof(T) == 4) {
        CTCONV_UNROLL
        for (auto& f : af) {
          CTCONV_UNROLL
          for (uint32_t& v : f) v = __float_as_uint(round_to_tf32(__uint_as_float(v)));
        }
        CTCONV_UNROLL
        for (auto& f : bf) {
          CTCONV_UNROLL
          for (uint32_t& v : f) v = __float_as_uint(round_to_tf32(__uint_as_float(v)));
        }
      }
      CTCONV_UNROLL
      for (int i = 0; i < kTM / 16; ++i) {
        CTCONV_UNROLL
        for (int j = 0; j < kTN / 8; ++j) product(r.acc[i][j], af[i], bf[j]);
      }
    }
#else
    // The same sums element by element, at the places mma.m16n8 keeps them.
    for (int i = 0; i < kTM / 16; ++i) {
      for (int j = 0; j < kTN / 8; ++j) {
        for (int e = 0; e < 4; ++e) {
          const int32_t m = m0 + i * 16 + lane / 4 + e / 2 * 8, n = n0 + j * 8 + lane % 4 * 2 + e % 2;
          for (int k = 0; k < kChunks * kElements; ++k) {
            const auto at = [&](unsigned char* panel, int32_t row) {
              const float v = widen(reinterpret_cast<const T*>(chunk_at(panel, row, k / kElements))[k % kElements]);
              return sizeof(T) == 4 ? round_to_tf32(v) : v;
            };
            r.acc[i][j][e] = fused(at(a, m), at(b, n), r.acc[i][j][e]);
          }
        }
      }
    }
#endif
  }

  CTCONV_HD static void stage_sums(const GemmParams& p, int32_t thread, Shared& s, const Registers& r) {
    const int32_t warp = thread / 32, lane = thread % 32, m0 = warp / WN * kTM, n0 = warp % WN * kTN;
    CTCONV_UNROLL
    for (int i = 0; i < kTM / 16; ++i) {
      CTCONV_UNROLL
      for (int j = 0; j < kTN / 8; ++j) {
        CTCONV_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int32_t m = m0 + i * 16 + lane / 4 + e / 2 * 8, n = n0 + j * 8 + lane % 4 * 2 + e % 2;
          s.sums[gemm_sum_at<BM, BN>(p.channels_fastest, m, n)] = r.acc[i][j][e];
        }
      }
    }
  }

#ifdef __CUDACC__
 private:
  __device__ __forceinline__ static void load4(const unsigned char* from, uint32_t (&to)[4]) {
    const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(from));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(at)
                 : "memory");
  }
  __device__ __forceinline__ static void load2(const unsigned char* from, uint32_t (&to)[2]) {
    const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(from));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(at)
                 : "memory");
  }
  __device__ __forceinline__ static void product(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (sizeof(T) == 4) {
      asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
          "%2, %3};"
          : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    } else if constexpr (std::is_same_v<T, F16>) {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
          "%2, %3};"
          : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    } else {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
          "%2, %3};"
          : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
  }
#endif
};

}  // namespace ctconv::cuda
