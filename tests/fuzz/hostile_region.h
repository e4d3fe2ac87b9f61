// SPDX-License-Identifier: Apache-2.0
// One random layer, boxes of its output, and the property they must keep.
//
//   in:  a Source of choices (a random generator, or a fuzzer's bytes);   out: "" or what was broken
//   A small op of the dialect "ctconv" with 1 to 3 axes, run once whole. Then boxes of y, from the whole x or from the
//   window the library asks for, some of them with extreme numbers in begin, end, x_begin and x_shape.
//   The property: every call answers CTCONV_OK or a known status with a complete report. A legal box is not refused and
//   has the bits of the whole call. A refusal changes no byte of y. Nothing beyond y is written.
#pragma once

#include "tests/fuzz/hostile.h"

namespace hostile {

struct RegionCounts {
  int64_t layers = 0, boxes = 0, windows = 0, refused = 0;
};

// *said: the steps so far, one a line, for the report.
std::string one_region(Source& source, std::string* said, RegionCounts* counts);

}  // namespace hostile
