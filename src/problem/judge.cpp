// SPDX-License-Identifier: Apache-2.0
// The table of judgements and the loops that run it in the dialect's order. See judge.h; src/problem/judge/ judges.
#include "src/problem/judge.h"

#include <algorithm>

#include "src/problem/judge/checks.h"

namespace ctconv {
namespace {

struct Rule {
  Check check;
  Status (*judge)(const Facts&);
};
// In the order of Check.
constexpr Rule kRules[] = {
    {Check::kInputRank, judge_input_rank},
    {Check::kWeightRank, judge_weight_rank},
    {Check::kInputType, judge_input_type},
    {Check::kTypesAgree, judge_types_agree},
    {Check::kGroupsDivideInput, judge_groups_divide_input},
    {Check::kInputChannels, judge_input_channels},
    {Check::kWeightShape, judge_weight_shape},
    {Check::kBiasShape, judge_bias_shape},
    {Check::kArgumentLengths, judge_argument_lengths},
    {Check::kOutputSizeForm, judge_output_size_form},
    {Check::kOutputSizeRange, judge_output_size_range},
    {Check::kOutputPaddingRange, judge_output_padding_range},
    {Check::kDerivedKernel, judge_derived_kernel},
    {Check::kExtent, judge_extent},
};
constexpr bool in_order() {
  for (int i = 0; i < std::ssize(kRules); ++i) {
    if (at(kRules, i).check != static_cast<Check>(i)) return false;
  }
  return kRules[std::size(kRules) - 1].check == Check::kExtent;
}
static_assert(in_order(), "one row per Check, in its order");

// What create asks of weights alone, and what the shape of a weight that follows from x asks of x.
constexpr Check kOfWeights[] = {Check::kInputType, Check::kTypesAgree, Check::kWeightRank, Check::kWeightShape,
                                Check::kBiasShape};
constexpr Check kOfWeightSpecs[] = {Check::kInputRank, Check::kGroupsDivideInput, Check::kDerivedKernel,
                                    Check::kOutputSizeRange, Check::kInputChannels};

Status run(Check check, const Facts& facts) { return at(kRules, static_cast<int>(check)).judge(facts); }

bool shapes_need_weight(const Descriptor& desc) {
  const bool kernel_needs_it = desc.kernel.empty() && desc.kernel_source == KernelSource::kWeight;
  return desc.rank == 0 || desc.out_channels == 0 || kernel_needs_it;
}

TensorSpec spec_of(ElementType type, const std::vector<int64_t>& shape) {
  TensorSpec spec;
  spec.type = type;
  spec.ndim = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), spec.shape.begin());
  return spec;
}

}  // namespace

Result<Geometry> judge_call(const Descriptor& desc, const CallTensors& tensors) {
  if (!tensors.w && shapes_need_weight(desc)) {
    return argument_error(Code::MISUSE_WEIGHT_MISSING, desc.spelling.w, "NULL", "a tensor",
                          "is missing, and the shapes of " + desc.dialect + " come from it");
  }
  const Facts facts(desc, tensors);
  for (Check check : desc.order) CTCONV_RETURN_IF_ERROR(run(check, facts));
  Geometry g;
  g.rank = facts.rank;
  g.batched = facts.batched;
  g.n = facts.batched ? tensors.x->shape[0] : 1;
  g.in_channels = facts.in_channels();
  g.out_channels = facts.out_channels();
  g.type = tensors.x->type;
  for (int a = 0; a < facts.rank; ++a) at(g.axis, a) = facts.lowered(a).axis;
  return g;
}

Status judge_weights(const Descriptor& desc, const TensorView* w, const TensorView* b, bool cuda) {
  const CallTensors tensors{.w = w, .b = b, .cuda = cuda};
  const Facts facts(desc, tensors);
  for (Check check : kOfWeights) {
    if (check == Check::kWeightRank && weight_rank_needs_input(desc)) continue;
    CTCONV_RETURN_IF_ERROR(run(check, facts));
  }
  return {};
}

Result<WeightSpecs> weight_specs(const Descriptor& desc, const TensorView* x) {
  if (shapes_need_weight(desc)) {
    return Status(
        Code::UNSUPPORTED_WEIGHT_SPEC,
        desc.dialect + ": the weight's shape does not follow from the arguments; it is the caller's to choose");
  }
  const bool needs_x = desc.in_channels == 0 || desc.kernel_source == KernelSource::kOutputSize;
  if (needs_x && !x) {
    return argument_error(Code::MISUSE_NULL, "x", "NULL", "a tensor with x's shape",
                          "the weight's shape of " + desc.dialect + " is derived from it");
  }
  const CallTensors tensors{.x = needs_x ? x : nullptr};
  const Facts facts(desc, tensors);
  for (Check check : desc.order) {
    if (std::find(std::begin(kOfWeightSpecs), std::end(kOfWeightSpecs), check) == std::end(kOfWeightSpecs)) continue;
    CTCONV_RETURN_IF_ERROR(run(check, facts));
  }
  const ElementType type = x ? x->type : desc.type;
  WeightSpecs out;
  out.weight = spec_of(type, facts.expected_weight(true));
  if (desc.bias_expected) out.bias = spec_of(type, facts.expected_bias());
  return out;
}

TensorSpec output_spec(const Descriptor& desc, const Geometry& g) {
  TensorSpec y;
  y.type = g.type;
  const auto push = [&](int64_t extent) { at(y.shape, y.ndim++) = extent; };
  if (g.batched) push(g.n);
  if (!desc.channels_last) push(g.out_channels);
  for (int a = 0; a < g.rank; ++a) push(at(g.axis, a).out());
  if (desc.channels_last) push(g.out_channels);
  return y;
}

}  // namespace ctconv
