// SPDX-License-Identifier: Apache-2.0
// self_overlap against the definition (all offsets, sorted) on random strides; and sizes no list of offsets could hold.
#include "src/base/overlap.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <vector>

namespace ctconv {
namespace {

TensorView view(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  TensorView t;
  t.ndim = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), t.shape.begin());
  std::copy(strides.begin(), strides.end(), t.strides.begin());
  return t;
}

bool meets(const TensorView& t) {
  std::vector<int64_t> offsets = {0};
  for (int a = 0; a < t.ndim; ++a) {
    const size_t have = offsets.size(), at = static_cast<size_t>(a);
    std::vector<int64_t> next;
    next.reserve(have * static_cast<size_t>(t.shape[at]));
    for (int64_t i = 0; i < t.shape[at]; ++i) {
      for (size_t o = 0; o < have; ++o) next.push_back(offsets[o] + i * t.strides[at]);
    }
    offsets = std::move(next);
  }
  std::sort(offsets.begin(), offsets.end());
  return std::adjacent_find(offsets.begin(), offsets.end()) != offsets.end();
}

constexpr int64_t kMi = int64_t{1} << 20, kTi = int64_t{1} << 40;

}  // namespace

TEST_CASE("overlap: what all offsets say", "[base][overlap]") {
  std::mt19937_64 rng(20261126);
  const auto pick = [&](int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(rng); };
  int some = 0, none = 0;
  for (int round = 0; round < 30000; ++round) {
    std::vector<int64_t> shape, strides;
    const int64_t ndim = pick(1, 6), widest = int64_t{1} << pick(1, 7);
    for (int64_t a = 0; a < ndim; ++a) {
      shape.push_back(pick(pick(0, 9) ? 1 : 0, ndim > 4 ? 3 : 6));
      strides.push_back(pick(-widest, widest));
    }
    const TensorView t = view(shape, strides);
    const bool want = meets(t);
    (want ? some : none) += 1;
    INFO("seed 20261126, round " << round);
    REQUIRE(self_overlap(t) == (want ? Overlap::kSome : Overlap::kNone));
  }
  CHECK(some > 5000);
  CHECK(none > 5000);
}

TEST_CASE("overlap: five axes of 2^22 elements are decided", "[base][overlap]") {
  std::mt19937_64 rng(20261126);
  for (int round = 0; round < 4; ++round) {  // each list of offsets costs half a second
    std::vector<int64_t> strides;
    for (int a = 0; a < 5; ++a) strides.push_back(std::uniform_int_distribution<int64_t>(1, 50 * kMi)(rng));
    const TensorView t = view({21, 21, 21, 21, 21}, strides);
    CHECK(self_overlap(t) == (meets(t) ? Overlap::kSome : Overlap::kNone));
  }
}

TEST_CASE("overlap: large views", "[base][overlap]") {
  // Parity tells the two rows apart, however long they are.
  CHECK(self_overlap(view({2, 4 * kMi}, {3, 2})) == Overlap::kNone);
  CHECK(self_overlap(view({2, kTi}, {3, 2})) == Overlap::kNone);
  CHECK(self_overlap(view({3, kTi}, {3, 2})) == Overlap::kSome);
  CHECK(self_overlap(view({kMi, kMi}, {kMi + 1, kMi})) == Overlap::kNone);
  CHECK(self_overlap(view({kMi + 1, kMi + 2}, {kMi + 1, kMi})) == Overlap::kSome);
  CHECK(self_overlap(view({kMi, kMi}, {-kMi - 1, kMi})) == Overlap::kNone);
  // Channels of two tensors interleaved, batch outermost: merged, nested, divided away.
  CHECK(self_overlap(view({64, 512, 1024, 1024}, {1 << 30, 2, 1024 * 1024, 1024})) == Overlap::kNone);
  CHECK(self_overlap(view({64, 513, 1024, 1024}, {1 << 30, 2, 1024 * 1024, 1024})) == Overlap::kSome);
  CHECK(self_overlap(view({7, kMi, kMi}, {5, 35 * kMi, 7})) == Overlap::kNone);
  CHECK(self_overlap(view({8, kMi, kMi}, {5, 35 * kMi, 7})) == Overlap::kSome);
  CHECK(self_overlap(view({0, kTi}, {0, 0})) == Overlap::kNone);
  CHECK(self_overlap(view({1, 1}, {0, 0})) == Overlap::kNone);
  CHECK(self_overlap(view({}, {})) == Overlap::kNone);
  CHECK(self_overlap(view({kMi, kMi + 1, kMi + 2, kMi + 3}, {1000003, 1000033, 1000037, 1000039})) == Overlap::kSome);
  // 2^50 elements in 2^61 places, strides without a pattern: the search gives up, and says so.
  CHECK(self_overlap(view({1024, 1024, 1024, 1024, 1024},
                          {1125899906842597, 1093567616876543, 987654321987653, 1118033988749895, 1072380529476361})) ==
        Overlap::kUndecided);
}

}  // namespace ctconv
