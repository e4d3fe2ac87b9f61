// mindspore.nn.Conv3dTranspose. Source: MindSpore documentation of nn.Conv3dTranspose, mindspore 2.10.0; "@2.0":
// the 2.0 alpha page. docs/semantics.md section 4.
//
//   in:  in_channels, out_channels, kernel_size, stride, pad_mode, padding, dilation, group, output_padding, has_bias,
//        weight_init, bias_init, data_format, dtype
//   out: pads by pad_mode; bias over the whole core; x must have the type of `dtype`
//   The page calls a tuple of the wrong length a TypeError. (Padding apart: its length has a ValueError row.)
//   "@2.0": weight_init="normal", bias_init="zeros", no dtype (float16 and float32, whichever the weight has).
#include "src/dialect/families.h"
#include "src/dialect/mindspore.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"in_channels", "", true},         {"out_channels", "", true},
    {"kernel_size", "", true},         {"stride", "1", false},
    {"pad_mode", "'same'", false},     {"padding", "0", false},
    {"dilation", "1", false},          {"group", "1", false},
    {"output_padding", "0", false},    {"has_bias", "False", false},
    {"weight_init", "None", false},    {"bias_init", "None", false},
    {"data_format", "'NCDHW'", false}, {"dtype", "mindspore.float32", false},
};
constexpr ArgumentRow kArguments20[] = {
    {"in_channels", "", true},          {"out_channels", "", true},
    {"kernel_size", "", true},          {"stride", "1", false},
    {"pad_mode", "'same'", false},      {"padding", "0", false},
    {"dilation", "1", false},           {"group", "1", false},
    {"output_padding", "0", false},     {"has_bias", "False", false},
    {"weight_init", "'normal'", false}, {"bias_init", "'zeros'", false},
    {"data_format", "'NCDHW'", false},
};
constexpr DialectVersion kVersions[] = {{"2.0", kArguments20}};

AxesPolicy axes(int count, Code type, Code entry, Code length) {
  return {.count = count, .wrong_type = type, .wrong_entry = entry, .wrong_length = length};
}

Status judge(const Axes& a, int64_t least, Code range) {
  CTCONV_RETURN_IF_ERROR(a.container());
  CTCONV_RETURN_IF_ERROR(a.length());
  CTCONV_RETURN_IF_ERROR(a.entries());
  return a.at_least(least, range);
}

Result<Descriptor> interpret_nn(const Dialect& self, const Arguments& args, std::string_view version) {
  const bool old = version == "2.0";
  const Whole in(args, "in_channels"), out(args, "out_channels"), group(args, "group", 1);
  const Axes kernel(args, "kernel_size", 1,
                    axes(3, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE, Code::TYPE_KERNEL_SIZE));
  const Axes stride(args, "stride", 1, axes(3, Code::TYPE_STRIDE, Code::VALUE_STRIDE, Code::TYPE_STRIDE));
  const Axes dilation(args, "dilation", 1, axes(3, Code::TYPE_DILATION, Code::VALUE_DILATION, Code::TYPE_DILATION));
  const Axes padding(args, "padding", 0, axes(6, Code::TYPE_PADDING, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH));
  const Axes extra(args, "output_padding", 0,
                   axes(3, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING, Code::TYPE_OUTPUT_PADDING));

  const bool counts = in.is_int() && out.is_int() && group.is_int();
  if (counts) {
    if (group.get() == 0) CTCONV_RETURN_IF_ERROR(group.at_least(1, Code::VALUE_GROUPS));
    CTCONV_RETURN_IF_ERROR(divisible(in, group, Code::VALUE_IN_CHANNELS_GROUPS));
    CTCONV_RETURN_IF_ERROR(divisible(out, group, Code::VALUE_OUT_CHANNELS_GROUPS));
  }
  CTCONV_RETURN_IF_ERROR(judge(kernel, 1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(judge(stride, 1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(judge(dilation, 1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(padding.container());
  CTCONV_RETURN_IF_ERROR(padding.length());
  CTCONV_RETURN_IF_ERROR(judge(extra, 0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(in.at_least(1, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.at_least(1, Code::VALUE_OUT_CHANNELS));
  int index = 0;
  CTCONV_RETURN_IF_ERROR(one_of("data_format", argument_or(args, "data_format", string_value("NCDHW")), {"NCDHW"},
                                false, Code::VALUE_DATA_FORMAT, Code::VALUE_DATA_FORMAT, &index));
  CTCONV_RETURN_IF_ERROR(padding.entries());
  CTCONV_RETURN_IF_ERROR(padding.at_least(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(group.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(group.at_least(1, Code::VALUE_GROUPS));

  Descriptor d;
  d.dialect = self.name;
  d.rank = 3;
  d.in_channels = in.get();
  d.out_channels = out.get();
  d.groups = group.get();
  d.kernel = kernel.get();
  d.stride = stride.get();
  d.dilation = dilation.get();
  std::vector<int64_t> weight_shape = {d.in_channels, d.out_channels / d.groups};
  weight_shape.insert(weight_shape.end(), d.kernel.begin(), d.kernel.end());
  CTCONV_RETURN_IF_ERROR(mindspore::read_init(
      "weight_init", argument_or(args, "weight_init", old ? string_value("normal") : none_value()), weight_shape,
      Code::TYPE_WEIGHT_INIT, Code::VALUE_WEIGHT_INIT, mindspore::default_init(), &d.weight_init));
  bool bias = false;
  CTCONV_RETURN_IF_ERROR(mindspore::read_has_bias(argument_or(args, "has_bias", bool_value(false)), &bias));
  if (bias) {  // without a bias the package never looks at bias_init
    CTCONV_RETURN_IF_ERROR(mindspore::read_init(
        "bias_init", argument_or(args, "bias_init", old ? string_value("zeros") : none_value()), {d.out_channels},
        Code::TYPE_BIAS_INIT, Code::VALUE_BIAS_INIT, mindspore::default_init(), &d.bias_init));
  }
  CTCONV_RETURN_IF_ERROR(one_of("pad_mode", argument_or(args, "pad_mode", string_value("same")),
                                {"same", "valid", "pad"}, true, Code::VALUE_PAD_MODE, Code::TYPE_PAD_MODE, &index));
  const auto how = static_cast<mindspore::PadMode>(index);
  if (how != mindspore::PadMode::kPad) {
    CTCONV_RETURN_IF_ERROR(mindspore::pad_conflict(padding));
    CTCONV_RETURN_IF_ERROR(mindspore::output_padding_conflict(extra));
  } else {
    CTCONV_RETURN_IF_ERROR(output_padding_below(extra, max_of(d.stride, d.dilation), "max(stride, dilation)",
                                                Code::VALUE_OUTPUT_PADDING_RANGE));
  }
  const std::vector<int64_t> sides = padding.get();
  d.pad_begin = {sides[0], sides[2], sides[4]};
  d.pad_end = {sides[1], sides[3], sides[5]};
  d.output_padding = extra.get();
  mindspore::lower_pad_mode(how, &d);
  mindspore::common_fields(&d);
  if (!old) {
    CTCONV_RETURN_IF_ERROR(mindspore::read_dtype(argument_or(args, "dtype", string_value("float32")), &d.type));
    d.fixed_type = true;
  }
  d.bias_allowed = d.bias_expected = bias;
  d.order = {Check::kInputType,     Check::kTypesAgree,  Check::kInputRank, Check::kWeightRank,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kMindsporeNn3d = {"mindspore.nn.Conv3dTranspose",
                                "MindSpore mindspore.nn.Conv3dTranspose, mindspore 2.10.0 (@2.0: 2.0 alpha)",
                                kArguments, interpret_nn, kVersions};

}  // namespace ctconv
