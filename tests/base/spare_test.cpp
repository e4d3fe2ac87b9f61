// SPDX-License-Identifier: Apache-2.0
// The buffer kept between calls: which one stays, and that no two threads ever hold the same.
#include "src/base/spare.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <thread>
#include <vector>

using namespace ctconv;

namespace {

std::atomic<int64_t> g_live{0};

void* counted_alloc(void*, size_t bytes, size_t alignment) {
  ++g_live;
  return std::aligned_alloc(alignment, round_up(bytes, alignment));
}
void counted_release(void*, void* p, size_t, size_t) {
  --g_live;
  std::free(p);
}

const Allocator kCounted{nullptr, counted_alloc, counted_release};

SpareBuffer::Owned made(size_t bytes) { return std::make_unique<Buffer>(kCounted, bytes); }

}  // namespace

TEST_CASE("spare: the larger buffer stays, a smaller one is not handed out", "[base][spare]") {
  {
    SpareBuffer spare;
    CHECK(spare.take(1) == nullptr);
    spare.give(made(100));
    CHECK(spare.bytes() == 100);
    CHECK(spare.take(101) == nullptr);
    CHECK(spare.bytes() == 100);
    spare.give(made(50));
    CHECK(spare.bytes() == 100);
    CHECK(g_live == 1);
    spare.give(made(200));
    CHECK(spare.bytes() == 200);
    CHECK(g_live == 1);
    SpareBuffer::Owned taken = spare.take(150);
    REQUIRE(taken != nullptr);
    CHECK(taken->bytes() == 200);
    CHECK(spare.bytes() == 0);
    CHECK(spare.take(1) == nullptr);
    spare.give(nullptr);
    spare.give(std::move(taken));
    CHECK(spare.bytes() == 200);
  }
  CHECK(g_live == 0);
}

TEST_CASE("spare: threads never share a buffer, and none is lost", "[base][spare][threads]") {
  constexpr size_t kThreads = 6, kRounds = 20000;
  std::atomic<int64_t> met{0};
  {
    SpareBuffer spare;
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (size_t round = 0; round < kRounds; ++round) {
          const size_t bytes = 64 * (1 + (round * (t + 1)) % 7);
          SpareBuffer::Owned mine = spare.take(bytes);
          if (mine == nullptr) mine = made(bytes);
          const auto mark = static_cast<unsigned char>(t + 1);
          std::memset(mine->data(), mark, bytes);
          const auto* seen = static_cast<const volatile unsigned char*>(mine->data());
          met += mine->bytes() < bytes || seen[0] != mark || seen[bytes - 1] != mark;
          spare.give(std::move(mine));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(spare.bytes() == 64 * 7);
    CHECK(g_live == 1);
  }
  CHECK(met == 0);
  CHECK(g_live == 0);
}
