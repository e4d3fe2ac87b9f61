// SPDX-License-Identifier: Apache-2.0
// See columns.h.
#include "tools/cli/columns.h"

#include <algorithm>
#include <string>

namespace cli {

namespace {
constexpr int64_t kCropped = 3;  // cropped positions shown before and behind the outputs of a long axis
constexpr double kGap = 2;       // columns
}  // namespace

int64_t full_extent(const Numbers& n, size_t a) {
  return n.i[a] < 1 ? 0 : (n.i[a] - 1) * n.s[a] + n.d[a] * (n.k[a] - 1) + 1;
}

int64_t first_position(const Numbers& n, size_t a) { return std::min<int64_t>(0, n.lo[a]); }

int64_t last_position(const Numbers& n, size_t a) {
  return std::max(full_extent(n, a), n.lo[a] + n.o[a] + n.tail[a]) - 1;
}

int64_t label_step(double apart, int64_t most) {
  const double width = 7.0 * static_cast<double>(std::to_string(most).size()) + 5;
  for (int64_t decade = 1; decade < int64_t{1} << 50; decade *= 10)
    for (const int64_t step : {decade, 2 * decade, 5 * decade})
      if (static_cast<double>(step) * apart >= width) return step;
  return INT64_MAX;
}

Columns::Columns(const Numbers& n, size_t a, int64_t most)
    : y_first_(n.lo[a]), y_last_(n.lo[a] + n.o[a] + n.tail[a] - 1) {
  int64_t first = first_position(n, a), last = last_position(n, a);
  if (last - first < most) {
    windows_ = {{first, last, 0}};
    return;
  }
  first = std::max(first, y_first_ - kCropped);
  last = std::min(last, y_last_ + kCropped);
  if (last - first < most) {
    windows_ = {{first, last, 0}};
    return;
  }
  const int64_t front = most * 3 / 5;
  windows_ = {{first, first + front - 1, 0}, {last - (most - front) + 1, last, 0}};
}

void Columns::lay(double left, double width, double widest) {
  double columns = windows_.size() > 1 ? kGap : 0;
  for (const Window& window : windows_) columns += static_cast<double>(window.columns());
  pitch_ = std::min(widest, width / std::max(columns, 1.0));
  for (Window& window : windows_) {
    window.left = left;
    left += (static_cast<double>(window.columns()) + kGap) * pitch_;
  }
}

int64_t Columns::left_out() const {
  int64_t shown = 0;
  for (const Window& window : windows_)
    shown += std::max<int64_t>(0, std::min(window.last, y_last_) - std::max(window.first, y_first_) + 1);
  return y_last_ - y_first_ + 1 - shown;
}

}  // namespace cli
