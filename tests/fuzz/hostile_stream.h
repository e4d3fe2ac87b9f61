// SPDX-License-Identifier: Apache-2.0
// One random life of a stream, partly hostile, and the property it must keep.
//
//   in:  a Source of choices (a random generator, or a fuzzer's bytes);   out: "" or what was broken
//   A small 1-D op of the dialect "ctconv", pads and steps of any kind, maybe an Inf among the weights. Then pushes of
//   any length, queries, clones, resets and flushes; every other one with a fault: pointers, shapes, types, devices,
//   too little room, sizes out of range.
//   The property: every call answers CTCONV_OK or a known status with a complete report. A refusal changes no byte of y
//   and nothing of the stream (its description stays). All that came out between two flushes is one whole call, to the
//   bit.
#pragma once

#include "tests/fuzz/hostile.h"

namespace hostile {

struct StreamCounts {
  int64_t made = 0, pushed = 0, refused = 0, flushed = 0;
};

// *said: the steps so far, one a line, for the report.
std::string one_stream(Source& source, std::string* said, StreamCounts* counts);

}  // namespace hostile
