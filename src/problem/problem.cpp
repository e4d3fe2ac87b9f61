// SPDX-License-Identifier: Apache-2.0
// Facts about a Problem that planners, benches and describe share.
#include "src/problem/problem.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "src/base/checked.h"
#include "src/problem/dense.h"
#include "src/problem/fields.h"

namespace ctconv {
namespace {

using Wide = unsigned __int128;

// Sum of floor((a*u + b) / m) for 0 <= u < n: Euclid's algorithm on the lattice points below the line.
Wide floor_sum(Wide n, Wide m, Wide a, Wide b) {
  Wide sum = 0;
  while (n > 0) {
    sum += n * (n - 1) / 2 * (a / m) + n * (b / m);
    a %= m;
    b %= m;
    const Wide top = a * n + b;
    if (top < m) break;
    n = top / m;
    b = top % m;
    std::swap(m, a);
  }
  return sum;
}

// Pairs (input i, tap t) along one axis with i*s + t*d <= end.
Wide pairs_up_to(const Axis& a, int64_t end) {
  if (end < 0) return 0;
  const int64_t last = std::min(a.k - 1, end / a.d);                          // taps 0..last reach anything
  const int64_t all = std::min(last, floor_div(end - (a.i - 1) * a.s, a.d));  // taps 0..all reach every input
  const Wide full = all >= 0 ? Wide(all + 1) * Wide(a.i) : 0;
  const Wide rest = Wide(last - std::max<int64_t>(all, -1));  // from the last tap down
  return full + rest + floor_sum(rest, Wide(a.s), Wide(a.d), Wide(end - last * a.d));
}

// Pairs along one axis whose output lies in the core; no loop over taps, since a kernel may have 2^60 of them.
double live_pairs(const Axis& a) {
  return static_cast<double>(pairs_up_to(a, a.lo + a.o - 1) - pairs_up_to(a, a.lo - 1));
}

}  // namespace

double useful_flop(const Problem& p) {
  double work = 2.0 * static_cast<double>(p.n) * static_cast<double>(p.groups) * static_cast<double>(p.ci) *
                static_cast<double>(p.co);
  for (const Axis& a : p.axis) work *= live_pairs(a);
  return work;
}

double moved_bytes(const Problem& p) {
  const auto bytes = [](int64_t elements, Dtype t) {
    return static_cast<double>(elements) * static_cast<double>(size_of(t));
  };
  return bytes(p.in_elements(), p.types.x) + bytes(p.weight_elements(), p.types.w) +
         bytes(p.out_elements() + (p.epilogue.bias ? p.groups * p.co : 0), p.types.y);
}

Order order_of(const ActivationLayout& l, const Problem& p, bool output) {
  const int64_t channels = p.groups * (output ? p.co : p.ci);
  // A stride matters only where its extent exceeds 1.
  const auto lies_as = [&](const ActivationLayout& dense) {
    for (size_t a = 0; a < 3; ++a) {
      const int64_t extent = output ? p.axis[a].o + p.axis[a].tail : p.axis[a].i;
      if (extent > 1 && l.axis[a] != dense.axis[a]) return false;
    }
    return (channels == 1 || l.c == dense.c) && (p.n <= 1 || l.n == dense.n);
  };
  if (lies_as(dense_layout(p, output, false))) return Order::kChannelsFirst;
  if (lies_as(dense_layout(p, output, true))) return Order::kChannelsLast;
  return Order::kOther;
}

namespace {

struct Hasher {
  size_t h = 1469598103934665603ull;

  void mix(int64_t v) { h = (h ^ std::hash<int64_t>()(v)) * 1099511628211ull; }
  void mix(double v) { mix(static_cast<int64_t>(std::hash<double>()(v))); }
  void mix(const std::array<int64_t, 3>& strides) {
    for (int64_t s : strides) mix(s);
  }

  void operator()(const char*, const Written& v) { mix(static_cast<int64_t>(v)); }
  void operator()(const char*, const Types& v) {
    for (Dtype t : {v.x, v.w, v.y, v.accumulator}) mix(static_cast<int64_t>(t));
  }
  void operator()(Rank, const int& v) { mix(int64_t{v}); }
  void operator()(const char*, const SizeField<const int64_t>& v) { mix(v.value); }
  void operator()(const char*, const AxisField<const std::array<Axis, 3>>& v) {
    for (const Axis& a : v.axes) mix(a.*v.member);
  }
  void operator()(const char*, const ActivationLayout& v) {
    mix(v.n);
    mix(v.c);
    mix(v.axis);
  }
  void operator()(const char*, const WeightLayout& v) {
    mix(v.g);
    mix(v.ci);
    mix(v.co);
    mix(v.tap);
  }
  void operator()(const char*, const bool& v) { mix(int64_t{v}); }
  void operator()(const char*, const Rescale& v) {
    mix(v.scale);
    mix(v.zero_point);
  }
  void operator()(const char*, const Activation& v) {
    mix(int64_t{v.kind});
    mix(v.alpha);
    mix(v.beta);
  }
};

}  // namespace

size_t hash_of(const Problem& p) {
  Hasher hasher;
  fields(p, hasher);
  return hasher.h;
}

}  // namespace ctconv
