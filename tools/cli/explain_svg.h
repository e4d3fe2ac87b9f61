// SPDX-License-Identifier: Apache-2.0
// explain --svg: a layer as one picture, an axis below the other, then the plane of the overlap where there are two.
//
//   in:  the call in words, its shapes, the numbers of the problem; output_padding: an entry an axis, 0 where not given
//   out: the text of an SVG file, below 400 KB whatever the layer
#pragma once

#include <string>
#include <vector>

#include "tools/cli/overlap.h"

namespace cli {

std::string layer_svg(const std::string& call, const std::string& shapes, const Numbers& n, const Overlap& overlap,
                      const std::vector<int64_t>& output_padding);

}  // namespace cli
