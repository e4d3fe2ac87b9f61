// SPDX-License-Identifier: Apache-2.0
// The published layers as problems.
//
//   in:      bench/layers.json of the source tree
//   out:     one Layer a row, in float32, channels first; lay_out changes the order, cut_layer the extents
//   refuses: throws what the parser throws
#pragma once

#include <string>
#include <vector>

#include "src/problem/problem.h"

namespace ctconv::rig {

struct Layer {
  std::string id;
  Problem p;
};

std::vector<Layer> bench_layers();

// Fewer images, groups, output channels, then input rows, until the layer has at most so many flop. The length of a
// sum, input channels times taps, stays.
Problem cut_layer(Problem p, double most_flop);

}  // namespace ctconv::rig
