// SPDX-License-Identifier: Apache-2.0
// Sizes by brute force: the lowering rules, useful work, memory order, strides by name.
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "src/problem/canonicalize.h"
#include "src/problem/lowering.h"
#include "tests/rig/problems.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

// Extent of the un-cropped scatter, counted.
int64_t scatter_extent(int64_t in, int64_t k, int64_t s, int64_t d) {
  int64_t last = 0;
  for (int64_t i = 0; i < in; ++i) {
    for (int64_t t = 0; t < k; ++t) last = std::max(last, i * s + t * d);
  }
  return last + 1;
}

Descriptor one_axis(int64_t s, int64_t d, int64_t lo, int64_t hi, int64_t extra) {
  Descriptor desc;
  desc.rank = 1;
  desc.stride = {s};
  desc.dilation = {d};
  desc.pad_begin = {lo};
  desc.pad_end = {hi};
  desc.output_padding = {extra};
  return desc;
}

// Largest extent a forward convolution of stride s needs n outputs of: the padding rules' own definition.
int64_t forward_outputs(int64_t extent, int64_t pads, int64_t k, int64_t s, int64_t d) {
  int64_t outputs = 0;
  for (int64_t at = 0; at + d * (k - 1) + 1 <= extent + pads; at += s) ++outputs;
  return outputs;
}

}  // namespace

TEST_CASE("lowering: explicit pads", "[problem][lowering]") {
  Rng rng(1);
  for (int round = 0; round < 20000; ++round) {
    const int64_t in = pick(rng, 1, 12), k = pick(rng, 1, 7), s = pick(rng, 1, 6), d = pick(rng, 1, 4);
    const int64_t lo = pick(rng, 0, 9), hi = pick(rng, 0, 9), extra = pick(rng, 0, 6);
    const Lowered l = lower_axis(one_axis(s, d, lo, hi, extra), 0, in, k, std::nullopt);
    REQUIRE(l.ok);
    REQUIRE(l.axis.core == scatter_extent(in, k, s, d) - lo - hi + extra);
    REQUIRE(l.base == scatter_extent(in, k, s, d) - lo - hi);
    REQUIRE((l.axis.lo == lo && l.axis.hi == hi && l.axis.extra == extra && l.axis.in == in && l.axis.k == k));
  }
}

TEST_CASE("lowering: the window of output_size", "[problem][lowering]") {
  Rng rng(2);
  for (int round = 0; round < 5000; ++round) {
    const int64_t in = pick(rng, 1, 9), k = pick(rng, 1, 5), s = pick(rng, 1, 6), d = pick(rng, 1, 3),
                  lo = pick(rng, 0, 3);
    Descriptor desc = one_axis(s, d, lo, lo, pick(rng, 0, 2));
    desc.output_size_rule = OutputSizeRule::kWindow;
    const int64_t base = scatter_extent(in, k, s, d) - 2 * lo;
    for (int64_t size = base; size < base + s; ++size) {
      const Lowered l = lower_axis(desc, 0, in, k, size);
      REQUIRE(l.ok);
      REQUIRE(l.axis.core == size);
      REQUIRE(l.axis.extra == size - base);  // output_padding itself plays no part
    }
  }
}

TEST_CASE("lowering: pads from the size, the odd element at the end or the beginning", "[problem][lowering]") {
  Rng rng(3);
  for (int round = 0; round < 20000; ++round) {
    const int64_t in = pick(rng, 1, 9), k = pick(rng, 1, 6), s = pick(rng, 1, 5), d = pick(rng, 1, 3);
    const bool upper = pick(rng, 0, 1) == 1;
    Descriptor desc = one_axis(s, d, 0, 0, 0);
    desc.output_size_rule = upper ? OutputSizeRule::kPadsUpper : OutputSizeRule::kPadsLower;
    const int64_t full = scatter_extent(in, k, s, d), size = pick(rng, 1, full + s);
    const Lowered l = lower_axis(desc, 0, in, k, size);
    REQUIRE(l.ok);
    REQUIRE(l.axis.core == size);
    REQUIRE((l.axis.lo >= 0 && l.axis.hi >= 0 && l.axis.extra >= 0));
    REQUIRE(l.axis.lo + l.axis.hi == std::max<int64_t>(full - size, 0));
    REQUIRE((upper ? l.axis.hi - l.axis.lo : l.axis.lo - l.axis.hi) >= 0);
    REQUIRE(std::abs(l.axis.hi - l.axis.lo) <= 1);
    REQUIRE(l.axis.extra == std::max<int64_t>(size - full, 0));
  }
}

TEST_CASE("lowering: auto pads make the output stride times the input", "[problem][lowering]") {
  Rng rng(4);
  for (int round = 0; round < 20000; ++round) {
    const int64_t in = pick(rng, 1, 9), k = pick(rng, 1, 6), s = pick(rng, 1, 5), d = pick(rng, 1, 3);
    Descriptor desc = one_axis(s, d, 0, 0, 0);
    desc.auto_pads = true;
    desc.output_size_rule = OutputSizeRule::kPadsUpper;
    const Lowered l = lower_axis(desc, 0, in, k, std::nullopt);
    REQUIRE(l.ok);
    const int64_t full = scatter_extent(in, k, s, d);
    REQUIRE(l.axis.core == std::min(full, in * s));
    REQUIRE(l.axis.lo == std::max<int64_t>(full - in * s, 0) / 2);
  }
}

TEST_CASE("lowering: same pads of a forward convolution over the input extent", "[problem][lowering]") {
  Rng rng(5);
  for (int round = 0; round < 20000; ++round) {
    const int64_t in = pick(rng, 1, 20), k = pick(rng, 1, 7), s = pick(rng, 1, 5);
    Descriptor desc = one_axis(s, 1, 0, 0, 0);
    desc.pad_rule = PadRule::kSameForward;
    const Lowered l = lower_axis(desc, 0, in, k, std::nullopt);
    REQUIRE(l.ok);
    // The least pads with which a forward convolution gives ceil(in / s) outputs.
    int64_t pads = 0;
    while (forward_outputs(in, pads, k, s, 1) < (in + s - 1) / s) ++pads;
    REQUIRE(l.axis.lo + l.axis.hi == pads);
    REQUIRE((l.axis.hi - l.axis.lo == 0 || l.axis.hi - l.axis.lo == 1));
  }
}

TEST_CASE("lowering: a kernel derived from the size reaches it", "[problem][lowering]") {
  Rng rng(6);
  for (int round = 0; round < 20000; ++round) {
    const int64_t in = pick(rng, 1, 9), s = pick(rng, 1, 5), d = pick(rng, 1, 3), lo = pick(rng, 0, 3),
                  hi = pick(rng, 0, 3);
    const Descriptor desc = one_axis(s, d, lo, hi, 0);
    const int64_t size = pick(rng, 1, 40);
    const auto k = derived_kernel(desc, 0, in, size);
    REQUIRE(k.has_value());
    if (*k < 1) continue;
    // The largest kernel whose output does not exceed the size.
    REQUIRE(scatter_extent(in, *k, s, d) - lo - hi <= size);
    REQUIRE(scatter_extent(in, *k + 1, s, d) - lo - hi > size);
  }
}

TEST_CASE("lowering: overflow is remembered, wherever it happens", "[problem][lowering]") {
  for (int64_t huge : {int64_t{1} << 62, INT64_MAX - 1, INT64_MAX}) {
    CHECK_FALSE(lower_axis(one_axis(huge, 1, 0, 0, 0), 0, 4, 3, std::nullopt).ok);
    CHECK_FALSE(lower_axis(one_axis(1, huge, 0, 0, 0), 0, 4, 4, std::nullopt).ok);
    CHECK_FALSE(lower_axis(one_axis(4, 1, 0, 0, 0), 0, huge, 3, std::nullopt).ok);
    CHECK_FALSE(lower_axis(one_axis(1, 2, 0, 0, 0), 0, 4, huge, std::nullopt).ok);
  }
  CHECK_FALSE(lower_axis(one_axis(1, 1, 0, 0, INT64_MAX), 0, 4, 3, std::nullopt).ok);
  CHECK_FALSE(lower_axis(one_axis(1, 1, INT64_MAX, INT64_MAX, 0), 0, 4, 3, std::nullopt).ok);
}

TEST_CASE("lowering: a size counts by the rule that the dialect has for it", "[problem][lowering]") {
  Descriptor desc = one_axis(2, 1, 0, 0, 1);
  CHECK(lower_axis(desc, 0, 4, 3, 20).axis.core == 10);  // no rule: no size
  desc.output_size_rule = OutputSizeRule::kWindow;
  CHECK(lower_axis(desc, 0, 4, 3, std::nullopt).axis.core == 10);
  CHECK(lower_axis(desc, 0, 4, 3, 20).axis.core == 20);
  CHECK_FALSE(lower_axis(one_axis(1, 1, 0, 0, INT64_MAX - 6), 0, 4, 4, std::nullopt).ok);
  CHECK(lower_axis(one_axis(1, 1, 0, 0, INT64_MAX - 7), 0, 4, 4, std::nullopt).ok);
  // Sums that do not fit, one for each rule.
  desc.pad_end = {INT64_MAX};
  CHECK(lower_axis(desc, 0, 4, 3, 1).ok);
  CHECK_FALSE(lower_axis(desc, 0, 4, 3, INT64_MAX).ok);
  desc.output_size_rule = OutputSizeRule::kPadsLower;
  CHECK(lower_axis(desc, 0, 4, 3, INT64_MAX).ok);
  CHECK_FALSE(lower_axis(desc, 0, 4, 3, INT64_MIN).ok);
  desc.output_padding = {INT64_MAX};
  CHECK_FALSE(lower_axis(desc, 0, 4, 3, 1).ok);
  desc = one_axis(1, 1, 0, 0, 0);
  desc.zero_tail = {INT64_MAX - 5};
  CHECK_FALSE(lower_axis(desc, 0, 4, 3, std::nullopt).ok);
  desc.zero_tail = {INT64_MAX - 6};
  CHECK(lower_axis(desc, 0, 4, 3, std::nullopt).ok);
}

TEST_CASE("lowering: no kernel where its reach does not fit", "[problem][lowering]") {
  CHECK_FALSE(derived_kernel(one_axis(4, 1, 0, 0, 0), 0, int64_t{1} << 62, 9).has_value());
  CHECK_FALSE(derived_kernel(one_axis(1, 1, 1, 0, 0), 0, 1, INT64_MAX).has_value());
  CHECK(derived_kernel(one_axis(1, 1, 0, 0, 0), 0, 1, INT64_MAX) == INT64_MAX);
  CHECK(derived_kernel(one_axis(1, 1, 0, 0, 0), 0, INT64_MAX, 0) == -INT64_MAX + 1);
}

TEST_CASE("useful_flop: counted pair by pair", "[problem][facts]") {
  Rng rng(7);
  for (int round = 0; round < 5000; ++round) {
    Problem p = random_problem(rng, anything());
    double pairs = 1;
    for (const Axis& a : p.axis) {
      int64_t live = 0;
      for (int64_t i = 0; i < a.i; ++i) {
        for (int64_t t = 0; t < a.k; ++t) {
          const int64_t o = i * a.s + t * a.d - a.lo;
          live += o >= 0 && o < a.o;
        }
      }
      pairs *= static_cast<double>(live);
    }
    REQUIRE(useful_flop(p) == 2.0 * static_cast<double>(p.n * p.groups * p.ci * p.co) * pairs);
  }
  // A kernel of 2^60 taps is counted without walking it.
  Problem p;
  p.axis[2] = {.i = 1, .o = int64_t{1} << 60, .k = int64_t{1} << 60};
  CHECK(useful_flop(p) == 0x1p61);
  p.axis[2] = {.i = int64_t{1} << 30, .o = int64_t{1} << 60, .k = int64_t{1} << 30, .s = int64_t{1} << 30};
  CHECK(useful_flop(p) == 0x1p61);
}

TEST_CASE("order_of: dense layouts are found, others are not taken for them", "[problem][facts]") {
  Rng rng(8);
  for (int round = 0; round < 5000; ++round) {
    Problem p = random_problem(rng, anything());
    p.n = pick(rng, 1, 3);
    for (size_t a = 0; a < 3; ++a) p.axis[a].o = std::max<int64_t>(p.axis[a].o, 1);
    for (bool output : {false, true}) {
      const ActivationLayout first = dense_layout(p, output, false), last = dense_layout(p, output, true);
      REQUIRE(order_of(first, p, output) == Order::kChannelsFirst);
      const Order found = order_of(last, p, output);
      REQUIRE((found == Order::kChannelsLast || found == Order::kChannelsFirst));
      // Whatever it is called, the elements lie where the layout says: compare all addresses.
      ActivationLayout odd = first;
      odd.axis[2] += 1;
      const int64_t width = output ? p.axis[2].o + p.axis[2].tail : p.axis[2].i;
      if (width > 1) REQUIRE(order_of(odd, p, output) != Order::kChannelsFirst);
    }
  }
}

TEST_CASE("canonicalize: a type outside the table is no f32", "[problem][canonicalize]") {
  Descriptor desc;
  desc.rank = 1;
  Geometry g;
  g.rank = 1;
  g.n = g.in_channels = g.out_channels = 1;
  TensorView x;
  x.ndim = 3;
  for (size_t a = 0; a < 3; ++a) x.shape[a] = x.strides[a] = 1;
  CHECK_NOTHROW(canonicalize(desc, g, {.x = &x}));
  g.type = {.code = 1, .bits = 8, .lanes = 1};
  CHECK_THROWS(canonicalize(desc, g, {.x = &x}));
}

TEST_CASE("canonicalize: strides by name reach the same elements as by position", "[problem][canonicalize]") {
  Rng rng(9);
  for (int round = 0; round < 5000; ++round) {
    Descriptor desc;
    desc.rank = static_cast<int>(pick(rng, 1, 3));
    desc.groups = pick(rng, 1, 3);
    desc.channels_last = pick(rng, 0, 1) == 1;
    desc.weight_order = desc.groups > 1 ? (pick(rng, 0, 1) ? WeightOrder::kInOutTaps : WeightOrder::kGroupInOutTaps)
                                        : static_cast<WeightOrder>(pick(rng, 0, 3));
    Geometry g;
    g.rank = desc.rank;
    g.batched = desc.channels_last || pick(rng, 0, 3) != 0;
    g.n = g.batched ? pick(rng, 1, 3) : 1;
    g.in_channels = desc.groups * pick(rng, 1, 3);
    g.out_channels = desc.groups * pick(rng, 1, 3);
    std::vector<int64_t> x_shape, w_shape;
    if (g.batched) x_shape.push_back(g.n);
    if (!desc.channels_last) x_shape.push_back(g.in_channels);
    for (int a = 0; a < g.rank; ++a) {
      AxisSizes& s = g.axis[static_cast<size_t>(a)];
      s.in = pick(rng, 1, 4);
      s.k = pick(rng, 1, 3);
      s.s = pick(rng, 1, 3);
      s.core = (s.in - 1) * s.s + s.k;
      x_shape.push_back(s.in);
    }
    if (desc.channels_last) x_shape.push_back(g.in_channels);
    TensorView x;
    x.ndim = static_cast<int>(x_shape.size());
    for (size_t a = 0; a < x_shape.size(); ++a) {
      x.shape[a] = x_shape[a];
      x.strides[a] = pick(rng, -50, 50);
    }

    const Problem p = canonicalize(desc, g, {.x = &x});
    REQUIRE(p.rank == desc.rank);
    REQUIRE(p.groups * p.ci == g.in_channels);
    REQUIRE(p.groups * p.co == g.out_channels);
    // x: one random element, by position in the dialect's shape and by name.
    std::vector<int64_t> index;
    int64_t by_position = 0;
    for (size_t a = 0; a < x_shape.size(); ++a) {
      index.push_back(pick(rng, 0, x_shape[a] - 1));
      by_position += index[a] * x.strides[a];
    }
    size_t at = 0;
    int64_t by_name = g.batched ? index[at++] * p.x.n : 0;
    if (!desc.channels_last) by_name += index[at++] * p.x.c;
    for (int a = 0; a < g.rank; ++a) by_name += index[at++] * p.x.axis[static_cast<size_t>(3 - g.rank + a)];
    if (desc.channels_last) by_name += index[at++] * p.x.c;
    REQUIRE(by_name == by_position);
    for (int a = 0; a < 3 - p.rank; ++a) REQUIRE(p.axis[static_cast<size_t>(a)] == Axis{});

    // A dense weight reaches each of its elements exactly once, from 0 to count - 1.
    std::set<int64_t> seen;
    for (int64_t group = 0; group < p.groups; ++group) {
      for (int64_t ci = 0; ci < p.ci; ++ci) {
        for (int64_t co = 0; co < p.co; ++co) {
          for (int64_t d = 0; d < p.axis[0].k; ++d) {
            for (int64_t h = 0; h < p.axis[1].k; ++h) {
              for (int64_t w = 0; w < p.axis[2].k; ++w) {
                seen.insert(group * p.w.g + ci * p.w.ci + co * p.w.co + d * p.w.tap[0] + h * p.w.tap[1] +
                            w * p.w.tap[2]);
              }
            }
          }
        }
      }
    }
    REQUIRE(static_cast<int64_t>(seen.size()) == p.weight_elements());
    REQUIRE((*seen.begin() == 0 && *seen.rbegin() == p.weight_elements() - 1));
  }
}
