// SPDX-License-Identifier: Apache-2.0
// One axis of a layer as a drawing: the kernel's taps, a row of inputs, a row of outputs, a line for each product, and
// below each output how many taps reach it.
//
//   in:  the numbers of a problem, an axis, its overlap, output_padding where the dialect was given one (else 0)
//   out: shapes from `top` downwards; the answer is where they end
//   Bounded: at most 40 columns and 800 lines; what is left out is said below.
#pragma once

#include "tools/cli/overlap.h"
#include "tools/cli/svg.h"

namespace cli {

constexpr double kPictureWidth = 1000, kPictureLeft = 70;

double draw_axis(Svg* svg, const Numbers& n, size_t axis, const Overlap& overlap, int64_t output_padding, double top);

// The products of axis `rank - 2` with axis `rank - 1`: how many taps reach each place of that plane.
double draw_map(Svg* svg, const Numbers& n, const Overlap& overlap, double top);

}  // namespace cli
