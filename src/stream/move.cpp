// SPDX-License-Identifier: Apache-2.0
// Rows of a tensor to rows of another, runs of adjacent elements at a time; see move.h.
#include "src/stream/move.h"

#include <cstring>

#include "src/base/at.h"

namespace ctconv {
namespace {

const char* element(const TensorView& t, int64_t a, int64_t b, int64_t c) {
  const int64_t offset = a * t.strides[0] + b * t.strides[1] + c * t.strides[2];
  return static_cast<const char*>(t.data) + offset * bytes_of(t.type);
}

}  // namespace

void move_rows(const TensorView& from, int64_t from_at, const TensorView& to, int64_t to_at, int axis, int64_t count) {
  std::array<int64_t, 3> extents = {from.shape[0], from.shape[1], from.shape[2]}, first{}, second{};
  at(extents, axis) = count;
  at(first, axis) = from_at;
  at(second, axis) = to_at;
  const auto bytes = static_cast<size_t>(bytes_of(from.type));
  const bool runs = from.strides[2] == 1 && to.strides[2] == 1;
  const int64_t steps = runs ? 1 : extents[2];
  const size_t length = runs ? bytes * static_cast<size_t>(extents[2]) : bytes;
  if (extents[2] == 0) return;
  for (int64_t a = 0; a < extents[0]; ++a) {
    for (int64_t b = 0; b < extents[1]; ++b) {
      for (int64_t c = 0; c < steps; ++c) {
        const char* source = element(from, first[0] + a, first[1] + b, first[2] + c);
        char* target = const_cast<char*>(element(to, second[0] + a, second[1] + b, second[2] + c));
        std::memcpy(target, source, length);
      }
    }
  }
}

}  // namespace ctconv
