// mindspore.nn.Conv2dTranspose and nn.Conv1dTranspose. Source: MindSpore documentation of nn.Conv2dTranspose,
// mindspore 2.10.0; docs/semantics.md section 5.
//
//   in:  in_channels, out_channels, kernel_size, stride, pad_mode, padding, output_padding (2-D only), dilation, group,
//        has_bias, weight_init, bias_init, dtype
//   out: pads by pad_mode; output_padding becomes rows of zeros AFTER the bias (zero_tail), unlike every other dialect
//        1-D: ints only, padding on both sides, weight (in, out/group, 1, k)
//   pad_mode is lower case only. A wrong-length tuple or a non-int entry of kernel_size, stride, dilation is a
//   TypeError here. The package judges output_padding's range and conflict at the call; here they are the last step
//   of the validator, range first.
#include "src/dialect/families.h"
#include "src/dialect/mindspore.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments2d[] = {
    {"in_channels", "", true},
    {"out_channels", "", true},
    {"kernel_size", "", true},
    {"stride", "1", false},
    {"pad_mode", "'same'", false},
    {"padding", "0", false},
    {"output_padding", "0", false},
    {"dilation", "1", false},
    {"group", "1", false},
    {"has_bias", "False", false},
    {"weight_init", "None", false},
    {"bias_init", "None", false},
    {"dtype", "mindspore.float32", false},
};
constexpr ArgumentRow kArguments2d20[] = {
    {"in_channels", "", true},      {"out_channels", "", true},         {"kernel_size", "", true},
    {"stride", "1", false},         {"pad_mode", "'same'", false},      {"padding", "0", false},
    {"output_padding", "0", false}, {"dilation", "1", false},           {"group", "1", false},
    {"has_bias", "False", false},   {"weight_init", "'normal'", false}, {"bias_init", "'zeros'", false},
};
constexpr ArgumentRow kArguments1d[] = {
    {"in_channels", "", true},      {"out_channels", "", true},    {"kernel_size", "", true},
    {"stride", "1", false},         {"pad_mode", "'same'", false}, {"padding", "0", false},
    {"dilation", "1", false},       {"group", "1", false},         {"has_bias", "False", false},
    {"weight_init", "None", false}, {"bias_init", "None", false},  {"dtype", "mindspore.float32", false},
};
constexpr ArgumentRow kArguments1d20[] = {
    {"in_channels", "", true},       {"out_channels", "", true},
    {"kernel_size", "", true},       {"stride", "1", false},
    {"pad_mode", "'same'", false},   {"padding", "0", false},
    {"dilation", "1", false},        {"group", "1", false},
    {"has_bias", "False", false},    {"weight_init", "'normal'", false},
    {"bias_init", "'zeros'", false},
};
constexpr DialectVersion kVersions2d[] = {{"2.0", kArguments2d20}};
constexpr DialectVersion kVersions1d[] = {{"2.0", kArguments1d20}};

// A size argument of which everything wrong is a TypeError.
Status judge_type(const Axes& a) {
  CTCONV_RETURN_IF_ERROR(a.container());
  CTCONV_RETURN_IF_ERROR(a.length());
  return a.entries();
}

// 0 <= output_padding < max(stride, dilation): both bounds are one rule here.
Status judge_range(const Axes& extra, const std::vector<int64_t>& limit) {
  const std::vector<int64_t> values = extra.get();
  for (size_t n = 0; n < values.size(); ++n) {
    if (values[n] >= 0 && values[n] < limit[n]) continue;
    return argument_error(Code::VALUE_OUTPUT_PADDING_RANGE, extra.name(), extra.value().show(),
                          "0 <= output_padding < max(stride, dilation) = " + std::to_string(limit[n]),
                          "entry is out of range", static_cast<int32_t>(n));
  }
  return {};
}

template <int kRank>
Result<Descriptor> interpret_nn(const Dialect& self, const Arguments& args, std::string_view version) {
  const bool old = version == "2.0";
  const auto axes = [](int count, Code type, Code length) {
    return AxesPolicy{
        .count = count, .tuple = kRank > 1, .wrong_type = type, .wrong_entry = type, .wrong_length = length};
  };
  const Whole in(args, "in_channels"), out(args, "out_channels"), group(args, "group", 1);
  const Axes kernel(args, "kernel_size", 1, axes(kRank, Code::TYPE_KERNEL_SIZE, Code::TYPE_KERNEL_SIZE));
  const Axes stride(args, "stride", 1, axes(kRank, Code::TYPE_STRIDE, Code::TYPE_STRIDE));
  const Axes dilation(args, "dilation", 1, axes(kRank, Code::TYPE_DILATION, Code::TYPE_DILATION));
  const Axes padding(args, "padding", 0, axes(2 * kRank, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH));
  const Axes extra(args, "output_padding", 0,
                   axes(kRank, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));

  CTCONV_RETURN_IF_ERROR(judge_type(kernel));
  CTCONV_RETURN_IF_ERROR(judge_type(stride));
  CTCONV_RETURN_IF_ERROR(judge_type(dilation));
  CTCONV_RETURN_IF_ERROR(padding.container());
  CTCONV_RETURN_IF_ERROR(padding.length());
  CTCONV_RETURN_IF_ERROR(extra.type());
  CTCONV_RETURN_IF_ERROR(extra.length());
  CTCONV_RETURN_IF_ERROR(in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(in.at_least(1, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.at_least(1, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(padding.entries());
  CTCONV_RETURN_IF_ERROR(padding.at_least(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(group.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(group.at_least(1, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(dilation.at_least(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(divisible(in, group, Code::VALUE_IN_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(out, group, Code::VALUE_OUT_CHANNELS_GROUPS));

  Descriptor d;
  d.dialect = self.name;
  d.rank = kRank;
  d.in_channels = in.get();
  d.out_channels = out.get();
  d.groups = group.get();
  d.kernel = kernel.get();
  d.stride = stride.get();
  d.dilation = dilation.get();
  std::vector<int64_t> weight_shape = {d.in_channels, d.out_channels / d.groups};
  if (kRank == 1) weight_shape.push_back(1);
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
  int index = 0;
  CTCONV_RETURN_IF_ERROR(one_of("pad_mode", argument_or(args, "pad_mode", string_value("same")),
                                {"same", "valid", "pad"}, false, Code::VALUE_PAD_MODE, Code::VALUE_PAD_MODE, &index));
  const auto how = static_cast<mindspore::PadMode>(index);
  if (how != mindspore::PadMode::kPad) CTCONV_RETURN_IF_ERROR(mindspore::pad_conflict(padding));
  mindspore::common_fields(&d);
  if (!old) {
    CTCONV_RETURN_IF_ERROR(mindspore::read_dtype(argument_or(args, "dtype", string_value("float32")), &d.type));
    d.fixed_type = true;
  }
  CTCONV_RETURN_IF_ERROR(judge_range(extra, max_of(d.stride, d.dilation)));
  if (how != mindspore::PadMode::kPad) CTCONV_RETURN_IF_ERROR(mindspore::output_padding_conflict(extra));

  const std::vector<int64_t> sides = padding.get();
  for (int n = 0; n < kRank; ++n) {
    d.pad_begin.push_back(sides[2 * n]);
    d.pad_end.push_back(sides[2 * n + 1]);
  }
  d.output_padding.assign(kRank, 0);
  mindspore::lower_pad_mode(how, &d);
  d.zero_tail = extra.get();
  if (kRank == 1) d.weight_order = WeightOrder::kInOutOneTaps;
  d.bias_allowed = d.bias_expected = bias;
  d.order = {Check::kInputRank,     Check::kInputType,   Check::kTypesAgree, Check::kWeightRank,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape,  Check::kExtent};
  return d;
}

}  // namespace

const Dialect kMindsporeNn1d = {"mindspore.nn.Conv1dTranspose",
                                "MindSpore mindspore.nn.Conv1dTranspose, mindspore 2.10.0 (@2.0: 2.0 alpha)",
                                kArguments1d, interpret_nn<1>, kVersions1d};
const Dialect kMindsporeNn2d = {"mindspore.nn.Conv2dTranspose",
                                "MindSpore mindspore.nn.Conv2dTranspose, mindspore 2.10.0 (@2.0: 2.0 alpha)",
                                kArguments2d, interpret_nn<2>, kVersions2d};

}  // namespace ctconv
