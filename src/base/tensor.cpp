// SPDX-License-Identifier: Apache-2.0
// The algebra of tensor views: how far one reaches, dense copies; see tensor.h.
#include "src/base/tensor.h"

#include <algorithm>
#include <cstring>

#include "src/base/checked.h"
#include "src/base/show.h"

namespace ctconv {

Strides dense_strides(std::span<const int64_t> shape) {
  Strides strides{};
  int64_t step = 1;
  for (size_t a = shape.size(); a-- > 0;) {
    strides[a] = step;
    // A shape of more than 2^63 elements is refused by whoever counts them; its strides wrap.
    static_cast<void>(__builtin_mul_overflow(step, std::max<int64_t>(shape[a], 1), &step));
  }
  return strides;
}

void lie_dense(TensorView* t, void* data) {
  t->data = data;
  t->strides = dense_strides(t->dims());
}

int64_t vector_stride(const TensorView& t) {
  int64_t stride = 1;
  for (int a = 0; a < t.ndim; ++a) {
    if (t.shape[static_cast<size_t>(a)] > 1) stride = t.strides[static_cast<size_t>(a)];
  }
  return stride;
}

int64_t count_of(const TensorView& t) {
  Checked n(1);
  for (int64_t extent : t.dims()) {
    if (extent == 0) return 0;
    n = n * extent;
  }
  return n.ok() ? n.value() : INT64_MAX;
}

Status span_of(const TensorView& t, const char* name, Span* out) {
  *out = {};
  if (count_of(t) == 0) return {};
  Checked lo(0), hi(1);
  for (int a = 0; a < t.ndim; ++a) {
    const auto at = static_cast<size_t>(a);
    const Checked reach = (Checked(t.shape[at]) - 1) * t.strides[at];
    if (t.strides[at] < 0)
      lo = lo + reach;
    else
      hi = hi + reach;
  }
  const Checked elements = hi - lo;
  lo = lo * bytes_of(t.type);
  hi = hi * bytes_of(t.type);
  if (!lo.ok() || !hi.ok() || !elements.ok()) {
    return argument_error(Code::MISUSE_TENSOR, name, show_shape(t), "offsets below 2^63 bytes",
                          "shape and strides reach beyond 63 bits");
  }
  *out = {lo.value(), hi.value()};
  return {};
}

void copy_dense(const TensorView& t, void* out) {
  const int64_t element = bytes_of(t.type), count = count_of(t);
  if (count == 0) return;
  // The innermost axes that lie as one are one run.
  int64_t run = 1;
  int outer = t.ndim;
  while (outer > 0 &&
         (t.strides[static_cast<size_t>(outer - 1)] == run || t.shape[static_cast<size_t>(outer - 1)] == 1)) {
    run *= t.shape[static_cast<size_t>(--outer)];
  }
  // The next axis is walked by its step; only the axes outside it are looked up.
  const int64_t runs = outer > 0 ? t.shape[static_cast<size_t>(outer - 1)] : 1;
  const int64_t step = outer > 0 ? t.strides[static_cast<size_t>(outer - 1)] : 0;
  outer = std::max(0, outer - 1);
  const auto bytes = static_cast<size_t>(run * element);
  std::array<int64_t, kMaxNdim> index{};
  auto* to = static_cast<char*>(out);
  for (int64_t done = 0; done < count; done += runs * run) {
    int64_t offset = 0;
    for (int a = 0; a < outer; ++a) offset += index[static_cast<size_t>(a)] * t.strides[static_cast<size_t>(a)];
    const char* from = static_cast<const char*>(t.data) + offset * element;
    for (int64_t i = 0; i < runs; ++i, to += bytes) std::memcpy(to, from + i * step * element, bytes);
    for (int a = outer - 1; a >= 0; --a) {
      if (++index[static_cast<size_t>(a)] < t.shape[static_cast<size_t>(a)]) break;
      index[static_cast<size_t>(a)] = 0;
    }
  }
}

}  // namespace ctconv
