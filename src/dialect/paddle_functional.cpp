// SPDX-License-Identifier: Apache-2.0
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

// The package compares with the int 0: a sequence of zeros counts as given.
Status judge_size_alone(const Value& size, const Value& extra) {
  if (size.is_none() || (extra.tag == Value::kInt && extra.i == 0)) return {};
  return argument_error(Code::VALUE_OUTPUT_SIZE_AND_OUTPUT_PADDING, "output_padding", extra.show(),
                        "0 where output_size is given", "and output_size exclude each other");
}

Status judge(const LayerArguments& a) {
  CTCONV_RETURN_IF_ERROR(a.groups.positive(Code::TYPE_GROUPS, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(a.output_padding.form());
  CTCONV_RETURN_IF_ERROR(a.stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.dilation.at_least(1, Code::VALUE_DILATION));
  return a.output_padding.at_least(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE);
}

Result<Descriptor> interpret_functional(const Dialect& self, const Arguments& args, std::string_view) {
  LayerArguments given = paddle::read_sizes(args, self.rank, nullptr);
  given.groups = {args, "groups", 1};
  const Value size = argument_or(args, "output_size", none_value());

  Descriptor d = begin_descriptor(self, self.rank);
  paddle::common_fields(&d);
  paddle::Form form;
  CTCONV_RETURN_IF_ERROR(paddle::read_form(args, self.rank, {&given.stride, &given.dilation}, &form));
  CTCONV_RETURN_IF_ERROR(judge_size_alone(size, given.output_padding.value()));
  RequestedSize requested = read_output_size(d, size, 0);
  if (!requested.fault.ok()) return std::move(requested.fault);
  CTCONV_RETURN_IF_ERROR(judge(given));
  set_layer(given, &d);
  paddle::set_form(form, &d);
  if (!requested.given) {
    CTCONV_RETURN_IF_ERROR(output_padding_below(given.output_padding, max_of(d.stride, d.dilation),
                                                "max(stride, dilation)", Code::VALUE_OUTPUT_PADDING_RANGE));
  }

  d.kernel_source = KernelSource::kWeight;
  d.output_padding = given.output_padding.get();
  if (requested.given) d.output_size.assign(requested.sizes.begin(), requested.sizes.begin() + d.rank);
  d.weight_init = d.bias_init = {.kind = Initialiser::kNoParameter};
  d.order = {Check::kInputRank,  Check::kWeightRank,    Check::kGroupsDivideInput, Check::kInputType,
             Check::kTypesAgree, Check::kInputChannels, Check::kWeightShape,       Check::kOutputSizeRange,
             Check::kExtent,     Check::kBiasShape};
  return d;
}

}  // namespace

const Dialect kPaddleFunctional1d = {"paddle.nn.functional.conv1d_transpose",
                                     "PaddlePaddle paddle.nn.functional.conv1d_transpose, paddlepaddle 3.3.1", 1,
                                     kArguments1d, interpret_functional};
const Dialect kPaddleFunctional2d = {"paddle.nn.functional.conv2d_transpose",
                                     "PaddlePaddle paddle.nn.functional.conv2d_transpose, paddlepaddle 3.3.1", 2,
                                     kArguments2d, interpret_functional};
const Dialect kPaddleFunctional3d = {"paddle.nn.functional.conv3d_transpose",
                                     "PaddlePaddle paddle.nn.functional.conv3d_transpose, paddlepaddle 3.3.1", 3,
                                     kArguments3d, interpret_functional};

}  // namespace ctconv
