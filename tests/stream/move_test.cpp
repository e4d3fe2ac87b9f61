// SPDX-License-Identifier: Apache-2.0
// Rows moved between tensors that lie in any way: each element lands where its index says, and nothing else changes.
#include "src/stream/move.h"

#include <catch2/catch_test_macros.hpp>
#include <numeric>
#include <vector>

#include "src/base/at.h"

using namespace ctconv;

namespace {

struct Lying {
  std::array<int64_t, 3> shape;
  bool reversed;  // the last axis is the outermost in memory
  std::vector<float> data;

  Lying(std::array<int64_t, 3> extents, bool last_outermost, float first)
      : shape(extents), reversed(last_outermost), data(static_cast<size_t>(extents[0] * extents[1] * extents[2])) {
    std::iota(data.begin(), data.end(), first);
  }
  TensorView view() {
    TensorView t;
    t.type = element_type(Dtype::kF32);
    t.ndim = 3;
    t.shape = {shape[0], shape[1], shape[2]};
    t.strides = {shape[1] * shape[2], shape[2], 1};
    if (reversed) t.strides = {1, shape[0], shape[0] * shape[1]};
    t.data = data.data();
    return t;
  }
  float& at(int64_t a, int64_t b, int64_t c) {
    const Strides s = view().strides;
    return data[static_cast<size_t>(a * s[0] + b * s[1] + c * s[2])];
  }
};

}  // namespace

TEST_CASE("rows land where their index says, however either side lies", "[stream]") {
  for (const int axis : {0, 1, 2}) {
    for (const int lying : {0, 1, 2, 3}) {
      INFO("axis " << axis << ", lying " << lying);
      std::array<int64_t, 3> shape = {2, 3, 4}, larger = shape;
      at(larger, axis) += 5;
      Lying from(shape, (lying & 1) != 0, 100), to(larger, (lying & 2) != 0, 1000);
      Lying want = to;
      const int64_t count = at(shape, axis) - 1, from_at = 1, to_at = 3;
      std::array<int64_t, 3> extents = shape;
      at(extents, axis) = count;
      for (int64_t a = 0; a < extents[0]; ++a) {
        for (int64_t b = 0; b < extents[1]; ++b) {
          for (int64_t c = 0; c < extents[2]; ++c) {
            std::array<int64_t, 3> source = {a, b, c}, target = source;
            at(source, axis) += from_at;
            at(target, axis) += to_at;
            want.at(target[0], target[1], target[2]) = from.at(source[0], source[1], source[2]);
          }
        }
      }
      move_rows(from.view(), from_at, to.view(), to_at, axis, count);
      CHECK(to.data == want.data);
    }
  }
}

TEST_CASE("no rows and empty rows move nothing", "[stream]") {
  Lying from({2, 3, 4}, false, 100), to({2, 3, 4}, false, 1000);
  const std::vector<float> before = to.data;
  move_rows(from.view(), 0, to.view(), 0, 2, 0);
  move_rows(from.view(), 0, to.view(), 0, 1, 0);
  TensorView none = from.view();
  none.shape[2] = 0;
  none.data = nullptr;
  move_rows(none, 0, to.view(), 0, 1, 3);
  CHECK(to.data == before);
}
