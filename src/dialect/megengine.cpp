// SPDX-License-Identifier: Apache-2.0
// megengine.module.ConvTranspose3d and ConvTranspose2d. Source: MegEngine documentation of module.ConvTranspose3d and
// the package's source (it was not run); docs/semantics.md section 8.
//
//   in:  in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation, groups, bias
//   out: pad_begin = pad_end = padding, output_padding as given
//        grouped weights carry a group axis in front, the bias is (1, Cout, 1, ...)
//   There is no Raises section: AssertionErrors of the source become VALUE_ (arguments) and SHAPE_ (tensors).
//   Library rules: a float is not cast to int; groups > 1 works; a negative output_padding is refused; 3-D also takes
//   (C, D, H, W), as the page says.
#include "src/dialect/families.h"
#include "src/dialect/layer.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"in_channels", "", true}, {"out_channels", "", true}, {"kernel_size", "", true},
    {"stride", "1", false},    {"padding", "0", false},    {"output_padding", "0", false},
    {"dilation", "1", false},  {"groups", "1", false},     {"bias", "True", false},
};

LayerArguments read(const Arguments& args, int rank) {
  const auto axes = [&](const char* name, int64_t fallback, Code type, Code length) {
    return Axes(args, name, fallback,
                {.count = rank, .list = true, .wrong_type = type, .wrong_entry = type, .wrong_length = length});
  };
  return {.in = {args, "in_channels"},
          .out = {args, "out_channels"},
          .groups = {args, "groups", 1},
          .kernel = axes("kernel_size", 1, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH),
          .stride = axes("stride", 1, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH),
          .dilation = axes("dilation", 1, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH),
          .padding = axes("padding", 0, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH),
          .output_padding = axes("output_padding", 0, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH)};
}

Status judge(const LayerArguments& a, const Value& bias, bool* has_bias) {
  CTCONV_RETURN_IF_ERROR(a.kernel.judge(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(a.stride.judge(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.padding.judge(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(a.dilation.judge(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(a.in.positive(Code::TYPE_IN_CHANNELS, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.out.positive(Code::TYPE_OUT_CHANNELS, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.groups.positive(Code::TYPE_GROUPS, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(a.in, a.groups, Code::VALUE_IN_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(a.out, a.groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(read_flag("bias", bias, Code::TYPE_BIAS, has_bias));
  CTCONV_RETURN_IF_ERROR(a.output_padding.judge(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  if (!a.output_padding.any_nonzero()) return {};
  return output_padding_below(a.output_padding, a.stride.get(), "stride", Code::VALUE_OUTPUT_PADDING_RANGE);
}

Result<Descriptor> interpret_module(const Dialect& self, const Arguments& args, std::string_view) {
  const LayerArguments given = read(args, self.rank);
  bool bias = false;
  CTCONV_RETURN_IF_ERROR(judge(given, argument_or(args, "bias", bool_value(true)), &bias));

  Descriptor d = begin_descriptor(self, self.rank, given);
  d.pad_begin = d.pad_end = given.padding.get();
  d.output_padding = given.output_padding.get();
  d.unbatched = self.rank == 3;
  d.weight_order = WeightOrder::kGroupInOutTaps;
  d.bias_order = BiasOrder::kOneChannelOnes;
  d.bias_allowed = d.bias_expected = bias;
  d.types = element_types({Dtype::kF16, Dtype::kF32});
  d.spelling.x = "inp";
  d.weight_init = {.kind = Initialiser::kNormal,
                   .fan = self.rank == 3 ? Initialiser::kInChannels : Initialiser::kOutChannels,
                   .scale = 1};
  d.bias_init = {.kind = Initialiser::kConstant, .a = 0};
  d.order = {Check::kWeightRank,    Check::kInputRank,   Check::kInputType, Check::kTypesAgree,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kMegengine2d = {"megengine.module.ConvTranspose2d",
                              "MegEngine megengine.module.ConvTranspose2d (source code)", 2, kArguments,
                              interpret_module};
const Dialect kMegengine3d = {"megengine.module.ConvTranspose3d",
                              "MegEngine megengine.module.ConvTranspose3d (page and source code)", 3, kArguments,
                              interpret_module};

}  // namespace ctconv
