// What the mindspore dialects share: how pad_mode becomes pads, initialisers by name, the dtype argument.
//
//   in:  judged arguments;   out: fields of the Descriptor
//   The documented order of each operator is in its own file; these are its single steps.
#pragma once

#include <string_view>
#include <vector>

#include "src/desc/descriptor.h"
#include "src/dialect/rules.h"

namespace ctconv::mindspore {

enum class PadMode { kSame, kValid, kPad };  // in the order of kPadModes

// Fills pad_begin, pad_end and output_padding from kernel, stride and dilation (which are already in the descriptor).
//   valid: extra = max(s - keff, 0)
//   same:  total = max(keff - s, 0), the odd element at the end, extra = max(s - keff, 0)
// kPad leaves them alone. A keff beyond int64 leaves zeros: the call then answers SHAPE_OUTPUT_OVERFLOW.
void lower_pad_mode(PadMode mode, Descriptor* d);

// pad_mode is not "pad", so every entry of `pad` must be 0.
Status pad_conflict(const Axes& pad);
// output_padding is non-zero while pad_mode is not "pad".
Status output_padding_conflict(const Axes& output_padding);

// weight_init / bias_init: None, a name, a number, or a tensor of shape `shape`. `by_default` is what None means.
Status read_init(const std::string& name, const Value& value, const std::vector<int64_t>& shape, Code type, Code bad,
                 Initialiser by_default, Initialiser* out);
// None in 2.x: the weight is U(+-1/sqrt(fan_in)), the bias too (fan_in of the weight).
Initialiser default_init();

// dtype: "float32" or "float16" (or "mindspore.float32", …); another element type has no kernel: TYPE_INPUT_DTYPE.
Status read_dtype(const Value& value, ElementType* out);

// has_bias must be a bool.
Status read_has_bias(const Value& value, bool* out);

// Types, codes, least extent and names that all mindspore operators have in common.
void common_fields(Descriptor* d);

}  // namespace ctconv::mindspore
