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

template <int kRank>
Result<Descriptor> interpret_layer(const Dialect& self, const Arguments& args, std::string_view) {
  const Whole in(args, "in_channels"), out(args, "out_channels"), groups(args, "groups", 1);
  const Axes kernel(
      args, "kernel_size", 1,
      paddle::axes(kRank, Code::VALUE_KERNEL_SIZE, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH));
  const Axes stride(args, "stride", 1,
                    paddle::axes(kRank, Code::VALUE_STRIDE, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes dilation(args, "dilation", 1,
                      paddle::axes(kRank, Code::VALUE_DILATION, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH));
  const Axes extra(
      args, "output_padding", 0,
      paddle::axes(kRank, Code::VALUE_OUTPUT_PADDING, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));

  Descriptor d;
  d.dialect = self.name;
  d.rank = kRank;
  paddle::Padding padding;
  CTCONV_RETURN_IF_ERROR(paddle::read_data_format(args, kRank, &d.channels_last));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(stride));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(dilation));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(kernel));
  CTCONV_RETURN_IF_ERROR(paddle::read_padding(args, kRank, d.channels_last, &padding));
  if (groups.is_int()) CTCONV_RETURN_IF_ERROR(groups.at_least(1, Code::VALUE_GROUPS));
  if (in.is_int()) CTCONV_RETURN_IF_ERROR(in.at_least(1, Code::VALUE_IN_CHANNELS));
  if (out.is_int()) CTCONV_RETURN_IF_ERROR(out.at_least(1, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(groups.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(in, groups, Code::VALUE_IN_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(out, groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(extra));
  CTCONV_RETURN_IF_ERROR(stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(dilation.at_least(1, Code::VALUE_DILATION));
  paddle::common_fields(&d);
  std::vector<int64_t> weight_shape = {in.get(), out.get() / groups.get()};
  const std::vector<int64_t> taps = kernel.get(), bias_shape = {out.get()};
  weight_shape.insert(weight_shape.end(), taps.begin(), taps.end());
  CTCONV_RETURN_IF_ERROR(paddle::read_weight_attr(args, "weight_attr", &weight_shape, &d));
  CTCONV_RETURN_IF_ERROR(paddle::read_bias_attr(args, &bias_shape, &d));
  CTCONV_RETURN_IF_ERROR(extra.at_least(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));

  d.in_channels = in.get();
  d.out_channels = out.get();
  d.groups = groups.get();
  d.kernel = taps;
  d.stride = stride.get();
  d.dilation = dilation.get();
  paddle::lower_padding(padding, &d);
  d.output_padding = extra.get();
  d.output_size_in_call = true;
  // The 1-D layer alone hands both to the functional, whose test is `output_padding != 0`: (0,) counts as given too.
  d.output_size_excludes_padding = kRank == 1 && !(extra.value().tag == Value::kInt && extra.value().i == 0);
  d.output_padding_limit = Descriptor::PaddingLimit::kUnlessOutputSize;
  d.order = {Check::kInputRank,          Check::kWeightRank,  Check::kGroupsDivideInput,
             Check::kOutputSizeForm,     Check::kInputType,   Check::kTypesAgree,
             Check::kInputChannels,      Check::kWeightShape, Check::kOutputSizeRange,
             Check::kOutputPaddingRange, Check::kExtent,      Check::kBiasShape};
  return d;
}

}  // namespace

const Dialect kPaddleNn1d = {"paddle.nn.Conv1DTranspose", "PaddlePaddle paddle.nn.Conv1DTranspose, paddlepaddle 3.3.1",
                             kArguments1d, interpret_layer<1>};
const Dialect kPaddleNn2d = {"paddle.nn.Conv2DTranspose", "PaddlePaddle paddle.nn.Conv2DTranspose, paddlepaddle 3.3.1",
                             kArguments2d, interpret_layer<2>};
const Dialect kPaddleNn3d = {"paddle.nn.Conv3DTranspose", "PaddlePaddle paddle.nn.Conv3DTranspose, paddlepaddle 3.3.1",
                             kArguments3d, interpret_layer<3>};

}  // namespace ctconv
