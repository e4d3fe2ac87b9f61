// SPDX-License-Identifier: Apache-2.0
// Rows from top to bottom: heading, kernel, inputs, outputs, counts, brackets. See axis_drawing.h.
#include "tools/cli/axis_drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/cli/columns.h"

namespace cli {
namespace {

constexpr int64_t kMostColumns = 40, kMostLines = 400, kMostTerms = 8;  // lines: of one window
constexpr double kRight = 60, kWidest = 26, kBar = 30;

std::string tap_kind(int64_t t) { return "t" + std::to_string(t % 8); }

class AxisDrawing {
 public:
  AxisDrawing(Svg* svg, const Numbers& n, size_t axis, const Overlap& overlap, int64_t output_padding, double top)
      : svg_(*svg),
        n_(n),
        a_(axis),
        overlap_(overlap),
        output_padding_(output_padding),
        columns_(n, axis, kMostColumns),
        y_(top) {
    columns_.lay(kPictureLeft, kPictureWidth - kPictureLeft - kRight, kWidest);
  }

  double draw() {
    heading();
    kernel();
    inputs();
    y_ += 100;
    outputs();
    for (size_t i = 0; i < columns_.windows().size(); ++i) lines(columns_.windows()[i], i);
    counts();
    brackets();
    notes();
    return y_ + 20;
  }

 private:
  void heading() {
    svg_.text(10, y_, "h",
              fmt::format("{}: {} input{}, kernel {}, stride {}, dilation {}, {} output{}", axis_name(n_.rank(), a_),
                          n_.i[a_], n_.i[a_] == 1 ? "" : "s", n_.k[a_], n_.s[a_], n_.d[a_], n_.o[a_] + n_.tail[a_],
                          n_.o[a_] + n_.tail[a_] == 1 ? "" : "s"));
    svg_.text(10, y_ += 20, "q", n_.formula(a_));
    svg_.text(10, y_ += 18, "q", "overlap: " + lines_of(overlap_, n_)[1 + a_]);
    y_ += 36;
  }

  // The taps as far apart as their outputs lie.
  void kernel() {
    svg_.text(10, y_ + 4, "s", "kernel");
    const double pitch = columns_.pitch(), end = kPictureWidth - kRight - 90;
    const auto place = [&](int64_t t) {
      return kPictureLeft + (static_cast<double>(t) * static_cast<double>(n_.d[a_]) + 0.5) * pitch;
    };
    int64_t t = 0;
    for (; t < n_.k[a_] && place(t) < end; ++t) {
      svg_.circle(place(t), y_, 6, tap_kind(t).c_str(), fmt::format("w[{}]", t));
      if (t % label_step(static_cast<double>(n_.d[a_]) * pitch, n_.k[a_]) == 0)
        svg_.text(place(t), y_ - 10, "sm", std::to_string(t));
    }
    if (t < n_.k[a_]) svg_.text(place(t), y_ + 4, "s", fmt::format("... {} taps", n_.k[a_]));
    if (n_.d[a_] > 1 && t > 1) {
      svg_.bracket(place(0), place(1), y_ + 16, fmt::format("dilation {}", n_.d[a_]));
      y_ += 28;
    }
    y_ += 30;
  }

  void inputs() {
    if (n_.s[a_] > 1 && n_.i[a_] > 1) stride_bracket();
    svg_.text(10, y_ + 4, "s", "x");
    const double spread = static_cast<double>(n_.d[a_] * (n_.k[a_] - 1)) / 2;
    const int64_t step = label_step(static_cast<double>(n_.s[a_]) * columns_.pitch(), n_.i[a_]);
    for (const Window& window : columns_.windows()) {
      const double first = static_cast<double>(window.first), last = static_cast<double>(window.last);
      const auto shift = static_cast<int64_t>(spread);
      for (int64_t u = window.first - shift - 1; u <= window.last - shift + 1; ++u) {
        const double place = static_cast<double>(u) + spread;
        if (u < 0 || u > (n_.i[a_] - 1) * n_.s[a_] || place < first - 0.5 || place > last + 0.5) continue;
        if (u % n_.s[a_] != 0) {
          svg_.circle(columns_.at(window, place), y_, 1.8, "slot");
          continue;
        }
        const int64_t i = u / n_.s[a_];
        svg_.circle(columns_.at(window, place), y_, 5, "x", fmt::format("x[{}]", i));
        if (i % step == 0) svg_.text(columns_.at(window, place), y_ - 10, "sm", std::to_string(i));
      }
    }
    x_row_ = y_;
  }

  void stride_bracket() {
    const Window& window = columns_.windows()[0];
    const double spread = static_cast<double>(n_.d[a_] * (n_.k[a_] - 1)) / 2;
    const double before = std::max(0.0, static_cast<double>(window.first) - spread) / static_cast<double>(n_.s[a_]);
    const auto i = static_cast<int64_t>(std::ceil(before));
    const double x1 = columns_.at(window, static_cast<double>(i * n_.s[a_]) + spread);
    const double x2 = x1 + static_cast<double>(n_.s[a_]) * columns_.pitch();
    if (i + 1 >= n_.i[a_] || x2 > columns_.right_of(window)) return;
    svg_.bracket(x1, x2, y_, fmt::format("stride {}", n_.s[a_]));
    y_ += 42;
  }

  void outputs() {
    svg_.text(10, y_ + 4, "s", "y");
    const int64_t all = n_.o[a_] + n_.tail[a_], step = label_step(columns_.pitch(), all);
    for (const Window& window : columns_.windows()) {
      for (int64_t u = window.first; u <= window.last; ++u) {
        const double x = columns_.at(window, static_cast<double>(u));
        const int64_t o = u - n_.lo[a_];
        if (o < 0 || o >= all) {
          svg_.circle(x, y_, 5, "cut", "cropped");
          continue;
        }
        svg_.circle(x, y_, 5, o < n_.o[a_] ? "y" : "zero", products_of(o));
        if (o % step == 0) svg_.text(x, y_ + 20, "sm", std::to_string(o));
      }
    }
    y_row_ = y_;
    y_ += 30;
  }

  // "y[3]: 2 taps: x[2] w[0] + x[1] w[2]"
  std::string products_of(int64_t o) const {
    const Taps taps = taps_of(n_, a_, o);
    std::string text = fmt::format("y[{}]: {} tap{}", o, taps.count, taps.count == 1 ? "" : "s");
    for (int64_t j = 0; j < std::min(taps.count, kMostTerms); ++j) {
      const int64_t t = taps.first + j * taps.step;
      text += fmt::format("{}x[{}] w[{}]", j == 0 ? ": " : " + ", (o + n_.lo[a_] - t * n_.d[a_]) / n_.s[a_], t);
    }
    if (taps.count > kMostTerms) text += fmt::format(" + {} more", taps.count - kMostTerms);
    return text;
  }

  // One line a product; those of a cropped output are grey.
  void lines(const Window& window, size_t number) {
    const double spread = static_cast<double>(n_.d[a_] * (n_.k[a_] - 1)) / 2;
    svg_.begin_clip(fmt::format("{}{}", axis_name(n_.rank(), a_), number), window.left, x_row_,
                    columns_.right_of(window) - window.left, y_row_ - x_row_);
    int64_t drawn = 0;
    for (int64_t u = window.first; u <= window.last; ++u) {
      const Taps taps = taps_before_crop(n_, a_, u);
      const int64_t o = u - n_.lo[a_];
      if (drawn + taps.count > kMostLines) {
        some_lines_ = true;
        break;
      }
      drawn += taps.count;
      for (int64_t j = 0; j < taps.count; ++j) {
        const int64_t t = taps.first + j * taps.step;
        const double from = static_cast<double>(u - t * n_.d[a_]) + spread;
        svg_.line(columns_.at(window, from), x_row_ + 6, columns_.at(window, static_cast<double>(u)), y_row_ - 6,
                  o >= 0 && o < n_.o[a_] ? tap_kind(t).c_str() : "lost");
      }
    }
    svg_.end_clip();
  }

  void counts() {
    int64_t most = 1;
    for_each_output([&](double, int64_t o) { most = std::max(most, taps_of(n_, a_, o).count); });
    svg_.text(10, y_ + kBar, "s", "taps");
    const double pitch = columns_.pitch();
    const int64_t step = label_step(pitch, most);
    for_each_output([&](double x, int64_t o) {
      const int64_t count = taps_of(n_, a_, o).count;
      const double height = kBar * static_cast<double>(count) / static_cast<double>(most);
      if (count > 0) svg_.rect(x - pitch * 0.35, y_ + kBar - height, pitch * 0.7, height, "bar");
      if (o % step == 0) svg_.text(x, y_ + kBar + 13, "sm", std::to_string(count));
    });
    y_ += kBar + 26;
  }

  template <class Draw>
  void for_each_output(Draw&& draw) const {
    for (const Window& window : columns_.windows()) {
      const int64_t first = std::max(window.first, n_.lo[a_]);
      const int64_t end = std::min(window.last + 1, n_.lo[a_] + n_.o[a_] + n_.tail[a_]);
      for (int64_t u = first; u < end; ++u) draw(columns_.at(window, static_cast<double>(u)), u - n_.lo[a_]);
    }
  }

  // What the two ends lose or gain.
  void brackets() {
    const int64_t begin = n_.lo[a_], end = begin + n_.o[a_], full = full_extent(n_, a_);
    bool any = bracket(0, std::min(begin, full), "cropped", y_);
    any = bracket(begin, std::min<int64_t>(0, end), "added", y_) || any;
    any = bracket(std::max<int64_t>(end, 0), full, "cropped", y_) || any;
    any = bracket(std::max(full, begin), end - output_padding_, "added", y_) || any;
    any = bracket(end, end + n_.tail[a_], "zeros", y_) || any;
    if (any) y_ += 28;
    if (output_padding_ > 0 && bracket(end - output_padding_, end, "output_padding", y_)) y_ += 28;
  }

  // Over the positions [begin, end) that are shown; false where none is.
  bool bracket(int64_t begin, int64_t end, const char* word, double y) {
    for (const Window& window : columns_.windows()) {
      const int64_t first = std::max(begin, window.first), last = std::min(end - 1, window.last);
      if (first > last) continue;
      const double half = columns_.pitch() * 0.45;
      svg_.bracket(columns_.at(window, static_cast<double>(first)) - half,
                   columns_.at(window, static_cast<double>(last)) + half, y, fmt::format("{} {}", word, end - begin));
      return true;
    }
    return false;
  }

  void notes() {
    if (const int64_t hidden = columns_.left_out(); hidden > 0)
      note(fmt::format("{} of the {} output positions are left out; between the ends the pattern repeats every {}.",
                       hidden, n_.o[a_] + n_.tail[a_], n_.s[a_]));
    if (some_lines_) note(fmt::format("Not all lines are drawn, {} at most in a part.", kMostLines));
  }
  void note(const std::string& text) {
    svg_.text(10, y_ + 6, "q", text);
    y_ += 18;
  }

  Svg& svg_;
  const Numbers& n_;
  size_t a_;
  const Overlap& overlap_;
  int64_t output_padding_;
  Columns columns_;
  double y_, x_row_ = 0, y_row_ = 0;
  bool some_lines_ = false;
};

}  // namespace

double draw_axis(Svg* svg, const Numbers& n, size_t axis, const Overlap& overlap, int64_t output_padding, double top) {
  return AxisDrawing(svg, n, axis, overlap, output_padding, top).draw();
}

}  // namespace cli
