// SPDX-License-Identifier: Apache-2.0
// Which positions of an axis a picture shows, and where: all of a short axis, the two ends of a long one.
//
//   in:  the numbers of a problem, an axis, the most columns;   out: one or two windows of positions
//   A position is u = o + lo: what it is before anything is cropped. Input i lies above u = i*s + d*(k-1)/2, the middle
//   of the outputs that it reaches.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/cli/formula.h"

namespace cli {

struct Window {
  int64_t first = 0, last = -1;  // positions
  double left = 0;               // pixels
  int64_t columns() const { return last - first + 1; }
};

// The first and the last position there is: of an output, cropped or not, or of the tail.
int64_t first_position(const Numbers& n, size_t axis);
int64_t last_position(const Numbers& n, size_t axis);
// Positions that inputs reach: 0 to this, exclusive.
int64_t full_extent(const Numbers& n, size_t axis);

// Every how many of the numbers 0 to `most`, `apart` pixels from each other, a label fits: 1, 2, 5, 10, ...
int64_t label_step(double apart, int64_t most);

class Columns {
 public:
  // most: columns in all; where there are more, three fifths stand for the beginning and two fifths for the end.
  Columns(const Numbers& n, size_t axis, int64_t most);
  // left, width: pixels to lay them out in; pitch: at most this wide.
  void lay(double left, double width, double widest);
  const std::vector<Window>& windows() const { return windows_; }
  double pitch() const { return pitch_; }
  double at(const Window& window, double u) const {
    return window.left + (u - static_cast<double>(window.first) + 0.5) * pitch_;
  }
  double right_of(const Window& window) const { return at(window, static_cast<double>(window.last) + 0.5); }
  int64_t left_out() const;  // output positions that are in no window

 private:
  std::vector<Window> windows_;
  int64_t y_first_, y_last_;  // positions of y
  double pitch_ = 0;
};

}  // namespace cli
