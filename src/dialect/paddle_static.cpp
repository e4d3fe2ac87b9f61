// SPDX-License-Identifier: Apache-2.0
// paddle.static.nn.conv2d_transpose / conv3d_transpose. Source: PaddlePaddle documentation of
// paddle.static.nn.conv3d_transpose, paddlepaddle 3.3.1; docs/semantics.md section 7.
//
//   in:  num_filters, output_size, filter_size, padding, stride, dilation, groups, param_attr, bias_attr, use_cudnn,
//        act, name, data_format
//   out: in_channels comes from x; with filter_size None the kernel follows from output_size and x:
//        k = floor((output_size - (in-1)*s + pad_begin + pad_end - 1) / dilation) + 1, at least 1 (library rule)
//   Positions count from the first argument after the input. act is applied after the bias.
#include "src/dialect/families.h"
#include "src/dialect/paddle.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments2d[] = {
    {"num_filters", "", true},        {"output_size", "None", false}, {"filter_size", "None", false},
    {"padding", "0", false},          {"stride", "1", false},         {"dilation", "1", false},
    {"groups", "None", false},        {"param_attr", "None", false},  {"bias_attr", "None", false},
    {"use_cudnn", "True", false},     {"act", "None", false},         {"name", "None", false},
    {"data_format", "'NCHW'", false},
};
constexpr ArgumentRow kArguments3d[] = {
    {"num_filters", "", true},         {"output_size", "None", false}, {"filter_size", "None", false},
    {"padding", "0", false},           {"stride", "1", false},         {"dilation", "1", false},
    {"groups", "None", false},         {"param_attr", "None", false},  {"bias_attr", "None", false},
    {"use_cudnn", "True", false},      {"act", "None", false},         {"name", "None", false},
    {"data_format", "'NCDHW'", false},
};

// filter_size or output_size must be given; a fault of the form of either.
Status judge_size_source(const LayerArguments& a, bool derived, const RequestedSize& size) {
  if (derived && !size.given) {
    return argument_error(Code::VALUE_OUTPUT_SIZE_AND_FILTER_SIZE, "filter_size", "None",
                          "filter_size or output_size given", "and output_size are both None");
  }
  if (!derived) CTCONV_RETURN_IF_ERROR(a.kernel.form());
  return size.fault.ok() ? Status() : Status(size.fault.detail());
}

Status judge(const LayerArguments& a) {
  CTCONV_RETURN_IF_ERROR(a.groups.positive(Code::TYPE_GROUPS, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(a.out.positive(Code::TYPE_OUT_CHANNELS, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(divisible(a.out, a.groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(a.stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  return a.dilation.at_least(1, Code::VALUE_DILATION);
}

Result<Descriptor> interpret_static(const Dialect& self, const Arguments& args, std::string_view) {
  const bool derived = argument_or(args, "filter_size", none_value()).is_none();
  LayerArguments given = paddle::read_sizes(args, self.rank, derived ? nullptr : "filter_size");
  given.out = {args, "num_filters"};
  given.groups = paddle::read_groups(args);

  Descriptor d = begin_descriptor(self, self.rank);
  paddle::common_fields(&d);
  paddle::Form form;
  CTCONV_RETURN_IF_ERROR(paddle::read_form(args, self.rank, {&given.stride, &given.dilation}, &form));
  const RequestedSize requested = read_output_size(d, argument_or(args, "output_size", none_value()), 0);
  CTCONV_RETURN_IF_ERROR(judge_size_source(given, derived, requested));
  CTCONV_RETURN_IF_ERROR(judge(given));
  set_layer(given, &d);
  const std::vector<int64_t> bias_shape = {d.out_channels};
  CTCONV_RETURN_IF_ERROR(paddle::read_weight_attr(args, "param_attr", nullptr, &d));
  CTCONV_RETURN_IF_ERROR(paddle::read_bias_attr(args, &bias_shape, &d));
  CTCONV_RETURN_IF_ERROR(paddle::read_act(args, &d));

  if (derived) d.kernel_source = KernelSource::kOutputSize;
  paddle::set_form(form, &d);
  d.output_padding.assign(d.stride.size(), 0);
  if (requested.given) d.output_size.assign(requested.sizes.begin(), requested.sizes.begin() + d.rank);
  d.spelling.x = "input";
  d.spelling.out_channels = "num_filters";
  d.spelling.kernel_size = "filter_size";
  d.order = {Check::kInputRank,       Check::kDerivedKernel, Check::kWeightRank,    Check::kGroupsDivideInput,
             Check::kInputType,       Check::kTypesAgree,    Check::kInputChannels, Check::kWeightShape,
             Check::kOutputSizeRange, Check::kExtent,        Check::kBiasShape};
  return d;
}

}  // namespace

const Dialect kPaddleStatic2d = {"paddle.static.nn.conv2d_transpose",
                                 "PaddlePaddle paddle.static.nn.conv2d_transpose, paddlepaddle 3.3.1", 2, kArguments2d,
                                 interpret_static};
const Dialect kPaddleStatic3d = {"paddle.static.nn.conv3d_transpose",
                                 "PaddlePaddle paddle.static.nn.conv3d_transpose, paddlepaddle 3.3.1", 3, kArguments3d,
                                 interpret_static};

}  // namespace ctconv
