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

template <int kRank>
Result<Descriptor> interpret_static(const Dialect& self, const Arguments& args, std::string_view) {
  const Whole filters(args, "num_filters"), groups = paddle::read_groups(args);
  const Axes kernel(
      args, "filter_size", 1,
      paddle::axes(kRank, Code::VALUE_KERNEL_SIZE, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH));
  const Axes stride(args, "stride", 1,
                    paddle::axes(kRank, Code::VALUE_STRIDE, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes dilation(args, "dilation", 1,
                      paddle::axes(kRank, Code::VALUE_DILATION, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH));
  const Value size = argument_or(args, "output_size", none_value());
  const bool derived = argument_or(args, "filter_size", none_value()).is_none();

  Descriptor d;
  d.dialect = self.name;
  d.rank = kRank;
  paddle::common_fields(&d);
  paddle::Padding padding;
  CTCONV_RETURN_IF_ERROR(paddle::read_data_format(args, kRank, &d.channels_last));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(stride));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(dilation));
  CTCONV_RETURN_IF_ERROR(paddle::read_padding(args, kRank, d.channels_last, &padding));
  if (derived && size.is_none()) {
    return argument_error(Code::VALUE_OUTPUT_SIZE_AND_FILTER_SIZE, "filter_size", "None",
                          "filter_size or output_size given", "and output_size are both None");
  }
  if (!derived) CTCONV_RETURN_IF_ERROR(paddle::judge_form(kernel));
  RequestedSize requested = read_output_size(d, size, 0);
  if (!requested.fault.ok()) return std::move(requested.fault);
  CTCONV_RETURN_IF_ERROR(groups.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(groups.at_least(1, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(filters.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(filters.at_least(1, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(divisible(filters, groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(stride.at_least(1, Code::VALUE_STRIDE));
  if (!derived) CTCONV_RETURN_IF_ERROR(kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(dilation.at_least(1, Code::VALUE_DILATION));
  const std::vector<int64_t> bias_shape = {filters.get()};
  CTCONV_RETURN_IF_ERROR(paddle::read_weight_attr(args, "param_attr", nullptr, &d));
  CTCONV_RETURN_IF_ERROR(paddle::read_bias_attr(args, &bias_shape, &d));
  CTCONV_RETURN_IF_ERROR(paddle::read_act(args, &d));

  d.out_channels = filters.get();
  d.groups = groups.get();
  if (derived) {
    d.kernel_source = KernelSource::kOutputSize;
  } else {
    d.kernel = kernel.get();
  }
  d.stride = stride.get();
  d.dilation = dilation.get();
  paddle::lower_padding(padding, &d);
  d.output_padding.assign(kRank, 0);
  if (requested.given) d.output_size.assign(requested.sizes.begin(), requested.sizes.begin() + kRank);
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
                                 "PaddlePaddle paddle.static.nn.conv2d_transpose, paddlepaddle 3.3.1", kArguments2d,
                                 interpret_static<2>};
const Dialect kPaddleStatic3d = {"paddle.static.nn.conv3d_transpose",
                                 "PaddlePaddle paddle.static.nn.conv3d_transpose, paddlepaddle 3.3.1", kArguments3d,
                                 interpret_static<3>};

}  // namespace ctconv
