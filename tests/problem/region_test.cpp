// SPDX-License-Identifier: Apache-2.0
// lo of any sign: a region of an output is a problem like any other.
//
//   output rows [b, e) of an axis, from the window [i0, i1) of its input:
//   lo' = lo + b - i0*s,  o' = e - b,  i' = i1 - i0
#include <catch2/catch_test_macros.hpp>
#include <limits>

#include "src/problem/canonicalize.h"
#include "src/problem/lowering.h"
#include "tests/rig/problems.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

// A problem of one axis, everything else 1.
Problem along(const Axis& axis) {
  Problem p;
  p.axis[2] = axis;
  return p;
}

Axis random_axis(Rng& rng) {
  Axis a;
  a.i = pick(rng, 1, 12);
  a.k = pick(rng, 1, 6);
  a.s = pick(rng, 1, 5);
  a.d = pick(rng, 1, 4);
  a.lo = pick(rng, -8, 12);
  a.o = pick(rng, 1, (a.i - 1) * a.s + a.d * (a.k - 1) + 8);
  return a;
}

// The inputs that reach rows [begin, end): the first and one past the last; first == end where there are none.
std::pair<int64_t, int64_t> window(const Axis& a, int64_t begin, int64_t end) {
  int64_t first = a.i, last = 0;
  for (int64_t i = 0; i < a.i; ++i) {
    for (int64_t t = 0; t < a.k; ++t) {
      const int64_t o = i * a.s + t * a.d - a.lo;
      if (o < begin || o >= end) continue;
      first = std::min(first, i);
      last = std::max(last, i + 1);
    }
  }
  return {std::min(first, last), last};
}

Axis region(const Axis& a, int64_t begin, int64_t end, int64_t i0, int64_t i1) {
  Axis r = a;
  r.lo = a.lo + begin - i0 * a.s;
  r.o = end - begin;
  r.i = i1 - i0;
  return r;
}

}  // namespace

TEST_CASE("regions: the work of the pieces adds up to the whole", "[problem][region]") {
  Rng rng(10);
  for (int round = 0; round < 5000; ++round) {
    const Axis a = random_axis(rng);
    double sum = 0;
    for (int64_t begin = 0, end = 0; begin < a.o; begin = end) {
      end = begin + pick(rng, 1, a.o - begin);
      const double whole_input = useful_flop(along(region(a, begin, end, 0, a.i)));
      const auto [i0, i1] = window(a, begin, end);
      // The window alone does the same work: no input outside it reaches the region.
      REQUIRE(whole_input == (i0 < i1 ? useful_flop(along(region(a, begin, end, i0, i1))) : 0));
      sum += whole_input;
    }
    REQUIRE(sum == useful_flop(along(a)));
  }
}

TEST_CASE("lowering: pads of any sign", "[problem][region]") {
  Rng rng(11);
  for (int round = 0; round < 20000; ++round) {
    const int64_t in = pick(rng, 1, 12), k = pick(rng, 1, 7), lo = pick(rng, -40, 40), hi = pick(rng, -40, 40);
    Descriptor desc;
    desc.rank = 1;
    desc.stride = {pick(rng, 1, 6)};
    desc.dilation = {pick(rng, 1, 4)};
    desc.pad_begin = {lo};
    desc.pad_end = {hi};
    const Lowered l = lower_axis(desc, 0, in, k, std::nullopt);
    REQUIRE(l.ok);
    REQUIRE(l.axis.lo == lo);
    REQUIRE(l.axis.core == (in - 1) * desc.stride[0] + desc.dilation[0] * (k - 1) + 1 - lo - hi);
  }
  // Beyond 63 bits it says so, in either direction.
  for (int64_t lo : {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    Descriptor desc;
    desc.rank = 1;
    desc.pad_begin = {lo};
    desc.pad_end = {lo};
    CHECK_FALSE(lower_axis(desc, 0, 4, 3, std::nullopt).ok);
  }
}

TEST_CASE("canonicalize: lo keeps its sign and its size", "[problem][region]") {
  for (int64_t lo : {-1000, -1, 0, 1, 1000}) {
    Descriptor desc;
    desc.rank = 1;
    Geometry g;
    g.rank = 1;
    g.in_channels = g.out_channels = 1;
    g.axis[0] = {.in = 5, .k = 3, .lo = lo, .core = 4};
    TensorView x;
    x.ndim = 3;
    x.strides = {5, 5, 1};
    const Problem p = canonicalize(desc, g, {.x = &x});
    CHECK(p.axis[2].lo == lo);
    CHECK(p.axis[2].o == 4);
  }
}
