// SPDX-License-Identifier: Apache-2.0
// One random backward call, mostly hostile, and the property it must keep.
//
//   in:  a Source of choices (a random generator, or a fuzzer's bytes);   out: "" or what was broken
//   A small op of the dialect "ctconv" and a legal call, then up to three faults: pointers, shapes, strides, types,
//   devices, flags, sizes, streams, workspaces, tensors that share memory.
//   The property: backward_prepare, _backward and _backward_describe answer CTCONV_OK or a known status with a complete
//   report. A call without a fault is OK. What prepare refuses backward refuses. After a refusal no byte is changed;
//   after OK none but those of the wanted dx, dw, db and the workspace.
#pragma once

#include "tests/fuzz/hostile.h"

namespace hostile {

struct BackwardCounts {
  int64_t legal = 0, refused = 0, ran = 0, survived = 0;  // survived: ran in spite of a fault
};

// *said: the steps so far, one a line, for the report.
std::string one_backward(Source& source, std::string* said, BackwardCounts* counts);

}  // namespace hostile
