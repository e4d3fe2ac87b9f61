// probe: loops whose only use is their time: chains of multiply-adds, and memory read, written and copied.
//
//   in:  a thread's own start, the round count, or a buffer of 16-byte lines
//   out: the chains' sum, the lines read folded into one word, lines written
//   A chain is v <- v*a + b; kProbeChains of them are independent, so latency hides behind the others.
//   Refuses nothing. The same source runs in the tests on the CPU.
#pragma once

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
