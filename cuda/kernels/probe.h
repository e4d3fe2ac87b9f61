// SPDX-License-Identifier: Apache-2.0
// probe: loops whose only use is their time: chains of multiply-adds, and memory read, written and copied.
//
//   in:  a thread's own start, the round count, or a buffer of 16-byte lines
//   out: the chains' sum, the lines read folded into one word, lines written, lines of random numbers
//   A chain is v <- v*a + b; kProbeChains of them are independent, so latency hides behind the others.
//   Refuses nothing. The same source runs in the tests on the CPU.
#pragma once

#include "cuda/module.h"
#include "cuda/scalar.h"

namespace ctconv::cuda {

constexpr int kProbeThreads = 256;
constexpr int kProbeChains = 8, kProbeSteps = 16;  // a round: each chain, that many steps
constexpr int kProbeTiles = 4;                     // independent tile products of a warp
constexpr int kProbeAhead = 4;                     // lines a thread has under way

// Operations of one thread's round of chains, and of one warp's round of tile products 16 x 16 x depth.
constexpr double probe_chain_flop() { return 2.0 * kProbeChains * kProbeSteps; }
constexpr double probe_tile_flop(int depth) { return 2.0 * kProbeTiles * kProbeSteps * 16 * 16 * depth; }

using ProbeLine = Pack<uint32_t, 4>;

template <class T>
CTCONV_HD T probe_chains(T start, T a, T b, int rounds) {
  T v[kProbeChains];
  CTCONV_UNROLL
  for (int c = 0; c < kProbeChains; ++c) v[c] = start + static_cast<T>(c);
  CTCONV_NO_UNROLL
  for (int round = 0; round < rounds; ++round) {
    CTCONV_UNROLL
    for (int step = 0; step < kProbeSteps; ++step) {
      CTCONV_UNROLL
      for (int c = 0; c < kProbeChains; ++c) v[c] = fused(v[c], a, b);
    }
  }
  T sum = 0;
  CTCONV_UNROLL
  for (int c = 0; c < kProbeChains; ++c) sum += v[c];
  return sum;
}

// Lines first, first + step, ... below count.
CTCONV_HD void probe_write(ProbeLine* to, int64_t first, int64_t step, int64_t count) {
  for (int64_t at = first; at < count; at += step) {
    const auto word = static_cast<uint32_t>(at);
    to[at] = {{word, word + 1, word + 2, word + 3}};
  }
}

// Bits of a word that are drawn, and bits that are set: finite numbers of half the bits, so that products cost the
// power
// that data costs. Index 1: odd words, the upper halves of f64.
struct ProbeNumbers {
  uint32_t drawn[2], set[2];
};

inline ProbeNumbers probe_numbers(int32_t dtype) {
  switch (dtype) {
    case CTCONV_CUDA_F16:
      return {{0x83ff83ff, 0x83ff83ff}, {0x38003800, 0x38003800}};
    case CTCONV_CUDA_BF16:
      return {{0x807f807f, 0x807f807f}, {0x3f003f00, 0x3f003f00}};
    case CTCONV_CUDA_F64:
      return {{0xffffffff, 0x800fffff}, {0, 0x3fe00000}};
    default:
      return {{0x807fffff, 0x807fffff}, {0x3f000000, 0x3f000000}};
  }
}

CTCONV_HD uint32_t probe_draw(uint64_t at) {
  uint64_t v = (at + 1) * 0x9e3779b97f4a7c15ull;
  v = (v ^ (v >> 29)) * 0xbf58476d1ce4e5b9ull;
  return static_cast<uint32_t>(v >> 32);
}

// Lines of numbers in +-[0.5, 1).
CTCONV_HD void probe_fill(ProbeLine* to, const ProbeNumbers& numbers, int64_t first, int64_t step, int64_t count) {
  for (int64_t at = first; at < count; at += step) {
    ProbeLine line;
    CTCONV_UNROLL
    for (int e = 0; e < 4; ++e) {
      line.v[e] = (probe_draw(static_cast<uint64_t>(4 * at + e)) & numbers.drawn[e % 2]) | numbers.set[e % 2];
    }
    to[at] = line;
  }
}

CTCONV_HD uint32_t probe_fold(const ProbeLine& line) { return line.v[0] ^ line.v[1] ^ line.v[2] ^ line.v[3]; }

CTCONV_HD uint32_t probe_read(const ProbeLine* from, int64_t first, int64_t step, int64_t count) {
  uint32_t all = 0;
  int64_t at = first;
  for (; at + (kProbeAhead - 1) * step < count; at += kProbeAhead * step) {
    ProbeLine line[kProbeAhead];
    CTCONV_UNROLL
    for (int e = 0; e < kProbeAhead; ++e) line[e] = from[at + e * step];
    CTCONV_UNROLL
    for (int e = 0; e < kProbeAhead; ++e) all ^= probe_fold(line[e]);
  }
  for (; at < count; at += step) all ^= probe_fold(from[at]);
  return all;
}

CTCONV_HD void probe_copy(const ProbeLine* from, ProbeLine* to, int64_t first, int64_t step, int64_t count) {
  int64_t at = first;
  for (; at + (kProbeAhead - 1) * step < count; at += kProbeAhead * step) {
    ProbeLine line[kProbeAhead];
    CTCONV_UNROLL
    for (int e = 0; e < kProbeAhead; ++e) line[e] = from[at + e * step];
    CTCONV_UNROLL
    for (int e = 0; e < kProbeAhead; ++e) to[at + e * step] = line[e];
  }
  for (; at < count; at += step) to[at] = from[at];
}

}  // namespace ctconv::cuda
