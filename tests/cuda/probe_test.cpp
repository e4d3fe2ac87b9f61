// SPDX-License-Identifier: Apache-2.0
// The probes' source on the CPU: what each loop computes and moves, for sizes that do not divide by its steps.
#include "cuda/kernels/probe.h"

#include <algorithm>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <random>
#include <vector>

namespace ctconv::cuda::testing {
namespace {

std::vector<ProbeLine> random_lines(int64_t count) {
  std::mt19937 r(7);
  std::vector<ProbeLine> lines(static_cast<size_t>(count));
  for (ProbeLine& line : lines) {
    for (uint32_t& word : line.v) word = static_cast<uint32_t>(r());
  }
  return lines;
}

bool same(const ProbeLine& a, const ProbeLine& b) { return std::memcmp(a.v, b.v, sizeof a.v) == 0; }

}  // namespace

TEST_CASE("chains: each round is kProbeSteps steps of every chain", "[cuda][kernel]") {
  // with a = 1 and b = 1 every step adds one
  const int rounds = 3;
  double want = 0;
  for (int c = 0; c < kProbeChains; ++c) want += 5 + c + rounds * kProbeSteps;
  CHECK(probe_chains<double>(5, 1, 1, rounds) == want);
  CHECK(probe_chains<float>(5, 1, 1, rounds) == static_cast<float>(want));
  CHECK(probe_chains<float>(5, 1, 1, 0) == 5.0f * kProbeChains + kProbeChains * (kProbeChains - 1) / 2);
  CHECK(probe_chain_flop() == 2.0 * kProbeChains * kProbeSteps);
  // as launched: stays between 0 and the start for every thread, so -1 is never met
  for (int thread = 0; thread < kProbeThreads; ++thread) {
    for (const int n : {0, 1, 2, 100}) CHECK(probe_chains<float>(static_cast<float>(thread), 0.5f, 1, n) > 0);
  }
}

TEST_CASE("memory: every line once, whatever the grid", "[cuda][kernel]") {
  for (const int64_t count : {1, 7, 64, 1000, 4097}) {
    for (const int64_t step : {1, 3, 32, 1024}) {
      const std::vector<ProbeLine> from = random_lines(count);
      std::vector<ProbeLine> copied(from.size() + 1), written(from.size() + 1);
      uint32_t folded = 0, want = 0;
      for (const ProbeLine& line : from) {
        for (const uint32_t word : line.v) want ^= word;
      }
      for (int64_t first = 0; first < step; ++first) {
        probe_copy(from.data(), copied.data(), first, step, count);
        probe_write(written.data(), first, step, count);
        folded ^= probe_read(from.data(), first, step, count);
      }
      CHECK(folded == want);
      bool copies = true, writes = true;
      for (size_t e = 0; e < from.size(); ++e) {
        const auto word = static_cast<uint32_t>(e);
        copies = copies && same(copied[e], from[e]);
        writes = writes && same(written[e], {{word, word + 1, word + 2, word + 3}});
      }
      CHECK(copies);
      CHECK(writes);
      CHECK(same(copied.back(), {}));  // nothing behind the end
      CHECK(same(written.back(), {}));
    }
  }
}

TEST_CASE("filling: every word once, finite numbers of magnitude 0.5 to 1 in every type", "[cuda][kernel]") {
  for (const int64_t count : {1, 63, 1000}) {
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_BF16, CTCONV_CUDA_F64}) {
      std::vector<ProbeLine> lines(static_cast<size_t>(count) + 1);
      for (int thread = 0; thread < 5; ++thread) probe_fill(lines.data(), probe_numbers(dtype), thread, 5, count);
      const auto* words = lines.data()->v;
      CHECK(std::all_of(words + 4 * count, words + 4 * count + 4, [](uint32_t w) { return w == 0; }));
      int negative = 0, all = 0;
      const auto judge = [&](double v) {
        CHECK((std::abs(v) >= 0.5 && std::abs(v) < 1));
        negative += v < 0;
        ++all;
      };
      for (int64_t e = 0; e < 4 * count; ++e) {
        const uint32_t w = words[e];
        if (dtype == CTCONV_CUDA_F32) judge(std::bit_cast<float>(w));
        if (dtype == CTCONV_CUDA_F64 && e % 2) judge(std::bit_cast<double>(uint64_t{w} << 32 | words[e - 1]));
        for (const uint32_t half : {w & 0xffff, w >> 16}) {
          if (dtype == CTCONV_CUDA_F16) judge(static_cast<double>(f16_to_f32(static_cast<uint16_t>(half))));
          if (dtype == CTCONV_CUDA_BF16) judge(static_cast<double>(bf16_to_f32(static_cast<uint16_t>(half))));
        }
      }
      if (count == 1000) CHECK((negative > all * 2 / 5 && negative < all * 3 / 5));
    }
  }
}

}  // namespace ctconv::cuda::testing
