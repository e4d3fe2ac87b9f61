// SPDX-License-Identifier: Apache-2.0
// Reduce, then search; see overlap.h.
//
//   nested   every stride above the reach of all finer axes: none, at once
//   merge    two axes where one continues the other are one axis
//   nest     the coarsest stride above the reach of all finer axes: its difference is 0, the axis goes
//   divide   d_a * stride_a is a multiple of the others' gcd: d_a moves in steps, or is 0 and the axis goes
//   search   what is left: the longest two axes by one congruence, the others by trying what can still be cancelled
#include "src/base/overlap.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "src/base/show.h"

namespace ctconv {
namespace {

__extension__ typedef __int128 Wide;  // products of two int64

// Differences -reach .. reach, each worth `stride` elements; both above 0.
struct Step {
  int64_t stride, reach;
  Wide most() const { return static_cast<Wide>(stride) * reach; }
};

struct Steps {
  std::array<Step, kMaxNdim> axis;
  size_t n = 0;

  void erase(size_t at) {
    for (; at + 1 < n; ++at) axis[at] = axis[at + 1];
    --n;
  }
};

bool merge(Steps* s) {
  for (size_t a = 0; a < s->n; ++a) {
    for (size_t b = 0; b < s->n; ++b) {
      const Step &fine = s->axis[a], &coarse = s->axis[b];
      if (a == b || static_cast<Wide>(fine.stride) * (static_cast<Wide>(fine.reach) + 1) != coarse.stride) continue;
      s->axis[a].reach += coarse.reach * (fine.reach + 1);
      s->erase(b);
      return true;
    }
  }
  return false;
}

bool nest(Steps* s) {
  size_t coarsest = 0;
  Wide finer = 0;
  for (size_t a = 0; a < s->n; ++a) {
    finer += s->axis[a].most();
    if (s->axis[a].stride > s->axis[coarsest].stride) coarsest = a;
  }
  if (s->n == 0 || s->axis[coarsest].stride <= finer - s->axis[coarsest].most()) return false;
  s->erase(coarsest);
  return true;
}

bool divide(Steps* s) {
  for (size_t a = 0; a < s->n; ++a) {
    int64_t others = 0;
    for (size_t b = 0; b < s->n; ++b) others = b == a ? others : std::gcd(others, s->axis[b].stride);
    if (others == 0) return false;  // a single axis: nest takes it
    const int64_t step = others / std::gcd(others, s->axis[a].stride);
    if (step == 1) continue;
    s->axis[a].reach /= step;
    if (s->axis[a].reach == 0) {
      s->erase(a);
    } else {
      s->axis[a].stride *= step;
    }
    return true;
  }
  return false;
}

// The inverse of a modulo m, for coprime a and m.
int64_t inverse(int64_t a, int64_t m) {
  int64_t r0 = m, r1 = a % m, t0 = 0, t1 = 1;
  while (r1 != 0) {
    const int64_t q = r0 / r1;
    r0 = std::exchange(r1, r0 - q * r1);
    t0 = std::exchange(t1, t0 - q * t1);
  }
  return t0 < 0 ? t0 + m : t0;
}

Wide floor_of(Wide a, Wide b) { return a / b - ((a % b != 0) && (a < 0)); }  // b above 0
Wide ceil_of(Wide a, Wide b) { return -floor_of(-a, b); }

// Two axes: does x * a.stride + y * b.stride == target have a solution within both reaches?
class Pair {
 public:
  Pair(const Step& a, const Step& b)
      : gcd_(std::gcd(a.stride, b.stride)),
        a_(a.stride / gcd_),
        b_(b.stride / gcd_),
        most_a_(a.reach),
        most_b_(b.reach),
        inverse_(inverse(a_, b_)) {}

  bool reaches(Wide target) const {
    if (target % gcd_ != 0) return false;
    const Wide c = target / gcd_;
    const Wide low = std::max<Wide>(-most_a_, ceil_of(c - b_ * most_b_, a_));
    const Wide high = std::min<Wide>(most_a_, floor_of(c + b_ * most_b_, a_));
    const Wide residue = ((c % b_ + b_) % b_) * inverse_ % b_;  // every solution x is residue + n * b
    return residue + ceil_of(low - residue, b_) * b_ <= high;
  }
  bool reaches_zero_twice() const { return b_ <= most_a_ && a_ <= most_b_; }  // other than by zeros

 private:
  int64_t gcd_;
  Wide a_, b_, most_a_, most_b_, inverse_;
};

// Axes 0 .. n-3 by trial, the coarsest first; the last two by Pair.
class Search {
 public:
  Search(const Steps& s) : s_(s), pair_(s.axis[s.n - 2], s.axis[s.n - 1]) {
    Wide behind = s.axis[s.n - 1].most() + s.axis[s.n - 2].most();
    for (size_t a = s.n - 2; a-- > 0;) {
      behind_[a] = behind;
      behind += s.axis[a].most();
    }
  }

  // Of a solution and its negative one is enough: the first difference that is not 0 is positive.
  Overlap from(size_t a, Wide sum, bool zero) {
    if (++steps_ > kMostOverlapSteps) return Overlap::kUndecided;
    if (a + 2 == s_.n) {
      const bool found = zero ? pair_.reaches_zero_twice() : pair_.reaches(-sum);
      return found ? Overlap::kSome : Overlap::kNone;
    }
    const Step& step = s_.axis[a];
    const Wide least = zero ? 0 : -static_cast<Wide>(step.reach);
    const Wide low = std::max(least, ceil_of(-behind_[a] - sum, step.stride));
    const Wide high = std::min<Wide>(step.reach, floor_of(behind_[a] - sum, step.stride));
    for (Wide d = low; d <= high; ++d) {
      const Overlap found = from(a + 1, sum + d * step.stride, zero && d == 0);
      if (found != Overlap::kNone) return found;
    }
    return Overlap::kNone;
  }

 private:
  const Steps& s_;
  Pair pair_;
  std::array<Wide, kMaxNdim> behind_{};  // what the axes after this one can cancel
  int64_t steps_ = 0;
};

// Every stride above the reach of all finer axes: no two elements meet. True of dense and padded tensors in any order
// of
// their axes, and quick, since every call asks; false says nothing.
bool nested(const Steps& s) {
  std::array<Step, kMaxNdim> axis;
  for (size_t n = 0; n < s.n; ++n) {
    size_t at = n;
    for (; at > 0 && axis[at - 1].stride > s.axis[n].stride; --at) axis[at] = axis[at - 1];
    axis[at] = s.axis[n];
  }
  Wide finer = 0;
  for (size_t a = 0; a < s.n; ++a) {
    if (axis[a].stride <= finer) return false;
    finer += axis[a].most();
  }
  return true;
}

}  // namespace

Overlap self_overlap(const TensorView& t) {
  Steps s;
  for (int a = 0; a < t.ndim; ++a) {
    const auto at = static_cast<size_t>(a);
    if (t.shape[at] == 0) return Overlap::kNone;
  }
  for (int a = 0; a < t.ndim; ++a) {
    const auto at = static_cast<size_t>(a);
    if (t.shape[at] == 1) continue;
    if (t.strides[at] == 0) return Overlap::kSome;
    s.axis[s.n++] = {t.strides[at] < 0 ? -t.strides[at] : t.strides[at], t.shape[at] - 1};
  }
  if (nested(s)) return Overlap::kNone;
  while (merge(&s) || nest(&s) || divide(&s)) {
  }
  if (s.n == 0) return Overlap::kNone;
  const auto first = s.axis.begin(), last = first + static_cast<std::ptrdiff_t>(s.n);
  std::sort(first, last, [](const Step& a, const Step& b) { return a.reach < b.reach; });
  std::sort(first, last - 2, [](const Step& a, const Step& b) { return a.stride > b.stride; });
  return Search(s).from(0, 0, true);
}

Status judge_self_overlap(const char* name, const TensorView& t) {
  const Overlap found = self_overlap(t);
  if (found == Overlap::kNone) return {};
  return argument_error(
      Code::MISUSE_Y_OVERLAP, name, "strides " + show_shape(std::span(t.strides.data(), static_cast<size_t>(t.ndim))),
      "strides that give each element memory of its own",
      found == Overlap::kSome ? "two of its elements share memory"
                              : "its strides interleave too finely to decide that no two elements share memory");
}

}  // namespace ctconv
