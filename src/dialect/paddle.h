// What the paddle dialects share: forms of padding, data_format, size arguments, attributes, act.
//
//   in:  one argument
//   out: Status of one step of the documented order, or fields of the Descriptor
//   A wrong type of a size argument is a ValueError (VALUE_<arg>), a bool or a non-int entry a TypeError (TYPE_<arg>).
#pragma once

#include "src/desc/descriptor.h"
#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"

namespace ctconv::paddle {

// value: VALUE_<arg>, type: TYPE_<arg>, length: VALUE_<arg>_LENGTH.
AxesPolicy axes(int rank, Code value, Code type, Code length);
// Container, length, entries, as the package converts it.
Status judge_form(const Axes& a);

// NCL / NLC, NCHW / NHWC, NCDHW / NDHWC; anything else, strings or not, is VALUE_DATA_FORMAT.
Status read_data_format(const Arguments& args, int rank, bool* channels_last);

struct Padding {
  enum Kind { kExplicit, kSame, kValid } kind = kExplicit;
  std::vector<int64_t> begin, end;  // one per axis; zeros for kSame and kValid
};
// Forms in the order the package tries them: a name, pairs for every axis of the input, 2 * rank ints, rank ints, an
// int; then negative entries.
Status read_padding(const Arguments& args, int rank, bool channels_last, Padding* out);
// Pads and the dilation SAME forces to 1; dilation must already be in the descriptor.
void lower_padding(const Padding& padding, Descriptor* d);

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
