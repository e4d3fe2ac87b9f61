// SPDX-License-Identifier: Apache-2.0
// See domain.h. The limits are data: one row a number, asked in this order.
#include "src/engine/onednn/domain.h"

#include <algorithm>
#include <array>

#include "src/base/checked.h"

namespace ctconv::onednn {
namespace {

constexpr int64_t kInt = 2147483647;
constexpr int64_t kMostKernel = 128;          // in 2-D, 3-D and with groups code is unrolled over the taps
constexpr int64_t kMostUnevenSum = 7168;      // input channels times taps, where spread_evenly says no
constexpr int64_t kMostChannels = 2048;       // input channels of a group
constexpr int64_t kMostUnevenChannels = 512;  // the same where spread_evenly says no, or x is tiny
constexpr int64_t kFewPositions = 24;         // input positions of a tiny x
constexpr int64_t kShortRow = 48;             // input positions of a short x
constexpr int64_t kMostTinyKernel = 256;      // on a short x: code for one of 510 takes more than a second
constexpr int64_t kMostGroupTaps = 256;
constexpr int64_t kMostRow = 2048;           // extents in 2-D and 3-D: plans walk along each row
constexpr int64_t kMostGroupChannels = 256;  // with more than one group
constexpr int64_t kMostCrop = 64;            // of a pad beyond the reach of the kernel
constexpr int64_t kMostExtent = int64_t{1} << 19;
constexpr int64_t kMostSingleStride = 16;  // with one channel in and out
constexpr int64_t kShortStride = 16;       // longer ones only up to the output extent: each phase costs a call

struct AxisLimit {
  const char* argument;
  int64_t (*value)(const Axis&);
  int64_t least, most;
};

struct ProblemLimit {
  const char* argument;
  Checked (*value)(const Problem&);
  int64_t most;
};

int64_t pad_behind(const Axis& a) { return (a.i - 1) * a.s + a.d * (a.k - 1) + 1 - a.lo - a.o; }

constexpr AxisLimit kAxisLimits[] = {
    {"stride", [](const Axis& a) { return a.s; }, 1, 256},
    {"kernel", [](const Axis& a) { return a.k; }, 1, 1024},
    {"dilation", [](const Axis& a) { return a.d; }, 1, 1024},
    {"input extent", [](const Axis& a) { return a.i; }, 1, kMostExtent},
    {"output extent", [](const Axis& a) { return a.o; }, 1, kMostExtent},
    {"pad in front", [](const Axis& a) { return a.lo; }, 0, 8192},
    {"reach of the kernel", [](const Axis& a) { return a.d * (a.k - 1); }, 0, 8192},
    {"pad behind", pad_behind, -255, 8192},
};

constexpr ProblemLimit kProblemLimits[] = {
    {"batch", [](const Problem& p) { return Checked(p.n); }, 65536},
    {"groups", [](const Problem& p) { return Checked(p.groups); }, 8192},
    {"input channels", [](const Problem& p) { return Checked(p.groups) * p.ci; }, 8192},
    {"output channels", [](const Problem& p) { return Checked(p.groups) * p.co; }, 8192},
    // From 2^16 with one channel and 2^17 with more, stores of the strided kernel go astray.
    {"output channels times stride of axis w", [](const Problem& p) { return Checked(p.groups) * p.co * p.axis[2].s; },
     32768},
    // Depthwise code of 613 groups and 128 taps took more than a second.
    {"groups times taps", [](const Problem& p) { return Checked(p.groups) * p.taps(); }, 32768},
    {"input elements", [](const Problem& p) { return Checked(p.in_elements()); }, kInt},
    {"output elements", [](const Problem& p) { return Checked(p.out_elements()); }, kInt},
    {"weight elements", [](const Problem& p) { return Checked(p.weight_elements()); }, kInt},
};

std::string sentence(const std::string& argument, int64_t value, int64_t least, int64_t most) {
  return "onednn: " + argument + " " + std::to_string(value) + " is outside the range it was fuzzed in, " +
         std::to_string(least) + " to " + std::to_string(most);
}

// A long sum is a list of products, and where it does not go evenly the list outgrows its memory.
bool spread_evenly(const Problem& p) {
  const Axis& w = p.axis[2];
  for (const Axis& a : p.axis) {
    if (a.d != 1) return false;
  }
  return w.s > 1 ? w.o % w.s == 0 : p.ci % 16 == 0;
}

}  // namespace

std::string domain_refusal(const Problem& p) {
  constexpr std::array<const char*, 3> kNames = {"d", "h", "w"};
  for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
    if (p.axis[a].k > kMostKernel && (p.rank > 1 || p.groups > 1)) {
      return sentence(std::string("kernel of axis ") + kNames[a], p.axis[a].k, 1, kMostKernel);
    }
    if (p.rank > 1 && std::max(p.axis[a].i, p.axis[a].o) > kMostRow) {
      return sentence(std::string("extent of axis ") + kNames[a], std::max(p.axis[a].i, p.axis[a].o), 1, kMostRow);
    }
    for (const AxisLimit& limit : kAxisLimits) {
      const int64_t value = limit.value(p.axis[a]);
      if (value >= limit.least && value <= limit.most) continue;
      return sentence(std::string(limit.argument) + " of axis " + kNames[a], value, limit.least, limit.most);
    }
    if (p.axis[a].s > std::max(p.axis[a].o, kShortStride)) {
      return sentence(std::string("stride of axis ") + kNames[a], p.axis[a].s, 1, std::max(p.axis[a].o, kShortStride));
    }
    // What is cropped away is computed all the same.
    const int64_t reach = p.axis[a].d * (p.axis[a].k - 1), crop = std::max(p.axis[a].lo, pad_behind(p.axis[a]));
    if (crop > reach + kMostCrop) return sentence(std::string("pad of axis ") + kNames[a], crop, 0, reach + kMostCrop);
    if (-pad_behind(p.axis[a]) >= p.axis[a].s) return "onednn: output_padding reaches the stride";
  }
  // A degenerate last axis takes a path of its own, which reads beside its copy of x.
  if (p.rank > 1 && p.axis[2].o == 1) return sentence("output extent of axis w", 1, 2, kMostExtent);
  for (const ProblemLimit& limit : kProblemLimits) {
    const Checked value = limit.value(p);
    if (!value.ok()) return std::string("onednn: ") + limit.argument + " beyond 64 bits";
    if (value.value() > limit.most) return sentence(limit.argument, value.value(), 1, limit.most);
  }
  if (p.groups > 1 && p.ci > kMostGroupChannels) {
    return sentence("input channels of a group", p.ci, 1, kMostGroupChannels);
  }
  if (p.groups > 1 && p.taps() > kMostGroupTaps) return sentence("taps with groups", p.taps(), 1, kMostGroupTaps);
  const int64_t positions = p.axis[0].i * p.axis[1].i * p.axis[2].i;
  if (positions < kShortRow && p.axis[2].k > kMostTinyKernel) {
    return sentence("kernel of axis w", p.axis[2].k, 1, kMostTinyKernel);
  }
  const int64_t most_channels = spread_evenly(p) && positions >= kFewPositions ? kMostChannels : kMostUnevenChannels;
  if (p.ci > most_channels) return sentence("input channels of a group", p.ci, 1, most_channels);
  if (!spread_evenly(p) && p.ci * p.taps() > kMostUnevenSum) {
    return sentence("input channels times taps", p.ci * p.taps(), 1, kMostUnevenSum);
  }
  const int64_t longest = std::max({p.axis[0].s, p.axis[1].s, p.axis[2].s});
  if (p.groups * p.ci == 1 && p.co == 1 && longest > kMostSingleStride) {
    return sentence("stride with one channel in and out", longest, 1, kMostSingleStride);
  }
  // Reorders between strided tensors leave elements unwritten.
  if (order_of(p.x, p, false) == Order::kOther || order_of(p.y, p, true) == Order::kOther || p.has_tail()) {
    return "onednn: x or y is neither dense channels-first nor dense channels-last";
  }
  const auto bytes = static_cast<int64_t>(size_of(p.types.x));
  const int64_t largest = std::max({p.in_elements() / p.n, p.out_elements() / p.n, p.weight_elements()});
  if (largest > kInt / bytes) return sentence("bytes of an image", largest * bytes, 1, kInt);
  return {};
}

}  // namespace ctconv::onednn
