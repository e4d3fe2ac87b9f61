// SPDX-License-Identifier: Apache-2.0
// gemm: implicit GEMM by fused multiply-adds, each element one chain in the reference's order: the reference's bits.
//
//   in:  x with its own strides (rows along w should be contiguous), weights packed [g][ci][tap][co]
//   out: y = act(sum + bias) of one phase tile (gemm.h)
//   K runs over ci, then the phase's taps d, h, w. kDepth rows of A [k][BM] and B [k][BN] lie in shared memory, kStages
//   deep. f32 and f64 get there by asynchronous copies, 16-bit types through registers, where they are widened.
//   A tap outside x is no product at all. Where the weights of a step are finite, zeros give the same bits but for the
//   sign of a sum that is zero, which only a bias of -0 shows. Else, and with such a bias, products that do not exist
//   are left out one by one (Inf and NaN in w stay honest).
//   With split > 1 K is cut among the blocks of a cluster: other bits, same for every run.
#pragma once

#include "cuda/kernels/gemm.h"

namespace ctconv::cuda {

template <class T, int BM, int BN, int TM, int TN>
struct GemmFma {
  using Acc = Accumulator<T>;
  static constexpr int kBM = BM, kBN = BN, kThreads = BM / TM * (BN / TN), kDepth = 8;
  // A: each thread kA rows of K at one position; B: the first kThreadsB threads 4 columns of one row.
  static constexpr int kA = kDepth * BM / kThreads, kB = 4, kThreadsB = kDepth * BN / kB;
  static constexpr int kWide = 16 / sizeof(Acc);  // of a panel
  static constexpr bool kAsync = std::is_same_v<T, Acc>;
  static constexpr int kStages = kAsync ? 4 : 2, kSlots = 2 * kStages;
  static_assert(kThreads % BM == 0 && kThreadsB <= kThreads && TM % 4 == 0 && TN % 4 == 0);

  struct Step {
    int32_t x, w;  // of one tap: how far below the place its input lies; its row of weights
  };
  struct alignas(
      16) Row {  // one k of a step: offsets in x and w; its tap's bit and word in `inside`, 0: behind the last k
    int32_t x, w;
    uint32_t bit;
    int32_t word;
  };
  struct Shared {
    GemmPlace* place;
    int64_t* y_offset;
    GemmColumn<Acc>* column;
    GemmTap* tap;
    Step* step;
    uint32_t* inside;  // [taps / 32][BM]: bit j: tap j of the position lies inside x
    Row* row;          // [kSlots][kDepth]
    Acc *a, *b;        // [kStages][kDepth][BM], [kStages][kDepth][BN]
    Acc* sums;         // the same memory as a and b
  };
  struct Registers {
    Acc acc[TM][TN];
    Acc a[kA], b[kB];  // unused by asynchronous copies
    int32_t x, w;      // offsets of the thread's position and columns
    int32_t real;      // of its 4 columns; -1: all of them in one aligned piece
  };

  static constexpr size_t kPanels = kStages * kDepth * (BM + BN) * sizeof(Acc);
  static constexpr size_t kSums = gemm_sums<BM, BN>() * sizeof(Acc);
  static constexpr size_t kBody = kPanels > kSums ? kPanels : kSums;
  CTCONV_HD static size_t shared_bytes(int32_t most_taps) {
    return kBody + kSlots * kDepth * sizeof(Row) + BM * (sizeof(GemmPlace) + sizeof(int64_t)) +
           BN * sizeof(GemmColumn<Acc>) + static_cast<size_t>(most_taps) * (sizeof(GemmTap) + sizeof(Step)) +
           static_cast<size_t>((most_taps + 31) / 32) * BM * sizeof(uint32_t);
  }
  CTCONV_HD static Shared carve(unsigned char* raw, int32_t most_taps) {
    Shared s;
    s.a = s.sums = reinterpret_cast<Acc*>(raw);
    s.b = s.a + kStages * kDepth * BM;
    raw += kBody;
    s.row = reinterpret_cast<Row*>(raw);
    raw += kSlots * kDepth * sizeof(Row);
    s.place = reinterpret_cast<GemmPlace*>(raw);
    raw += BM * sizeof(GemmPlace);
    s.y_offset = reinterpret_cast<int64_t*>(raw);
    raw += BM * sizeof(int64_t);
    s.column = reinterpret_cast<GemmColumn<Acc>*>(raw);
    raw += BN * sizeof(GemmColumn<Acc>);
    s.step = reinterpret_cast<Step*>(raw);
    raw += static_cast<size_t>(most_taps) * sizeof(Step);
    s.inside = reinterpret_cast<uint32_t*>(raw);
    raw += static_cast<size_t>((most_taps + 31) / 32) * BM * sizeof(uint32_t);
    s.tap = reinterpret_cast<GemmTap*>(raw);
    return s;
  }

  // Steps of kDepth of this rank: [first, last).
  CTCONV_HD static void steps(const GemmParams& p, const GemmPhase& f, int32_t rank, int32_t* first, int32_t* last) {
    const int32_t all = (p.ci * f.count + kDepth - 1) / kDepth, share = (all + p.split - 1) / p.split;
    *first = rank * share < all ? rank * share : all;
    *last = (rank + 1) * share < all ? (rank + 1) * share : all;
  }

  // Fills the tables; a barrier, then `start`. True where a bias of this thread's columns is -0.
  CTCONV_HD static bool begin(const GemmParams& p, const GemmTile& t, const GemmPhase& f, int32_t thread, Shared& s) {
    for (int32_t m = thread; m < BM; m += kThreads) gemm_place(p, f, t.tile_m * BM + m, &s.place[m], &s.y_offset[m]);
    bool negative_zero = false;
    for (int32_t n = thread; n < BN; n += kThreads) {
      s.column[n] = gemm_column<T, BN>(p, t, n);
      negative_zero = negative_zero || (s.column[n].bias == Acc(0) && Acc(1) / s.column[n].bias < Acc(0));
    }
    for (int32_t j = thread; j < f.count; j += kThreads) {
      s.tap[j] = gemm_tap(p, f, j);
      s.step[j] = {s.tap[j].offset, s.tap[j].row};
    }
    return negative_zero;
  }
  // A second barrier follows.
  CTCONV_HD static void start(const GemmParams& p, const GemmTile& t, const GemmPhase& f, int32_t first, int32_t thread,
                              Shared& s, Registers& r) {
    static_assert(kStages * kDepth <= kThreads);
    CTCONV_UNROLL
    for (int m = 0; m < TM; ++m) {
      CTCONV_UNROLL
      for (int n = 0; n < TN; ++n) r.acc[m][n] = Acc(0);
    }
    const int32_t m = thread % BM, column = t.tile_n * gemm_tile_columns<BN>(p) + thread % (BN / kB) * kB;
    r.real = column < p.columns ? (p.columns - column < kB ? p.columns - column : kB) : 0;
    if (sizeof(T) <= 4 && r.real == kB && p.vector_weights && column % kB == 0) r.real = -1;
    if (thread >= kThreadsB) r.real = 0;
    r.x = s.place[m].offset + static_cast<int32_t>(t.group * p.x_group);
    r.w = t.group * p.ci * p.weight_taps * p.columns + column;
    plan_rows(p, f, first, 0, thread, s);
    for (int32_t j0 = thread / BM * 32; j0 < f.count; j0 += kThreads / BM * 32) {
      uint32_t word = 0;
      for (int32_t j = j0; j < f.count && j < j0 + 32; ++j) {
        word |= static_cast<uint32_t>(gemm_inside(p, s.place[m], s.tap[j])) << (j - j0);
      }
      s.inside[j0 / 32 * BM + m] = word;
    }
  }

  // The rows of kStages steps, `ahead` behind the first, into their slots: by a few threads for all.
  CTCONV_HD static void plan_rows(const GemmParams& p, const GemmPhase& f, int32_t first, int32_t ahead, int32_t thread,
                                  Shared& s) {
    if (thread >= kStages * kDepth) return;
    Row row{0, 0, 0, 0};
    const int32_t at = (first + ahead) * kDepth + thread;
    if (at < p.ci * f.count) {
      const int32_t ci = at / f.count, tap = at - ci * f.count;
      row = {ci * p.channel_step - s.step[tap].x, (ci * p.weight_taps + s.step[tap].w) * p.columns, 1u << (tap % 32),
             tap / 32 * BM};
    }
    s.row[ahead % kSlots * kDepth + thread] = row;
  }

  CTCONV_HD static void elements_b(const T* w, bool there, const Registers& r, Acc (&b)[kB]) {
    if (r.real < 0) {
      Pack<T, kB> pack{};
      if (there) pack = *reinterpret_cast<const Pack<T, kB>*>(w);
      CTCONV_UNROLL
      for (int e = 0; e < kB; ++e) b[e] = Acc(widen(pack.v[e]));
      return;
    }
    CTCONV_UNROLL
    for (int e = 0; e < kB; ++e) {
      b[e] = Acc(0);
      if (there && e < r.real) b[e] = Acc(widen(w[e]));
    }
  }

  // The elements of the step planned in `slot` into registers; a tap outside x, and what lies behind the last k, is
  // zero. Returns whether every weight of it is finite: only then zeros may stand for products that do not exist.
  CTCONV_HD static bool fetch(const GemmParams& p, int32_t slot, int32_t thread, const Shared& s, Registers& r) {
    const int32_t m = thread % BM;
    const Row* rows = s.row + slot * kDepth;
    bool finite = true;
    CTCONV_UNROLL
    for (int e = 0; e < kA; ++e) {
      const Row row = rows[thread / BM * kA + e];
      r.a[e] = Acc(0);
      if (s.inside[row.word + m] & row.bit) r.a[e] = Acc(widen(static_cast<const T*>(p.x)[r.x + row.x]));
    }
    if (thread < kThreadsB) {
      const Row row = rows[thread / (BN / kB)];
      elements_b(static_cast<const T*>(p.w) + (row.w + r.w), row.bit != 0, r, r.b);
      CTCONV_UNROLL
      for (int e = 0; e < kB; ++e) finite = finite && r.b[e] - r.b[e] == Acc(0);
    }
    return finite;
  }

  CTCONV_HD static void stash(int32_t buffer, int32_t thread, Shared& s, const Registers& r) {
    Acc* a = s.a + (buffer * kDepth + thread / BM * kA) * BM + thread % BM;
    CTCONV_UNROLL
    for (int e = 0; e < kA; ++e) a[e * BM] = r.a[e];
    if (thread >= kThreadsB) return;
    Acc* b = s.b + (buffer * kDepth + thread / (BN / kB)) * BN + thread % (BN / kB) * kB;
    CTCONV_UNROLL
    for (int e = 0; e < kB; e += kWide) {
      Pack<Acc, kWide> pack;
      CTCONV_UNROLL
      for (int v = 0; v < kWide; ++v) pack.v[v] = r.b[e + v];
      *reinterpret_cast<Pack<Acc, kWide>*>(b + e) = pack;
    }
  }

  // kBytes of one element or piece straight into shared memory, or zeros.
  template <int kBytes>
  CTCONV_HD static void copy(Acc* to, const T* from, bool real) {
#ifdef __CUDA_ARCH__
    const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(to));
    const int bytes = real ? kBytes : 0;
    if constexpr (kBytes == 16) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
    } else {
      asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(at), "l"(from), "r"(bytes), "n"(kBytes)
                   : "memory");
    }
#else
    std::memset(static_cast<void*>(to), 0, kBytes);
    if (real) std::memcpy(static_cast<void*>(to), from, kBytes);
#endif
  }

  CTCONV_HD static Row read(const Row* from) {  // 16 bytes at once
    const auto v = *reinterpret_cast<const Pack<int32_t, 4>*>(from);
    return {v.v[0], v.v[1], static_cast<uint32_t>(v.v[2]), v.v[3]};
  }

  // Starts the copies of the step planned in `slot` into `stage`; the same values as fetch and stash.
  CTCONV_HD static void fetch_async(const GemmParams& p, int32_t stage, int32_t slot, int32_t thread, Shared& s,
                                    const Registers& r) {
    const int32_t m = thread % BM;
    const Row* rows = s.row + slot * kDepth;
    Acc* a = s.a + (stage * kDepth + thread / BM * kA) * BM + m;
    Row row[kA];
    bool inside[kA];
    CTCONV_UNROLL
    for (int e = 0; e < kA; ++e) row[e] = read(rows + thread / BM * kA + e);
    const Row row_b = read(rows + thread / (BN / kB) % kDepth);
    CTCONV_UNROLL
    for (int e = 0; e < kA; ++e) inside[e] = (s.inside[row[e].word + m] & row[e].bit) != 0;
    CTCONV_UNROLL
    for (int e = 0; e < kA; ++e) {
      copy<sizeof(T)>(a + e * BM, static_cast<const T*>(p.x) + (inside[e] ? r.x + row[e].x : 0), inside[e]);
    }
    if (thread >= kThreadsB) return;
    Acc* b = s.b + (stage * kDepth + thread / (BN / kB)) * BN + thread % (BN / kB) * kB;
    const bool there = row_b.bit != 0;
    const T* w = static_cast<const T*>(p.w);
    if (sizeof(T) == 4 && r.real < 0) {
      copy<16>(b, w + (there ? row_b.w + r.w : 0), there);
    } else {
      CTCONV_UNROLL
      for (int e = 0; e < kB; ++e) {
        const bool real = there && e < r.real;
        copy<sizeof(T)>(b + e, w + (real ? row_b.w + r.w + e : 0), real);
      }
    }
  }
  // Whether the weights this thread copied into `stage` are finite; its copies have landed.
  CTCONV_HD static bool landed_finite(int32_t stage, int32_t thread, const Shared& s) {
    if (thread >= kThreadsB) return true;
    const Acc* b = s.b + (stage * kDepth + thread / (BN / kB)) * BN + thread % (BN / kB) * kB;
    bool finite = true;
    Acc v[kB];
    CTCONV_UNROLL
    for (int e = 0; e < kB; e += kWide) load(v + e, b + e);
    CTCONV_UNROLL
    for (int e = 0; e < kB; ++e) finite = finite && v[e] - v[e] == Acc(0);
    return finite;
  }

  // Positions and channels of a thread lie in groups of 4: group e at e * 4 * (threads along the axis). A warp is 8
  // threads along positions by 4 along channels: it reads the fewest bytes of the panels.
  static constexpr int kThreadsM = BM / TM, kThreadsN = BN / TN;
  static_assert(kThreadsM % 8 == 0 && kThreadsN % 4 == 0);
  CTCONV_HD static int32_t thread_m(int32_t thread) { return thread / 32 / (kThreadsN / 4) * 8 + thread % 32 / 4; }
  CTCONV_HD static int32_t thread_n(int32_t thread) { return thread / 32 % (kThreadsN / 4) * 4 + thread % 4; }
  CTCONV_HD static int32_t row_of(int32_t thread, int e) { return (e / 4 * kThreadsM + thread_m(thread)) * 4 + e % 4; }
  CTCONV_HD static int32_t column_of(int32_t thread, int e) {
    return (e / 4 * kThreadsN + thread_n(thread)) * 4 + e % 4;
  }

  CTCONV_HD static void load(Acc* to, const Acc* from) {
    const auto pack = *reinterpret_cast<const Pack<Acc, kWide>*>(from);
    CTCONV_UNROLL
    for (int e = 0; e < kWide; ++e) to[e] = pack.v[e];
  }

  CTCONV_HD static void multiply(int32_t buffer, int32_t thread, const Shared& s, Registers& r) {
    const Acc* panel_a = s.a + buffer * kDepth * BM + row_of(thread, 0);
    const Acc* panel_b = s.b + buffer * kDepth * BN + column_of(thread, 0);
    CTCONV_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      Acc a[TM], b[TN];
      CTCONV_UNROLL
      for (int e = 0; e < TM; e += kWide) load(a + e, panel_a + k * BM + row_of(0, e));
      CTCONV_UNROLL
      for (int e = 0; e < TN; e += kWide) load(b + e, panel_b + k * BN + column_of(0, e));
      CTCONV_UNROLL
      for (int m = 0; m < TM; ++m) {
        CTCONV_UNROLL
        for (int n = 0; n < TN; ++n) r.acc[m][n] = fused(a[m], b[n], r.acc[m][n]);
      }
    }
  }

  // The same where a weight of the step is Inf or NaN, or a bias is -0: products that do not exist are left out.
  CTCONV_HD static void multiply_honestly(const GemmParams& p, const GemmPhase& f, int32_t step, int32_t buffer,
                                          int32_t thread, const Shared& s, Registers& r) {
    CTCONV_NO_UNROLL
    for (int k = 0; k < kDepth; ++k) {
      if ((step * kDepth + k) / f.count >= p.ci) break;
      const GemmTap tap = s.tap[(step * kDepth + k) % f.count];
      CTCONV_UNROLL
      for (int m = 0; m < TM; ++m) {
        if (!gemm_inside(p, s.place[row_of(thread, m)], tap)) continue;
        const Acc a = s.a[(buffer * kDepth + k) * BM + row_of(thread, m)];
        CTCONV_UNROLL
        for (int n = 0; n < TN; ++n) {
          r.acc[m][n] = fused(a, s.b[(buffer * kDepth + k) * BN + column_of(thread, n)], r.acc[m][n]);
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
