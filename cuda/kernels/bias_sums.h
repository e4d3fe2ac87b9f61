// SPDX-License-Identifier: Apache-2.0
// bias-sums: the gradient of the bias, chain by chain; weights_add (weights.h) adds the chains.
//
//   in:  y (the gradient of the output) by its strides
//   out: sums[chain][channel], accumulators: kChain places (n, o) of the core in a row, added one by one from +0
//   A row is a channel's chain; channels are neighbours. A block owns kRows rows and brings kPlaces places of each into
//   shared memory at a time: reads run along places, or along channels where they lie together. Then one thread a row
//   adds in order: the reference's bits.   refuses: nothing; beyond 31 bits places are divided for in 64 bits
#pragma once

#include "cuda/index.h"
#include "cuda/kernels/weights.h"

namespace ctconv::cuda {

struct BiasParams {
  const void* y;
  void* sums;
  int64_t channels, places, rows;  // rows: channels * chains
  int64_t o[3], ys[5];
  Divider by_o[3], by_channels;
  int32_t wide;  // 2^31 places or rows, or more
  int32_t channels_fastest;
};

template <class T>
struct BiasSums {
  using Acc = Accumulator<T>;
  static constexpr int kRows = 32, kPlaces = 32, kThreads = 256, kLoads = kRows * kPlaces / kThreads;
  struct Shared {
    Acc v[kRows][kPlaces + 1];
  };
  struct Registers {
    Acc v[kLoads];
    Acc part;
  };

  CTCONV_HD static int64_t offset_of(const BiasParams& p, int64_t place) {
    if (!p.wide) {
      auto rest = static_cast<uint32_t>(place);
      const uint32_t w = p.by_o[2].split(&rest), h = p.by_o[1].split(&rest), d = p.by_o[0].split(&rest);
      return rest * p.ys[0] + d * p.ys[2] + h * p.ys[3] + w * p.ys[4];
    }
    const int64_t w = place % p.o[2], row = place / p.o[2], h = row % p.o[1], plane = row / p.o[1];
    return plane / p.o[0] * p.ys[0] + plane % p.o[0] * p.ys[2] + h * p.ys[3] + w * p.ys[4];
  }

  struct Row {
    int64_t channel, first;  // its first place
    bool real;
  };
  CTCONV_HD static Row row_at(const BiasParams& p, int64_t row) {
    if (row >= p.rows) return {0, 0, false};
    if (p.wide) return {row % p.channels, row / p.channels * kChain, true};
    auto chain = static_cast<uint32_t>(row);
    const uint32_t channel = p.by_channels.split(&chain);
    return {channel, int64_t{chain} * kChain, true};
  }

  // Places of a row from `at` on that exist: 0 to kPlaces.
  CTCONV_HD static int32_t left(const BiasParams& p, const Row& row, int32_t at) {
    const int64_t left = p.places - row.first - at;
    return !row.real || left <= 0 ? 0 : left < kPlaces ? static_cast<int32_t>(left) : kPlaces;
  }

  CTCONV_HD static void start(Registers& r) { r.part = Acc(0); }

  CTCONV_HD static void fetch(const BiasParams& p, int64_t row0, int32_t at, int32_t thread, Registers& r) {
    CTCONV_UNROLL
    for (int e = 0; e < kLoads; ++e) {
      const int32_t n = e * kThreads + thread;
      const int32_t place = p.channels_fastest ? n / kRows : n % kPlaces;
      const Row row = row_at(p, row0 + (p.channels_fastest ? n % kRows : n / kPlaces));
      r.v[e] = Acc(0);
      if (place < left(p, row, at)) {
        const T* y = static_cast<const T*>(p.y) + row.channel * p.ys[1];
        r.v[e] = widen(y[offset_of(p, row.first + at + place)]);
      }
    }
  }

  CTCONV_HD static void stash(const BiasParams& p, int32_t thread, Shared& s, const Registers& r) {
    CTCONV_UNROLL
    for (int e = 0; e < kLoads; ++e) {
      const int32_t n = e * kThreads + thread;
      const int32_t place = p.channels_fastest ? n / kRows : n % kPlaces;
      s.v[p.channels_fastest ? n % kRows : n / kPlaces][place] = r.v[e];
    }
  }

  CTCONV_HD static void add(const BiasParams& p, int64_t row0, int32_t at, int32_t thread, const Shared& s,
                            Registers& r) {
    if (thread >= kRows) return;
    const int32_t end = left(p, row_at(p, row0 + thread), at);
    for (int32_t k = 0; k < end; ++k) r.part = r.part + s.v[thread][k];
  }

  CTCONV_HD static void write(const BiasParams& p, int64_t row0, int32_t thread, const Registers& r) {
    if (thread < kRows && row0 + thread < p.rows) static_cast<Acc*>(p.sums)[row0 + thread] = r.part;
  }
};

}  // namespace ctconv::cuda
