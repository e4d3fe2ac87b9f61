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
#include "src/dialect/rules.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"in_channels", "", true}, {"out_channels", "", true},         {"kernel_size", "", true}, {"stride", "1", false},
    {"padding", "0", false},   {"output_padding", "0", false},     {"groups", "1", false},    {"bias", "True", false},
    {"dilation", "1", false},  {"padding_mode", "'zeros'", false}, {"device", "None", false}, {"dtype", "None", false},
};

AxesPolicy axes(int rank, Code type, Code length, bool one_for_all = true) {
  return {.count = rank,
          .list = true,
          .one_for_all = one_for_all,
          .wrong_type = type,
          .wrong_entry = type,
          .wrong_length = length};
}

template <int kRank>
Result<Descriptor> interpret_torch(const Dialect& self, const Arguments& args, std::string_view) {
  const Whole in(args, "in_channels"), out(args, "out_channels"), groups(args, "groups", 1);
  const Axes kernel(args, "kernel_size", 1, axes(kRank, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH, false));
  const Axes stride(args, "stride", 1, axes(kRank, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes padding(args, "padding", 0, axes(kRank, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH));
  const Axes extra(args, "output_padding", 0,
                   axes(kRank, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));
  const Axes dilation(args, "dilation", 1, axes(kRank, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH));

  int mode = 0;
  CTCONV_RETURN_IF_ERROR(one_of("padding_mode", argument_or(args, "padding_mode", string_value("zeros")), {"zeros"},
                                false, Code::VALUE_PADDING_MODE, Code::VALUE_PADDING_MODE, &mode));
  CTCONV_RETURN_IF_ERROR(groups.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(groups.at_least(1, Code::VALUE_GROUPS));
  if (in.is_int()) CTCONV_RETURN_IF_ERROR(divisible(in, groups, Code::VALUE_IN_CHANNELS_GROUPS));
  if (out.is_int()) CTCONV_RETURN_IF_ERROR(divisible(out, groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.type(Code::TYPE_OUT_CHANNELS));
  for (const Axes* a : {&kernel, &stride, &padding, &extra, &dilation}) CTCONV_RETURN_IF_ERROR(a->type());
  for (const Axes* a : {&kernel, &stride, &padding, &extra, &dilation}) CTCONV_RETURN_IF_ERROR(a->length());
  CTCONV_RETURN_IF_ERROR(padding.at_least(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(extra.at_least(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(in.at_least(1, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(dilation.at_least(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(out.at_least(1, Code::VALUE_OUT_CHANNELS));

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
  d.output_size_rule = OutputSizeRule::kWindow;
  d.output_size_in_call = true;
  d.output_size_leading = true;
  d.output_padding_limit = Descriptor::PaddingLimit::kUnlessOutputSize;
  d.unbatched = true;
  d.bias_allowed = d.bias_expected = truthy(argument_or(args, "bias", bool_value(true)));
  d.types = {element_type(Dtype::kF16), element_type(Dtype::kBf16), element_type(Dtype::kF32),
             element_type(Dtype::kF64)};
  d.weight_init = d.bias_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanIn, .scale = 1};
  d.order = {Check::kOutputSizeForm, Check::kOutputSizeRange, Check::kInputRank,          Check::kWeightRank,
             Check::kInputChannels,  Check::kWeightShape,     Check::kOutputPaddingRange, Check::kBiasShape,
             Check::kExtent,         Check::kInputType,       Check::kTypesAgree};
  return d;
}

}  // namespace

const Dialect kTorch1d = {"torch.nn.ConvTranspose1d", "PyTorch torch.nn.ConvTranspose1d, torch 2.15.0", kArguments,
                          interpret_torch<1>};
const Dialect kTorch2d = {"torch.nn.ConvTranspose2d", "PyTorch torch.nn.ConvTranspose2d, torch 2.15.0", kArguments,
                          interpret_torch<2>};
const Dialect kTorch3d = {"torch.nn.ConvTranspose3d", "PyTorch torch.nn.ConvTranspose3d, torch 2.15.0", kArguments,
                          interpret_torch<3>};

}  // namespace ctconv
