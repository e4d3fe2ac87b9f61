// SPDX-License-Identifier: Apache-2.0
// One geometry in the words of any dialect: reads the arguments of one, writes those of another.
//
//   The words are carried over (kernel, stride, "same", padding, output_padding), not their lowering: that is what
//   makes the dialects differ, and what `ctconv explain --side-by-side` shows.
//   refuses (Fault GEOMETRY): words the other dialect has none for
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/cli/formula.h"
#include "tools/cli/layer.h"

namespace cli {

struct Geometry {
  int64_t n = 1, groups = 1, cin = 1, cout = 1;
  std::vector<int64_t> in, k, s, d;
  enum Mode { kExplicit, kSame, kValid } mode = kExplicit;
  std::vector<int64_t> begin, end;                     // rows cropped, where the mode is explicit
  std::optional<std::vector<int64_t>> output_padding;  // nullopt: not given
  size_t rank() const { return in.size(); }
};

// layer: valid arguments; numbers: what the library made of them (for channels and extents).
Geometry read_geometry(const std::string& dialect, const Layer& layer, const Numbers& numbers);

// The rank a dialect's name fixes; 0: any.
size_t rank_of_dialect(const std::string& dialect);

struct Wording {
  Arguments arguments;
  std::vector<int64_t> x, weight;  // shapes; weight empty: the library answers it
};
Wording write_geometry(const std::string& dialect, const Geometry& geometry);

}  // namespace cli
