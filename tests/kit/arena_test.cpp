// SPDX-License-Identifier: Apache-2.0
// Property: what an Arena hands out begins with a cache line, does not overlap, and ends where measuring said.
#include "src/kit/arena.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <vector>

namespace ctconv::kit {
namespace {

struct Arrays {
  double* sums;
  int64_t* table;
  char* rest;

  Arrays(int64_t n, Arena& arena) {
    sums = arena.take<double>(n);
    table = arena.take<int64_t>(n / 2);
    rest = arena.take<char>(3 * n + 1);
  }
};

}  // namespace

TEST_CASE("arena: measuring and cutting agree, lines are whole, nothing overlaps") {
  for (int64_t n = 0; n < 200; ++n) {
    const size_t bytes = bytes_taken<Arrays>(n);
    std::vector<char> memory(bytes + kAlignment);
    char* begin = static_cast<char*>(align_up(memory.data()));
    Arena arena(begin);
    const Arrays a(n, arena);
    REQUIRE(arena.used() == bytes);
    REQUIRE(bytes % kAlignment == 0);
    REQUIRE(reinterpret_cast<char*>(a.sums) == begin);
    REQUIRE(reinterpret_cast<char*>(a.table) >= reinterpret_cast<char*>(a.sums + n));
    REQUIRE(a.rest >= reinterpret_cast<char*>(a.table + n / 2));
    REQUIRE(a.rest + 3 * n + 1 <= begin + bytes);
    for (const void* p : {static_cast<void*>(a.sums), static_cast<void*>(a.table), static_cast<void*>(a.rest)}) {
      REQUIRE(reinterpret_cast<uintptr_t>(p) % kAlignment == 0);
    }
  }
}

TEST_CASE("arena: nothing is handed out while measuring") {
  Arena arena;
  CHECK(arena.take<float>(10) == nullptr);
  CHECK(arena.used() == kAlignment);
}

}  // namespace ctconv::kit
