// paddle.nn.functional.conv1d_transpose / conv2d_transpose / conv3d_transpose. Source: PaddlePaddle documentation of
// paddle.nn.functional.conv3d_transpose, paddlepaddle 3.3.1; docs/semantics.md section 7.
//
//   in:  stride, padding, output_padding, groups, dilation, output_size, data_format, name
//        x, weight and bias are the call's tensors
//   out: channels and kernel come from the weight, so its shape cannot be answered
//   output_size and output_padding exclude each other. Positions count from the first argument after x, weight, bias.
#include "src/dialect/families.h"
#include "src/dialect/paddle.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments1d[] = {
    {"stride", "1", false},   {"padding", "0", false},        {"output_padding", "0", false},  {"groups", "1", false},
    {"dilation", "1", false}, {"output_size", "None", false}, {"data_format", "'NCL'", false}, {"name", "None", false},
};
constexpr ArgumentRow kArguments2d[] = {
    {"stride", "1", false}, {"padding", "0", false},        {"output_padding", "0", false},   {"dilation", "1", false},
    {"groups", "1", false}, {"output_size", "None", false}, {"data_format", "'NCHW'", false}, {"name", "None", false},
};
constexpr ArgumentRow kArguments3d[] = {
    {"stride", "1", false},
    {"padding", "0", false},
    {"output_padding", "0", false},
    {"groups", "1", false},
    {"dilation", "1", false},
    {"output_size", "None", false},
    {"data_format", "'NCDHW'", false},
    {"name", "None", false},
};

template <int kRank>
Result<Descriptor> interpret_functional(const Dialect& self, const Arguments& args, std::string_view) {
  const Whole groups(args, "groups", 1);
  const Axes stride(args, "stride", 1,
                    paddle::axes(kRank, Code::VALUE_STRIDE, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes dilation(args, "dilation", 1,
                      paddle::axes(kRank, Code::VALUE_DILATION, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH));
  const Axes extra(
      args, "output_padding", 0,
      paddle::axes(kRank, Code::VALUE_OUTPUT_PADDING, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));
  const Value size = argument_or(args, "output_size", none_value());

  Descriptor d;
  d.dialect = self.name;
  d.rank = kRank;
  paddle::common_fields(&d);
  paddle::Padding padding;
  CTCONV_RETURN_IF_ERROR(paddle::read_data_format(args, kRank, &d.channels_last));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(stride));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(dilation));
  CTCONV_RETURN_IF_ERROR(paddle::read_padding(args, kRank, d.channels_last, &padding));
  // The package compares with the int 0: a sequence of zeros counts as given.
  const bool no_extra = extra.value().tag == Value::kInt && extra.value().i == 0;
  if (!size.is_none() && !no_extra) {
    return argument_error(Code::VALUE_OUTPUT_SIZE_AND_OUTPUT_PADDING, "output_padding", extra.value().show(),
                          "0 where output_size is given", "and output_size exclude each other");
  }
  RequestedSize requested = read_output_size(d, size, 0);
  if (!requested.fault.ok()) return std::move(requested.fault);
  CTCONV_RETURN_IF_ERROR(groups.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(groups.at_least(1, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(paddle::judge_form(extra));
  CTCONV_RETURN_IF_ERROR(stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(dilation.at_least(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(extra.at_least(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  d.dilation = dilation.get();
  paddle::lower_padding(padding, &d);
  if (!requested.given) {
    CTCONV_RETURN_IF_ERROR(output_padding_below(extra, max_of(stride.get(), d.dilation), "max(stride, dilation)",
                                                Code::VALUE_OUTPUT_PADDING_RANGE));
  }

  d.groups = groups.get();
  d.kernel_source = KernelSource::kWeight;
  d.stride = stride.get();
  d.output_padding = extra.get();
  if (requested.given) d.output_size.assign(requested.sizes.begin(), requested.sizes.begin() + kRank);
  d.weight_init = d.bias_init = {.kind = Initialiser::kNoParameter};
  d.order = {Check::kInputRank,  Check::kWeightRank,    Check::kGroupsDivideInput, Check::kInputType,
             Check::kTypesAgree, Check::kInputChannels, Check::kWeightShape,       Check::kOutputSizeRange,
             Check::kExtent,     Check::kBiasShape};
  return d;
}

}  // namespace

const Dialect kPaddleFunctional1d = {"paddle.nn.functional.conv1d_transpose",
                                     "PaddlePaddle paddle.nn.functional.conv1d_transpose, paddlepaddle 3.3.1",
                                     kArguments1d, interpret_functional<1>};
const Dialect kPaddleFunctional2d = {"paddle.nn.functional.conv2d_transpose",
                                     "PaddlePaddle paddle.nn.functional.conv2d_transpose, paddlepaddle 3.3.1",
                                     kArguments2d, interpret_functional<2>};
const Dialect kPaddleFunctional3d = {"paddle.nn.functional.conv3d_transpose",
                                     "PaddlePaddle paddle.nn.functional.conv3d_transpose, paddlepaddle 3.3.1",
                                     kArguments3d, interpret_functional<3>};

}  // namespace ctconv
