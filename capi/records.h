// SPDX-License-Identifier: Apache-2.0
// From the caller's records to our own values; the only place that reads foreign memory layouts.
//
//   in:  ctconv_tensor, ctconv_value (the records that grow: growth.h)
//   out: TensorView, Value;   refuses: MISUSE_… with what is wrong
#pragma once

#include "capi/boundary.h"
#include "capi/growth.h"
#include "src/args/value.h"
#include "src/base/tensor.h"

namespace ctconv {

// Shape, strides, type, device. Where `needs_data`: data not NULL unless empty, aligned to its element.
// Strides of a dense tensor saturate instead of overflowing: the judges refuse such shapes before anybody walks them.
Status read_tensor(const ctconv_tensor& in, const char* name, bool needs_data, TensorView* out);

// Deep copy; TENSOR data too. MISUSE_VALUE where malformed.
Status read_value(const ctconv_value& in, const char* name, Value* out);

void write_spec(const TensorSpec& from, ctconv_spec* to);

}  // namespace ctconv
