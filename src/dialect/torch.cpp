// SPDX-License-Identifier: Apache-2.0
// torch.nn.ConvTranspose1d / 2d / 3d. Source: PyTorch documentation of torch.nn.ConvTranspose3d, torch 2.15.0.
//
//   in:   in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation, padding_mode
//         (device, dtype ignored)
//   out:  pad_begin = pad_end = padding; output_padding as given or from output_size
//   call: forward(input, output_size=None); input (N, C, ...) or (C, ...)
//   The page has no Raises section; the order below is the package's. Ints, or tuples or lists of rank entries; one
//   entry broadcasts (not for kernel_size).
//   output_padding's limit is judged at the call, where output_size replaces it.
#include "src/dialect/families.h"
#include "src/dialect/layer.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"in_channels", "", true}, {"out_channels", "", true},         {"kernel_size", "", true}, {"stride", "1", false},
    {"padding", "0", false},   {"output_padding", "0", false},     {"groups", "1", false},    {"bias", "True", false},
    {"dilation", "1", false},  {"padding_mode", "'zeros'", false}, {"device", "None", false}, {"dtype", "None", false},
};

LayerArguments read(const Arguments& args, int rank) {
  const auto axes = [&](const char* name, int64_t fallback, Code type, Code length, bool one_for_all = true) {
    return Axes(args, name, fallback,
                {.count = rank,
                 .list = true,
                 .one_for_all = one_for_all,
                 .wrong_type = type,
                 .wrong_entry = type,
                 .wrong_length = length});
  };
  return {.in = {args, "in_channels"},
          .out = {args, "out_channels"},
          .groups = {args, "groups", 1},
          .kernel = axes("kernel_size", 1, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH, false),
          .stride = axes("stride", 1, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH),
          .dilation = axes("dilation", 1, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH),
          .padding = axes("padding", 0, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH),
          .output_padding = axes("output_padding", 0, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH)};
}

Status judge(const LayerArguments& a, const Value& padding_mode) {
  int mode = 0;
  CTCONV_RETURN_IF_ERROR(one_of("padding_mode", padding_mode, {"zeros"}, false, Code::VALUE_PADDING_MODE,
                                Code::VALUE_PADDING_MODE, &mode));
  CTCONV_RETURN_IF_ERROR(a.groups.positive(Code::TYPE_GROUPS, Code::VALUE_GROUPS));
  if (a.in.is_int()) CTCONV_RETURN_IF_ERROR(divisible(a.in, a.groups, Code::VALUE_IN_CHANNELS_GROUPS));
  if (a.out.is_int()) CTCONV_RETURN_IF_ERROR(divisible(a.out, a.groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(a.in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.out.type(Code::TYPE_OUT_CHANNELS));
  const Axes* const in_order[] = {&a.kernel, &a.stride, &a.padding, &a.output_padding, &a.dilation};
  for (const Axes* axes : in_order) CTCONV_RETURN_IF_ERROR(axes->type());
  for (const Axes* axes : in_order) CTCONV_RETURN_IF_ERROR(axes->length());
  CTCONV_RETURN_IF_ERROR(a.padding.at_least(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(a.output_padding.at_least(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(a.stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.in.at_least(1, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.dilation.at_least(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(a.kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  return a.out.at_least(1, Code::VALUE_OUT_CHANNELS);
}

Result<Descriptor> interpret_torch(const Dialect& self, const Arguments& args, std::string_view) {
  const LayerArguments given = read(args, self.rank);
  CTCONV_RETURN_IF_ERROR(judge(given, argument_or(args, "padding_mode", string_value("zeros"))));

  Descriptor d = begin_descriptor(self, self.rank, given);
  d.pad_begin = d.pad_end = given.padding.get();
  d.output_padding = given.output_padding.get();
  d.output_size_rule = OutputSizeRule::kWindow;
  d.output_size_in_call = true;
  d.output_size_leading = true;
  d.output_padding_limit = Descriptor::PaddingLimit::kUnlessOutputSize;
  d.unbatched = true;
  d.bias_allowed = d.bias_expected = truthy(argument_or(args, "bias", bool_value(true)));
  d.types = element_types({Dtype::kF16, Dtype::kBf16, Dtype::kF32, Dtype::kF64});
  d.weight_init = d.bias_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanIn, .scale = 1};
  d.order = {Check::kOutputSizeForm, Check::kOutputSizeRange, Check::kInputRank,          Check::kWeightRank,
             Check::kInputChannels,  Check::kWeightShape,     Check::kOutputPaddingRange, Check::kBiasShape,
             Check::kExtent,         Check::kInputType,       Check::kTypesAgree};
  return d;
}

}  // namespace

const Dialect kTorch1d = {"torch.nn.ConvTranspose1d", "PyTorch torch.nn.ConvTranspose1d, torch 2.15.0", 1, kArguments,
                          interpret_torch};
const Dialect kTorch2d = {"torch.nn.ConvTranspose2d", "PyTorch torch.nn.ConvTranspose2d, torch 2.15.0", 2, kArguments,
                          interpret_torch};
const Dialect kTorch3d = {"torch.nn.ConvTranspose3d", "PyTorch torch.nn.ConvTranspose3d, torch 2.15.0", 3, kArguments,
                          interpret_torch};

}  // namespace ctconv
