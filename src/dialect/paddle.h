// SPDX-License-Identifier: Apache-2.0
// What the paddle dialects share: forms of padding, data_format, size arguments, attributes, act.
//
//   in:  one argument
//   out: Status of one step of the documented order, or fields of the Descriptor
//   A wrong type of a size argument is a ValueError (VALUE_<arg>), a bool or a non-int entry a TypeError (TYPE_<arg>).
#pragma once

#include "src/dialect/layer.h"

namespace ctconv::paddle {

// Stride, dilation, output_padding, and the kernel where it has a name: the sizes of an operator, with their faults.
LayerArguments read_sizes(const Arguments& args, int rank, const char* kernel_name);

struct Padding {
  enum Kind { kExplicit, kSame, kValid } kind = kExplicit;
  std::vector<int64_t> begin, end;  // one per axis; zeros for kSame and kValid
};
struct Form {
  bool channels_last = false;
  Padding padding;
};
// data_format, then the form of each of `sizes` in turn, then padding.
//   data_format: NCL / NLC, NCHW / NHWC, NCDHW / NDHWC; anything else, strings or not, is VALUE_DATA_FORMAT
//   padding:     in the order the package tries: a name, pairs for every axis of the input, 2 * rank ints, rank ints,
//                an int; then negative entries
Status read_form(const Arguments& args, int rank, std::initializer_list<const Axes*> sizes, Form* out);
// channels_last, the pads, and the dilation SAME forces to 1; the given dilation must already be in the descriptor.
void set_form(const Form& form, Descriptor* d);

// groups None counts as 1 (static).
Whole read_groups(const Arguments& args);

// weight_attr, param_attr: None, True, a name or a tensor; a tensor's values initialise the parameter. `shape` may be
// null: not known yet.
Status read_weight_attr(const Arguments& args, const char* name, const std::vector<int64_t>* shape, Descriptor* d);
// bias_attr: None, a bool, a name or a tensor; False means no bias.
Status read_bias_attr(const Arguments& args, const std::vector<int64_t>* shape, Descriptor* d);

// act of the static functions: None or a name libctconv knows; parameters are the package's defaults.
Status read_act(const Arguments& args, Descriptor* d);

// Element types, codes, least extent, initialisers, names.
void common_fields(Descriptor* d);

}  // namespace ctconv::paddle
