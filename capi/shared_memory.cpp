// SPDX-License-Identifier: Apache-2.0
// Memory of two tensors, compared; see shared_memory.h.
//
//   Two addresses are the same where  sum a_i s_i + e = sum b_j t_j + f + distance,  every index within its extent, e
//   and f within an element. Axes of one stride are one term, its range that of a_i - b_j. The terms are tried from the
//   longest stride on; what the shorter ones reach bounds each: of nested axes two values are left at most.
//   More than kMostSteps values tried: counted as shared.
#include "capi/shared_memory.h"

#include <algorithm>
#include <array>
#include <string>

namespace ctconv {
namespace {

using Wide = __int128;  // the reach of two tensors, each below 2^63 bytes

constexpr int kMostSteps = 4096;

// A tensor's bytes: where it is, and its axes in bytes; the last axis is an element.
struct Bytes {
  struct Axis {
    int64_t count, stride;
  };
  uintptr_t at;
  std::array<Axis, kMaxNdim + 1> axis{};
  int axes = 0;

  Bytes(const void* data, int64_t width) : at(reinterpret_cast<uintptr_t>(data)) {
    axis[static_cast<size_t>(axes++)] = {width, 1};
  }
};

Bytes bytes_of_tensor(const TensorView& t) {
  Bytes b(t.data, bytes_of(t.type));
  for (int a = 0; a < t.ndim; ++a) {
    const auto n = static_cast<size_t>(a);
    if (t.shape[n] > 1) b.axis[static_cast<size_t>(b.axes++)] = {t.shape[n], t.strides[n] * bytes_of(t.type)};
  }
  return b;
}

// sum of stride * v over the terms, lo <= v <= hi, can be `target`?
class Sum {
 public:
  void add(const Bytes::Axis& axis, bool minus) {
    const auto [count, stride] = axis;
    if (stride == 0) return;
    const bool down = (stride < 0) != minus;
    const Wide step = stride < 0 ? -Wide(stride) : Wide(stride);
    const auto same =
        std::find_if(terms_.begin(), terms_.begin() + count_, [&](const Term& t) { return t.step == step; });
    if (same == terms_.begin() + count_) {
      *same = {step, 0, 0, 0, 0};
      ++count_;
    }
    (down ? same->lo : same->hi) += down ? 1 - count : count - 1;
  }
  bool reaches(Wide target) {
    std::sort(terms_.begin(), terms_.begin() + count_, [](const Term& a, const Term& b) { return a.step > b.step; });
    Wide least = 0, most = 0;
    for (int n = count_ - 1; n >= 0; --n) {
      Term& t = terms_[static_cast<size_t>(n)];
      t.least_behind = least;
      t.most_behind = most;
      least += t.step * t.lo;
      most += t.step * t.hi;
    }
    return from(0, target);
  }

 private:
  struct Term {
    Wide step, lo, hi, least_behind, most_behind;
  };
  static Wide floor_of(Wide a, Wide b) { return a / b - (a % b < 0 ? 1 : 0); }  // b > 0

  bool from(int n, Wide target) {
    if (n == count_) return target == 0;
    const Term& t = terms_[static_cast<size_t>(n)];
    const Wide first = std::max(t.lo, -floor_of(t.most_behind - target, t.step));
    const Wide last = std::min(t.hi, floor_of(target - t.least_behind, t.step));
    for (Wide v = first; v <= last; ++v) {
      if (++steps_ > kMostSteps || from(n + 1, target - v * t.step)) return true;
    }
    return false;
  }

  std::array<Term, 2 * (kMaxNdim + 1)> terms_{};
  int count_ = 0, steps_ = 0;
};

// Do the bytes from the first to the last meet at all? An empty tensor has none, and strides of any size.
bool meet(const void* a, const Span& sa, const void* b, const Span& sb) {
  const auto at = [](const void* p, int64_t offset) {
    return reinterpret_cast<uintptr_t>(p) + static_cast<uintptr_t>(offset);
  };
  return sa.lo < sa.hi && sb.lo < sb.hi && at(a, sa.lo) < at(b, sb.hi) && at(b, sb.lo) < at(a, sa.hi);
}

bool share(const Bytes& a, const Bytes& b) {
  Sum sum;
  for (int n = 0; n < a.axes; ++n) sum.add(a.axis[static_cast<size_t>(n)], false);
  for (int n = 0; n < b.axes; ++n) sum.add(b.axis[static_cast<size_t>(n)], true);
  return sum.reaches(Wide(b.at) - Wide(a.at));
}

Status overlap(const std::string& name, const std::string& other) {
  return Status(Status::Detail{.code = Code::MISUSE_Y_OVERLAP,
                               .argument = name,
                               .value = "memory of " + other,
                               .range = "memory of its own",
                               .message = name + " shares memory with " + other});
}

}  // namespace

Status judge_shared(const WrittenTensor& written, const char* other_name, const TensorView& other) {
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(other, other_name, &span));
  const bool shared = meet(written.view.data, written.span, other.data, span) &&
                      share(bytes_of_tensor(written.view), bytes_of_tensor(other));
  return shared ? overlap(written.name, other_name) : Status();
}

Status judge_workspace(const WrittenTensor& written, const void* workspace, size_t bytes) {
  if (workspace == nullptr) return {};
  const auto size = static_cast<int64_t>(std::min<size_t>(bytes, INT64_MAX));
  const bool shared = meet(written.view.data, written.span, workspace, {0, size}) &&
                      share(bytes_of_tensor(written.view), Bytes(workspace, size));
  return shared ? overlap(written.name, "the workspace") : Status();
}

}  // namespace ctconv
