// SPDX-License-Identifier: Apache-2.0
// Copying weight and bias at create; see own_tensor.h.
#include "src/backend/cpu/own_tensor.h"

#include <cstring>
#include <string>

#include "src/base/checked.h"

namespace ctconv {
namespace {

constexpr int64_t kPiece = int64_t{1} << 20;

// Dense and large: most of the time goes into fresh pages, so that threads help. False: nothing is copied for sure.
bool copy_in_pieces(const TensorView& from, int64_t size, const Runner& runner, void* to) {
  const int64_t pieces = size / kPiece;
  return runner(pieces, [&](int64_t i, int32_t) {
    const int64_t first = i * kPiece, end = i + 1 == pieces ? size : first + kPiece;
    std::memcpy(static_cast<char*>(to) + first, static_cast<const char*>(from.data) + first,
                static_cast<size_t>(end - first));
  });
}

}  // namespace

Status keep_tensor(const TensorView& given, const char* name, bool borrow, const Allocator& allocator,
                   const Runner& runner, OwnTensor* out) {
  const int64_t count = count_of(given);
  const Checked bytes = Checked(count) * bytes_of(given.type);
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(given, name, &span));
  if (!bytes.ok() || count == INT64_MAX) {
    return argument_error(Code::SHAPE_OUTPUT_OVERFLOW, name, std::to_string(count) + " elements",
                          "byte counts below 2^63", "is too large");
  }
  out->view = given;
  if (borrow) return {};
  const int64_t size = bytes.value();
  out->copy = Buffer(allocator, static_cast<size_t>(size));
  if (!out->copy.ok()) {
    return Status(Code::NO_MEMORY, std::string(name) + ": could not allocate " + std::to_string(size) + " bytes");
  }
  lie_dense(&out->view, out->copy.data());
  const bool dense = given.strides == out->view.strides;
  if (dense && size / kPiece > 1 && copy_in_pieces(given, size, runner, out->copy.data())) return {};
  copy_dense(given, out->copy.data());
  return {};
}

}  // namespace ctconv
