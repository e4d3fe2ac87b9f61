// SPDX-License-Identifier: Apache-2.0
// The judgements that need a tensor, one function each; src/problem/judge.cpp runs them in the dialect's order.
//
//   in:  the Facts of one call
//   out: OK, also where a tensor that the judgement needs is not there yet, or was judged before
//   refuses: one thing each, worded with the argument, its value and the legal range
//   inputs.cpp: ranks and extents of x; weights.cpp: weight and bias; types.cpp: element types; sizes.cpp: the output
#pragma once

#include <cstdint>
#include <string>

#include "src/problem/judge/facts.h"

namespace ctconv {

Status judge_input_rank(const Facts& facts);
Status judge_groups_divide_input(const Facts& facts);
Status judge_input_channels(const Facts& facts);

Status judge_weight_rank(const Facts& facts);
Status judge_weight_shape(const Facts& facts);
Status judge_bias_shape(const Facts& facts);
// "Input and weight differ in rank" is a fault only x can complete: judged at the call, also for the op's own weight.
inline bool weight_rank_needs_input(const Descriptor& desc) {
  return desc.codes.weight_rank == Code::SHAPE_RANK_MISMATCH;
}

Status judge_input_type(const Facts& facts);
Status judge_types_agree(const Facts& facts);

Status judge_argument_lengths(const Facts& facts);
Status judge_output_size_form(const Facts& facts);
Status judge_output_size_range(const Facts& facts);
Status judge_output_padding_range(const Facts& facts);
Status judge_derived_kernel(const Facts& facts);
Status judge_extent(const Facts& facts);

inline std::string text(int64_t v) { return std::to_string(v); }
inline std::string entries(int64_t count) { return text(count) + " entries"; }
std::string has_axes(const TensorView& tensor);
std::string multiple_of_groups(const Descriptor& desc);

}  // namespace ctconv
