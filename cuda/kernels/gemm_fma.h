// gemm: implicit GEMM by fused multiply-adds, each element one chain in the reference's order: the reference's bits.
//
//   in:  x with its own strides (rows along w should be contiguous), weights packed [g][ci][tap][co]
//   out: y = act(sum + bias) of one phase tile (gemm.h)
//   K runs over ci, then the phase's taps d, h, w. kDepth rows of A [k][BM] and B [k][BN] lie in shared memory, twice.
//   A tap outside x is no product at all: a mask tells such positions (Inf and NaN in w stay honest). Tiles without one
//   skip the mask.
//   With split > 1 K is cut among the blocks of a cluster: other bits, same for every run.
#pragma once

#include "cuda/kernels/gemm.h"

namespace ctconv::cuda {

template <class T, int BM, int BN, int TM, int TN>
struct GemmFma {
  using Acc = Accumulator<T>;
  static constexpr int kBM = BM, kBN = BN, kThreads = BM / TM * (BN / TN), kWarps = kThreads / 32, kDepth = 8;
  static constexpr int kRows = kDepth / kWarps > 0 ? kDepth / kWarps : 1;  // rows of K a warp fetches
  static constexpr int kA = BM / 32, kB = BN / 32;                         // elements a lane fetches of each row
  static_assert(kDepth % kWarps == 0 && BM % 32 == 0 && BN % 32 == 0 && TM % 4 == 0 && TN % 4 == 0);

  struct Shared {
    GemmPlace* place;
    int64_t* y_offset;
    GemmColumn* column;
    GemmTap* tap;
    uint32_t* mask;  // [2][kDepth][kA]
    Acc *a, *b;      // [2][kDepth][BM], [2][kDepth][BN]
    Acc* sums;       // the same memory as a and b
  };
  struct Registers {
    Acc acc[TM][TN];
    Acc a[kRows][kA], b[kRows][kB];
    uint32_t inside[kRows];  // bit e: the lane's e-th position
    int32_t ci[kRows], tap[kRows];
  };

  static constexpr size_t kPanels = 2 * kDepth * (BM + BN) * sizeof(Acc);
  static constexpr size_t kSums = gemm_sums<BM, BN>() * sizeof(Acc);
  CTCONV_HD static size_t shared_bytes(int32_t most_taps) {
    const size_t head =
        BM * (sizeof(GemmPlace) + sizeof(int64_t)) + BN * sizeof(GemmColumn) + 2 * kDepth * kA * sizeof(uint32_t);
    return (kPanels > kSums ? kPanels : kSums) + head + static_cast<size_t>(most_taps) * sizeof(GemmTap);
  }
  CTCONV_HD static Shared carve(unsigned char* raw) {
    Shared s;
    s.a = s.sums = reinterpret_cast<Acc*>(raw), s.b = s.a + 2 * kDepth * BM;
    raw += kPanels > kSums ? kPanels : kSums;
    s.place = reinterpret_cast<GemmPlace*>(raw), raw += BM * sizeof(GemmPlace);
    s.y_offset = reinterpret_cast<int64_t*>(raw), raw += BM * sizeof(int64_t);
    s.column = reinterpret_cast<GemmColumn*>(raw), raw += BN * sizeof(GemmColumn);
    s.mask = reinterpret_cast<uint32_t*>(raw), raw += 2 * kDepth * kA * sizeof(uint32_t);
    s.tap = reinterpret_cast<GemmTap*>(raw);
    return s;
  }

  // Steps of kDepth of this rank: [first, last).
  CTCONV_HD static void steps(const GemmParams& p, const GemmPhase& f, int32_t rank, int32_t* first, int32_t* last) {
    const int32_t all = (p.ci * f.count + kDepth - 1) / kDepth, share = (all + p.split - 1) / p.split;
    *first = rank * share < all ? rank * share : all;
    *last = (rank + 1) * share < all ? (rank + 1) * share : all;
  }

  CTCONV_HD static void begin(const GemmParams& p, const GemmTile& t, const GemmPhase& f, int32_t first, int32_t thread,
                              Shared& s, Registers& r) {
    for (int32_t m = thread; m < BM; m += kThreads) gemm_place(p, f, t.tile_m * BM + m, &s.place[m], &s.y_offset[m]);
    for (int32_t n = thread; n < BN; n += kThreads) s.column[n] = gemm_column<BN>(p, t, n);
    for (int32_t j = thread; j < f.count; j += kThreads) s.tap[j] = gemm_tap(p, f, j);
    CTCONV_UNROLL
    for (int m = 0; m < TM; ++m) {
      CTCONV_UNROLL
      for (int n = 0; n < TN; ++n) r.acc[m][n] = Acc(0);
    }
    CTCONV_UNROLL
    for (int e = 0; e < kRows; ++e) {
      const int32_t k = first * kDepth + thread / 32 + e * kWarps;
      r.ci[e] = f.count > 0 ? k / f.count : 0, r.tap[e] = f.count > 0 ? k % f.count : 0;
    }
  }

  // Rows of K of the next step into registers; returns whether every product of them has its input.
  CTCONV_HD static bool fetch(const GemmParams& p, const GemmTile& t, const GemmPhase& f, int32_t thread,
                              const Shared& s, Registers& r) {
    const int32_t lane = thread % 32;
    const T* x = static_cast<const T*>(p.x) + t.group * p.x_group;
    const int32_t column0 = t.tile_n * gemm_tile_columns<BN>(p);
    const T* w = static_cast<const T*>(p.w) + int64_t{t.group} * p.ci * p.weight_taps * p.columns + column0;
    bool whole = true;
    CTCONV_UNROLL
    for (int e = 0; e < kRows; ++e) {
      const bool real = r.ci[e] < p.ci;
      const GemmTap tap = real ? s.tap[r.tap[e]] : GemmTap{0, 0, 0, 0, 0};
      const T* xk = x + r.ci[e] * p.xs[1] - tap.offset;
      const T* wk = w + (int64_t{r.ci[e]} * p.weight_taps + tap.row) * p.columns;
      r.inside[e] = 0;
      CTCONV_UNROLL
      for (int i = 0; i < kA; ++i) {
        const GemmPlace place = s.place[lane + 32 * i];
        const bool inside = real && gemm_inside(p, place, tap);
        // behind the last position or the last k zeros are multiplied, nobody reads the sum or it stays as it is
        const bool fine = inside || !real || place.d == kNoPlace;
        r.a[e][i] = inside ? Acc(widen(xk[place.offset])) : Acc(0);
        r.inside[e] |= static_cast<uint32_t>(fine) << i;
        whole = whole && fine;
      }
      CTCONV_UNROLL
      for (int i = 0; i < kB; ++i) {
        const int32_t n = lane + 32 * i;
        r.b[e][i] = real && column0 + n < p.columns ? Acc(widen(wk[n])) : Acc(0);
      }
      r.tap[e] += kDepth;
      while (r.tap[e] >= f.count && r.ci[e] < p.ci) r.tap[e] -= f.count, ++r.ci[e];
    }
    return whole;
  }

  CTCONV_HD static void stash(int32_t buffer, int32_t thread, Shared& s, const Registers& r) {
    const int32_t lane = thread % 32;
    CTCONV_UNROLL
    for (int e = 0; e < kRows; ++e) {
      const int32_t row = buffer * kDepth + thread / 32 + e * kWarps;
      CTCONV_UNROLL
      for (int i = 0; i < kA; ++i) {
        s.a[row * BM + lane + 32 * i] = r.a[e][i];
        const bool inside = r.inside[e] >> i & 1u;
#ifdef __CUDA_ARCH__
        const uint32_t word = __ballot_sync(0xffffffffu, inside);
        if (lane == 0) s.mask[row * kA + i] = word;
#else
        uint32_t& word = s.mask[row * kA + i];
        word = (word & ~(1u << lane)) | static_cast<uint32_t>(inside) << lane;
#endif
      }
      CTCONV_UNROLL
      for (int i = 0; i < kB; ++i) s.b[row * BN + lane + 32 * i] = r.b[e][i];
    }
  }

  // Positions and channels of a thread lie in groups of 4: group e at e * 4 * (threads along the axis).
  CTCONV_HD static int32_t row_of(int32_t thread, int e) {
    return (e / 4 * (BM / TM) + thread / (BN / TN)) * 4 + e % 4;
  }
  CTCONV_HD static int32_t column_of(int32_t thread, int e) {
    return (e / 4 * (BN / TN) + thread % (BN / TN)) * 4 + e % 4;
  }

  // 16 bytes of a panel.
  static constexpr int kWide = 16 / sizeof(Acc);
  CTCONV_HD static void load(Acc* to, const Acc* from) {
    const auto pack = *reinterpret_cast<const Pack<Acc, kWide>*>(from);
    CTCONV_UNROLL
    for (int e = 0; e < kWide; ++e) to[e] = pack.v[e];
  }

  CTCONV_HD static void multiply(int32_t buffer, bool whole, int32_t thread, const Shared& s, Registers& r) {
    CTCONV_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      const int32_t row = buffer * kDepth + k;
      Acc a[TM], b[TN];
      CTCONV_UNROLL
      for (int e = 0; e < TM; e += kWide) load(a + e, s.a + row * BM + row_of(thread, e));
      CTCONV_UNROLL
      for (int e = 0; e < TN; e += kWide) load(b + e, s.b + row * BN + column_of(thread, e));
      if (whole) {
        CTCONV_UNROLL
        for (int m = 0; m < TM; ++m) {
          CTCONV_UNROLL
          for (int n = 0; n < TN; ++n) r.acc[m][n] = fused(a[m], b[n], r.acc[m][n]);
        }
      } else {
        CTCONV_UNROLL
        for (int m = 0; m < TM; ++m) {
          const int32_t at = row_of(thread, m);
          if (s.mask[row * kA + at / 32] >> (at % 32) & 1u) {
            CTCONV_UNROLL
            for (int n = 0; n < TN; ++n) r.acc[m][n] = fused(a[m], b[n], r.acc[m][n]);
          }
        }
      }
    }
  }

  CTCONV_HD static void stage(const GemmParams& p, int32_t thread, Shared& s, const Registers& r) {
    CTCONV_UNROLL
    for (int m = 0; m < TM; ++m) {
      CTCONV_UNROLL
      for (int n = 0; n < TN; ++n) {
        s.sums[gemm_sum_at<BM, BN>(p.channels_fastest, row_of(thread, m), column_of(thread, n))] = r.acc[m][n];
      }
    }
  }
};

}  // namespace ctconv::cuda
