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
#include "src/dialect/rules.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"in_channels", "", true}, {"out_channels", "", true}, {"kernel_size", "", true},
    {"stride", "1", false},    {"padding", "0", false},    {"output_padding", "0", false},
    {"dilation", "1", false},  {"groups", "1", false},     {"bias", "True", false},
};

Status judge(const Axes& a, int64_t least, Code range) {
  CTCONV_RETURN_IF_ERROR(a.container());
  CTCONV_RETURN_IF_ERROR(a.length());
  CTCONV_RETURN_IF_ERROR(a.entries());
  return a.at_least(least, range);
}

template <int kRank>
Result<Descriptor> interpret_module(const Dialect& self, const Arguments& args, std::string_view) {
  const auto axes = [](Code type, Code length) {
    return AxesPolicy{.count = kRank, .list = true, .wrong_type = type, .wrong_entry = type, .wrong_length = length};
  };
  const Whole in(args, "in_channels"), out(args, "out_channels"), groups(args, "groups", 1);
  const Axes kernel(args, "kernel_size", 1, axes(Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH));
  const Axes stride(args, "stride", 1, axes(Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes padding(args, "padding", 0, axes(Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH));
  const Axes dilation(args, "dilation", 1, axes(Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH));
  const Axes extra(args, "output_padding", 0, axes(Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));

  CTCONV_RETURN_IF_ERROR(judge(kernel, 1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(judge(stride, 1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(judge(padding, 0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(judge(dilation, 1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(in.at_least(1, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.at_least(1, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(groups.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(groups.at_least(1, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(in, groups, Code::VALUE_IN_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(out, groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  const Value bias = argument_or(args, "bias", bool_value(true));
  if (bias.tag != Value::kBool)
    return argument_error(Code::TYPE_BIAS, "bias", bias.show(), "a bool", "is " + bias.type_name());
  CTCONV_RETURN_IF_ERROR(judge(extra, 0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  if (extra.any_nonzero()) {
    CTCONV_RETURN_IF_ERROR(output_padding_below(extra, stride.get(), "stride", Code::VALUE_OUTPUT_PADDING_RANGE));
  }

  Descriptor d;
  d.dialect = self.name;
  d.rank = kRank;
  d.in_channels = in.get();
  d.out_channels = out.get();
  d.groups = groups.get();
  d.kernel = kernel.get();
  d.stride = stride.get();
  d.dilation = dilation.get();
  d.pad_begin = d.pad_end = padding.get();
  d.output_padding = extra.get();
  d.unbatched = kRank == 3;
  d.weight_order = WeightOrder::kGroupInOutTaps;
  d.bias_order = BiasOrder::kOneChannelOnes;
  d.bias_allowed = d.bias_expected = bias.i != 0;
  d.types = {element_type(Dtype::kF16), element_type(Dtype::kF32)};
  d.spelling.x = "inp";
  d.weight_init = {.kind = Initialiser::kNormal,
                   .fan = kRank == 3 ? Initialiser::kInChannels : Initialiser::kOutChannels,
                   .scale = 1};
  d.bias_init = {.kind = Initialiser::kConstant, .a = 0};
  d.order = {Check::kWeightRank,    Check::kInputRank,   Check::kInputType, Check::kTypesAgree,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kMegengine2d = {"megengine.module.ConvTranspose2d",
                              "MegEngine megengine.module.ConvTranspose2d (source code)", kArguments,
                              interpret_module<2>};
const Dialect kMegengine3d = {"megengine.module.ConvTranspose3d",
                              "MegEngine megengine.module.ConvTranspose3d (page and source code)", kArguments,
                              interpret_module<3>};

}  // namespace ctconv
