// SPDX-License-Identifier: Apache-2.0
// Rows of strided tensors, an element at a time; see gradient_steps.h.
#include "src/backend/cpu/gradient_steps.h"

#include "src/base/elements.h"

namespace ctconv {
namespace {

// The rows of a tensor: all indices but those of the last axis.
struct Rows {
  int64_t count = 0, length = 1;

  explicit Rows(const TensorView& t) {
    const int64_t all = count_of(t);
    length = t.ndim == 0 ? 1 : t.shape[static_cast<size_t>(t.ndim - 1)];
    count = all == 0 ? 0 : all / length;
  }
};

// Where row `row` of t begins, in elements.
int64_t row_start(const TensorView& t, int64_t row) {
  int64_t at = 0;
  for (int a = t.ndim - 1; a-- > 0;) {
    const auto k = static_cast<size_t>(a);
    at += row % t.shape[k] * t.strides[k];
    row /= t.shape[k];
  }
  return at;
}

int64_t step_of(const TensorView& t) { return t.ndim == 0 ? 0 : t.strides[static_cast<size_t>(t.ndim - 1)]; }

template <class Acc>
Acc slope(const Activation& a, Acc y) {
  switch (a.kind) {
    case Activation::kRelu:
      return y <= Acc(0) ? Acc(0) : Acc(1);
    case Activation::kLeakyRelu:
      return y <= Acc(0) ? static_cast<Acc>(a.alpha) : Acc(1);
    case Activation::kClip:
      return y <= static_cast<Acc>(a.alpha) || y >= static_cast<Acc>(a.beta) ? Acc(0) : Acc(1);
    case Activation::kTanh:
      return Acc(1) - y * y;
    case Activation::kSigmoid:
      return y * (Acc(1) - y);
    case Activation::kNone:
      break;
  }
  return Acc(1);
}

// A slope of 0 makes +0 of any dy, as a comparison does: 0 * Inf would be a NaN.
template <class Acc>
Acc through(Acc dy, Acc factor) {
  return factor == Acc(0) ? Acc(0) : factor == Acc(1) ? dy : dy * factor;
}

// y holds the bounds of a clip as its type rounds them: so must the slope.
template <class E>
Activation as_stored(Activation a) {
  using Acc = typename E::Acc;
  if (a.kind != Activation::kClip) return a;
  a.alpha = E::load(E::store(static_cast<Acc>(a.alpha)));
  a.beta = E::load(E::store(static_cast<Acc>(a.beta)));
  return a;
}

template <class E>
Status masked(const Activation& given, const TensorView& dy, const TensorView& y, void* out, const Runner& runner) {
  using Stored = typename E::Stored;
  const Activation activation = as_stored<E>(given);
  const Rows rows(dy);
  const int64_t dy_step = step_of(dy), y_step = step_of(y);
  const bool counted = runner(rows.count, [&](int64_t row, int32_t) {
    const auto* from = static_cast<const Stored*>(dy.data) + row_start(dy, row);
    const auto* result = static_cast<const Stored*>(y.data) + row_start(y, row);
    auto* to = static_cast<Stored*>(out) + row * rows.length;
    for (int64_t k = 0; k < rows.length; ++k) {
      to[k] = E::store(through(E::load(from[k * dy_step]), slope(activation, E::load(result[k * y_step]))));
    }
  });
  return counted ? Status() : runner_broke();
}

template <class E, bool kSums>
Status stored(const void* values, bool accumulate, const TensorView& to, const Runner& runner) {
  using Stored = typename E::Stored;
  using Acc = typename E::Acc;
  const Rows rows(to);
  const int64_t step = step_of(to);
  const bool counted = runner(rows.count, [&](int64_t row, int32_t) {
    auto* out = static_cast<Stored*>(to.data) + row_start(to, row);
    for (int64_t k = 0; k < rows.length; ++k) {
      const int64_t at = row * rows.length + k;
      const Acc value = kSums ? static_cast<const Acc*>(values)[at] : E::load(static_cast<const Stored*>(values)[at]);
      out[k * step] = E::store(accumulate ? E::load(out[k * step]) + value : value);
    }
  });
  return counted ? Status() : runner_broke();
}

}  // namespace

Status activation_gradient(const Activation& activation, const TensorView& dy, const TensorView& y, void* g,
                           const Runner& runner) {
  Dtype type;
  if (!to_dtype(dy.type, &type)) return Status(Code::INTERNAL, "dy's element type slipped through");
  Status status;
  elements::with_element(type, [&](auto e) { status = masked<decltype(e)>(activation, dy, y, g, runner); });
  return status;
}

Status store_gradient(const void* from, bool sums, bool accumulate, const TensorView& to, const Runner& runner) {
  Dtype type;
  if (!to_dtype(to.type, &type)) return Status(Code::INTERNAL, "a gradient's element type slipped through");
  Status status;
  elements::with_element(type, [&](auto e) {
    using E = decltype(e);
    status = sums ? stored<E, true>(from, accumulate, to, runner) : stored<E, false>(from, accumulate, to, runner);
  });
  return status;
}

}  // namespace ctconv
