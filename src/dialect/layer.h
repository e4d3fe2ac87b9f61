// SPDX-License-Identifier: Apache-2.0
// The arguments that nearly every operator has, read once, and the descriptor they begin.
//
//   in:  judged arguments;   out: a Descriptor with its name, rank, channels, kernel, stride and dilation
//   refuses: nothing: each dialect judges them in its own documented order
//   A dialect fills LayerArguments from its own spelling and policies. What it has no argument for stays as here:
//   channels that tensors tell are 0, groups are 1.
#pragma once

#include <initializer_list>
#include <vector>

#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"

namespace ctconv {

struct LayerArguments {
  Whole in{"in_channels", int_value(0)};
  Whole out{"out_channels", int_value(0)};
  Whole groups{"groups", int_value(1)};
  Axes kernel, stride, dilation, padding, output_padding;
};

Descriptor begin_descriptor(const Dialect& self, int rank);
void set_layer(const LayerArguments& given, Descriptor* d);
Descriptor begin_descriptor(const Dialect& self, int rank, const LayerArguments& given);

// (begin, end) per axis, as some dialects write pads.
void set_pads(const std::vector<int64_t>& pairs, Descriptor* d);

// The weight's shape, known from arguments alone: what an initialiser given as a tensor must have.
std::vector<int64_t> weight_shape_of(const Descriptor& d);

std::vector<ElementType> element_types(std::initializer_list<Dtype> types);

}  // namespace ctconv
