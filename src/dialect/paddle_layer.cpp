// SPDX-License-Identifier: Apache-2.0
// paddle.nn.Conv1DTranspose / Conv2DTranspose / Conv3DTranspose. Source: PaddlePaddle documentation of
// paddle.nn.Conv3DTranspose, paddlepaddle 3.3.1; docs/semantics.md section 7.
//
//   in:   in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation, groups, weight_attr,
//         bias_attr, data_format
//   out:  pads as given, zeros (VALID) or from the input extent (SAME, dilation then 1)
//         weight (Cin, Cout/groups, k...), also for channels last
//   call: (x, output_size=None); output_size replaces output_padding, whose limit is therefore judged at the call
//   Library rules: data_format must belong to the rank at once, out_channels % groups, kernel_size and dilation >= 1.
#include "src/dialect/families.h"
#include "src/dialect/paddle.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments1d[] = {
    {"in_channels", "", true},    {"out_channels", "", true},      {"kernel_size", "", true},
    {"stride", "1", false},       {"padding", "0", false},         {"output_padding", "0", false},
    {"groups", "1", false},       {"dilation", "1", false},        {"weight_attr", "None", false},
    {"bias_attr", "None", false}, {"data_format", "'NCL'", false},
};
constexpr ArgumentRow kArguments2d[] = {
    {"in_channels", "", true},    {"out_channels", "", true},       {"kernel_size", "", true},
    {"stride", "1", false},       {"padding", "0", false},          {"output_padding", "0", false},
    {"dilation", "1", false},     {"groups", "1", false},           {"weight_attr", "None", false},
    {"bias_attr", "None", false}, {"data_format", "'NCHW'", false},
};
constexpr ArgumentRow kArguments3d[] = {
    {"in_channels", "", true},         {"out_channels", "", true},
    {"kernel_size", "", true},         {"stride", "1", false},
    {"padding", "0", false},           {"output_padding", "0", false},
    {"dilation", "1", false},          {"groups", "1", false},
    {"weight_attr", "None", false},    {"bias_attr", "None", false},
    {"data_format", "'NCDHW'", false},
};

LayerArguments read(const Arguments& args, int rank) {
  LayerArguments a = paddle::read_sizes(args, rank, "kernel_size");
  a.in = {args, "in_channels"};
  a.out = {args, "out_channels"};
  a.groups = {args, "groups", 1};
  return a;
}

Status judge_channels(const LayerArguments& a) {
  if (a.groups.is_int()) CTCONV_RETURN_IF_ERROR(a.groups.at_least(1, Code::VALUE_GROUPS));
  if (a.in.is_int()) CTCONV_RETURN_IF_ERROR(a.in.at_least(1, Code::VALUE_IN_CHANNELS));
  if (a.out.is_int()) CTCONV_RETURN_IF_ERROR(a.out.at_least(1, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.out.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.groups.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(a.in, a.groups, Code::VALUE_IN_CHANNELS_GROUPS));
  return divisible(a.out, a.groups, Code::VALUE_OUT_CHANNELS_GROUPS);
}

Result<Descriptor> interpret_layer(const Dialect& self, const Arguments& args, std::string_view) {
  const LayerArguments given = read(args, self.rank);
  const Axes& extra = given.output_padding;
  paddle::Form form;
  CTCONV_RETURN_IF_ERROR(paddle::read_form(args, self.rank, {&given.stride, &given.dilation, &given.kernel}, &form));
  CTCONV_RETURN_IF_ERROR(judge_channels(given));
  CTCONV_RETURN_IF_ERROR(extra.form());
  CTCONV_RETURN_IF_ERROR(given.stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(given.kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(given.dilation.at_least(1, Code::VALUE_DILATION));

  Descriptor d = begin_descriptor(self, self.rank, given);
  paddle::common_fields(&d);
  const std::vector<int64_t> weight_shape = weight_shape_of(d), bias_shape = {d.out_channels};
  CTCONV_RETURN_IF_ERROR(paddle::read_weight_attr(args, "weight_attr", &weight_shape, &d));
  CTCONV_RETURN_IF_ERROR(paddle::read_bias_attr(args, &bias_shape, &d));
  CTCONV_RETURN_IF_ERROR(extra.at_least(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  paddle::set_form(form, &d);
  d.output_padding = extra.get();
  d.output_size_in_call = true;
  // The 1-D layer alone hands both to the functional, whose test is `output_padding != 0`: (0,) counts as given too.
  d.output_size_excludes_padding = self.rank == 1 && !(extra.value().tag == Value::kInt && extra.value().i == 0);
  d.output_padding_limit = Descriptor::PaddingLimit::kUnlessOutputSize;
  d.order = {Check::kInputRank,          Check::kWeightRank,  Check::kGroupsDivideInput,
             Check::kOutputSizeForm,     Check::kInputType,   Check::kTypesAgree,
             Check::kInputChannels,      Check::kWeightShape, Check::kOutputSizeRange,
             Check::kOutputPaddingRange, Check::kExtent,      Check::kBiasShape};
  return d;
}

}  // namespace

const Dialect kPaddleNn1d = {"paddle.nn.Conv1DTranspose", "PaddlePaddle paddle.nn.Conv1DTranspose, paddlepaddle 3.3.1",
                             1, kArguments1d, interpret_layer};
const Dialect kPaddleNn2d = {"paddle.nn.Conv2DTranspose", "PaddlePaddle paddle.nn.Conv2DTranspose, paddlepaddle 3.3.1",
                             2, kArguments2d, interpret_layer};
const Dialect kPaddleNn3d = {"paddle.nn.Conv3DTranspose", "PaddlePaddle paddle.nn.Conv3DTranspose, paddlepaddle 3.3.1",
                             3, kArguments3d, interpret_layer};

}  // namespace ctconv
