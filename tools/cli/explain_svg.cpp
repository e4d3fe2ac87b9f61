// SPDX-License-Identifier: Apache-2.0
// See explain_svg.h.
#include "tools/cli/explain_svg.h"

#include "tools/cli/axis_drawing.h"

namespace cli {
namespace {

double legend(Svg* svg, double y) {
  double x = 14;
  const auto item = [&](const char* kind, double radius, const char* text, double width) {
    svg->circle(x, y - 4, radius, kind);
    svg->text(x + 10, y, "s", text);
    x += width;
  };
  item("x", 5, "input", 60);
  item("slot", 1.8, "place that the stride leaves empty", 225);
  item("y", 5, "output", 65);
  item("cut", 5, "cropped, or not in y", 150);
  item("t0", 6, "a tap, and below its products", 190);
  svg->line(x - 6, y - 4, x + 14, y - 4, "lost");
  svg->text(x + 20, y, "s", "a product that is cropped");
  return y + 22;
}

}  // namespace

std::string layer_svg(const std::string& call, const std::string& shapes, const Numbers& n, const Overlap& overlap,
                      const std::vector<int64_t>& output_padding) {
  Svg svg;
  double y = svg.heading(call);
  svg.text(10, y, "", shapes);
  svg.text(10, y += 20, "q", "y[o] = sum of x[i]*w[t] over i*stride + t*dilation - cropped in front == o");
  y = legend(&svg, y + 24);
  for (size_t a = 0; a < n.rank(); ++a) y = draw_axis(&svg, n, a, overlap, output_padding[a], y + 24);
  if (n.rank() > 1) y = draw_map(&svg, n, overlap, y + 24);
  return svg.finish(kPictureWidth, y, "ctconv explain: " + call);
}

}  // namespace cli
