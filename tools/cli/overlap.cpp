// SPDX-License-Identifier: Apache-2.0
// Counting is exact and short: outside the two ends of an axis the counts repeat with the stride.
#include "tools/cli/overlap.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace cli {
namespace {

constexpr int64_t kMostSteps = int64_t{1} << 26;
constexpr int64_t kMostListed = 4096;

// How many steps apart the taps of one position lie: t*d mod s repeats so.
int64_t period_of(const Numbers& n, size_t a) { return n.s[a] / std::gcd(n.s[a], n.d[a]); }

int64_t ceil_div(int64_t a, int64_t b) { return a <= 0 ? 0 : (a - 1) / b + 1; }

// The least and the largest count of [begin, end), joined to what `range` holds.
void join(const Numbers& n, size_t a, int64_t begin, int64_t end, std::optional<TapRange>* range) {
  for (int64_t o = begin; o < end; ++o) {
    const int64_t count = taps_of(n, a, o).count;
    if (!*range) *range = TapRange{count, count};
    (*range)->min = std::min((*range)->min, count);
    (*range)->max = std::max((*range)->max, count);
  }
}

std::optional<TapRange> count_all(const Numbers& n, size_t a) {
  const int64_t o = n.o[a];
  int64_t front = std::clamp(n.d[a] * (n.k[a] - 1) - n.lo[a], int64_t{0}, o);
  int64_t back = std::clamp((n.i[a] - 1) * n.s[a] - n.lo[a] + 1, int64_t{0}, o);
  if (front > back) front = back = o;  // no position has all its taps: each is looked at
  const int64_t middle = std::min(n.s[a], back - front), looked_at = front + middle + (o - back);
  if (looked_at > kMostSteps / std::min(n.k[a], period_of(n, a))) return std::nullopt;
  std::optional<TapRange> range;
  join(n, a, 0, front + middle, &range);
  join(n, a, back, o, &range);
  if (!range) range = TapRange{};
  if (n.tail[a] > 0) range->min = 0;
  return range;
}

AxisOverlap axis_overlap(const Numbers& n, size_t a) {
  const int64_t k = n.k[a], s = n.s[a], q = period_of(n, a);
  AxisOverlap out;
  out.all = count_all(n, a);
  out.inside = {q == s ? k / s : 0, (k - 1) / q + 1};
  if (!out.uneven()) return out;
  if (q == s) {
    if (k > s) out.even_kernels.push_back(k - k % s);
    out.even_kernels.push_back(k - k % s + s);
  }
  for (int64_t stride = std::min(s - 1, k); stride >= 1 && out.even_stride == 0; --stride)
    if (k % stride == 0 && std::gcd(stride, n.d[a]) == 1) out.even_stride = stride;
  return out;
}

std::string words(const TapRange& r) {
  if (r.min == r.max) return fmt::format("{} tap{}", r.min, r.min == 1 ? "" : "s");
  return fmt::format("{} to {} taps", r.min, r.max);
}

std::string line_of(const AxisOverlap& axis, const Numbers& n, size_t a) {
  const std::string all = axis.all ? words(*axis.all) : "not counted, the axis is too long;";
  const std::string inside = axis.all == axis.inside ? "" : fmt::format(" (inside {})", words(axis.inside));
  if (!axis.uneven()) return all + inside + (inside.empty() ? ", even" : ", even but for the ends");
  std::string why;
  if (axis.even_kernels.empty()) {
    why = fmt::format("stride {} and dilation {} share a factor", n.s[a], n.d[a]);
  } else {
    why = fmt::format("kernel {} is no multiple of stride {}", n.k[a], n.s[a]);
  }
  std::string even;
  for (const int64_t kernel : axis.even_kernels) even += (even.empty() ? "kernel " : " or ") + std::to_string(kernel);
  even += fmt::format("{}stride {}", even.empty() ? "" : ", or ", axis.even_stride);
  return fmt::format("{}{}, uneven: {}; even with {}", all, inside, why, even);
}

}  // namespace

Taps taps_before_crop(const Numbers& n, size_t a, int64_t u) {
  Taps taps;
  const int64_t k = n.k[a], s = n.s[a], d = n.d[a], inputs = n.i[a];
  taps.step = period_of(n, a);
  if (u < 0 || inputs < 1) return taps;
  const int64_t end = std::min(k, taps.step);
  int64_t t = 0;
  while (t < end && t * d <= u && (u - t * d) % s != 0) ++t;
  if (t == end || t * d > u) return taps;  // no tap falls on this position
  const int64_t last = std::min(k - 1, u / d), lowest = ceil_div(u - (inputs - 1) * s, d);
  if (lowest > t) t += ceil_div(lowest - t, taps.step) * taps.step;
  taps.first = t;
  if (t <= last) taps.count = (last - t) / taps.step + 1;
  return taps;
}

Taps taps_of(const Numbers& n, size_t a, int64_t o) {
  if (o >= n.o[a]) return {};  // the tail is zeros
  return taps_before_crop(n, a, o + n.lo[a]);
}

Overlap overlap_of(const Numbers& n) {
  Overlap out;
  out.all = TapRange{1, 1};
  for (size_t a = 0; a < n.rank(); ++a) {
    out.axes.push_back(axis_overlap(n, a));
    const AxisOverlap& axis = out.axes.back();
    out.uneven = out.uneven || axis.uneven();
    if (!axis.all || !out.all) {
      out.all.reset();
      continue;
    }
    if (__builtin_mul_overflow(out.all->min, axis.all->min, &out.all->min) ||
        __builtin_mul_overflow(out.all->max, axis.all->max, &out.all->max))
      out.all.reset();
  }
  return out;
}

Json json_of(const Overlap& overlap, const Numbers& n) {
  Json axes = Json::array();
  for (size_t a = 0; a < n.rank(); ++a) {
    const AxisOverlap& axis = overlap.axes[a];
    Json row = {{"axis", axis_name(n.rank(), a)}};
    if (axis.all) row.update({{"min", axis.all->min}, {"max", axis.all->max}});
    row.update({{"inside_min", axis.inside.min}, {"inside_max", axis.inside.max}, {"uneven", axis.uneven()}});
    if (!axis.even_kernels.empty()) row["even_kernel"] = axis.even_kernels;
    if (axis.even_stride > 0) row["even_stride"] = axis.even_stride;
    if (n.o[a] + n.tail[a] <= kMostListed) {
      Json counts = Json::array();
      for (int64_t o = 0; o < n.o[a] + n.tail[a]; ++o) counts.push_back(taps_of(n, a, o).count);
      row["counts"] = counts;
    }
    axes.push_back(row);
  }
  Json out = Json::object();
  if (overlap.all) out.update({{"min", overlap.all->min}, {"max", overlap.all->max}});
  out.update({{"uneven", overlap.uneven}, {"axes", axes}});
  return out;
}

std::vector<std::string> lines_of(const Overlap& overlap, const Numbers& n) {
  const std::string all = overlap.all ? words(*overlap.all) : "a number not counted of taps";
  std::vector<std::string> out{all + " reach an output position: " +
                               (overlap.uneven ? "uneven, which a picture can show as a checkerboard"
                                               : "even, no checkerboard from the overlap")};
  for (size_t a = 0; a < n.rank(); ++a) out.push_back(line_of(overlap.axes[a], n, a));
  return out;
}

}  // namespace cli
