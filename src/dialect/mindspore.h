// SPDX-License-Identifier: Apache-2.0
// What the mindspore dialects share: how pad_mode becomes pads, initialisers by name, the dtype argument.
//
//   in:  judged arguments;   out: fields of the Descriptor
//   The documented order of each operator is in its own file; these are its single steps.
#pragma once

#include <string_view>
#include <vector>

#include "src/dialect/layer.h"

namespace ctconv::mindspore {

enum class PadMode { kSame, kValid, kPad };  // in the order that read_pad_mode lists

// Fills pad_begin, pad_end and output_padding from kernel, stride and dilation (which are already in the descriptor).
//   valid: extra = max(s - keff, 0)
//   same:  total = max(keff - s, 0), the odd element at the end, extra = max(s - keff, 0)
// kPad leaves them alone. A keff beyond int64 leaves zeros: the call then answers SHAPE_OUTPUT_OVERFLOW.
void lower_pad_mode(PadMode mode, Descriptor* d);

// pad_mode is not "pad", so every entry of `pad` must be 0.
Status pad_conflict(const Axes& pad);
// output_padding is non-zero while pad_mode is not "pad".
Status output_padding_conflict(const Axes& output_padding);

// pad_mode by name; sets *mode.
Status read_pad_mode(const Value& value, bool ignore_case, Code type, PadMode* mode);

// weight_init, has_bias and bias_init, in this order, from a descriptor that knows the weight's shape.
//   None, a name, a number, or a tensor of the parameter's shape
//   None in 2.x: the weight is U(+-1/sqrt(fan_in)), the bias too (fan_in of the weight); "2.0" has other defaults
//   Without a bias the package never looks at bias_init.
Status read_inits(const Arguments& args, std::string_view version, Descriptor* d);

// dtype: "float32" or "float16" (or "mindspore.float32", …); another element type has no kernel: TYPE_INPUT_DTYPE.
// "2.0" has no such argument: any of the two types then, whichever the weight has.
Status read_dtype(const Arguments& args, std::string_view version, Descriptor* d);

// Types, codes, least extent and names that all mindspore operators have in common.
void common_fields(Descriptor* d);

}  // namespace ctconv::mindspore
