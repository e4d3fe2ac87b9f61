// SPDX-License-Identifier: Apache-2.0
// The gradients of one layer as `verify --backward` and `bench --backward` ask for them.
//
//   in:  a Layer with data;   out: dy (random, of y's shape) and y, then dx, dw and db by any op of the layer
//   A backward call is one of: dx alone; dw, with db where the layer has a bias; all of them.
//   refuses: what ctconv_backward refuses (ctconv::error)
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tools/cli/layer.h"

namespace cli {

enum class Wanted { kDx, kDw, kAll };
constexpr std::array<Wanted, 3> kWanted = {Wanted::kDx, Wanted::kDw, Wanted::kAll};
std::string name_of(Wanted wanted);  // "dx", "dw", "all"

// What one backward call wrote; absent where it was not asked for.
struct Written {
  std::optional<Array> dx, dw, db;
};

class Gradients {
 public:
  // y is computed by the engine of `op`: an activation's slope is read off it.
  Gradients(const Layer& layer, const ctconv::Op& op);

  // Arrays for one call, with any content.
  Written allocate(Wanted wanted) const;
  void run(const ctconv::Op& op, Written* written) const;
  // The lines of ctconv_backward_describe: workspace_bytes, then those of each plan under `dx.` and `dw.`.
  Facts describe(const ctconv::Op& op, Wanted wanted) const;

  // The same sums over the magnitudes of dy, x and the weight: the scale of rounding errors.
  Written magnitude() const;

  const Array& y() const { return y_; }

 private:
  const Layer& layer_;
  Array y_, dy_;
};

// Useful operations of a described call: those of its plans together.
double flop_of(const Facts& facts);

}  // namespace cli
