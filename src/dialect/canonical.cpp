// ctconv: the canonical problem's own fields. Source: docs/semantics.md section 1.
//
//   in:  in_channels, out_channels, groups, kernel_size, stride, dilation, pad_begin, pad_end, output_padding,
//        zero_tail, data_format, bias
//   out: as given; the rank is the length of kernel_size (an int: 1-D)
//   Judged in the order of that list, per argument type, length, range; then in % groups, out % groups.
//   Input: rank + 2 axes only.
#include "src/dialect/families.h"
#include "src/dialect/rules.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"in_channels", "", true},
    {"out_channels", "", true},
    {"groups", "1", false},
    {"kernel_size", "", true},
    {"stride", "1", false},
    {"dilation", "1", false},
    {"pad_begin", "0", false},
    {"pad_end", "0", false},
    {"output_padding", "0", false},
    {"zero_tail", "0", false},
    {"data_format", "'channels_first'", false},
    {"bias", "True", false},
};

Status judge(const Axes& a, int64_t least, Code range) {
  CTCONV_RETURN_IF_ERROR(a.type());
  CTCONV_RETURN_IF_ERROR(a.length());
  return a.at_least(least, range);
}

Result<Descriptor> interpret_canonical(const Dialect& self, const Arguments& args, std::string_view) {
  const Whole in(args, "in_channels"), out(args, "out_channels"), groups(args, "groups", 1);
  CTCONV_RETURN_IF_ERROR(in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(in.at_least(1, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.at_least(1, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(groups.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(groups.at_least(1, Code::VALUE_GROUPS));

  const Value& kernel_value = *args.find("kernel_size");
  const int rank = kernel_value.is_sequence() ? static_cast<int>(std::min<size_t>(kernel_value.items.size(), 4)) : 1;
  const auto policy = [&](Code type, Code length) {
    return AxesPolicy{.count = rank, .list = true, .wrong_type = type, .wrong_entry = type, .wrong_length = length};
  };
  const Axes kernel(args, "kernel_size", 1, policy(Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH));
  const Axes stride(args, "stride", 1, policy(Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes dilation(args, "dilation", 1, policy(Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH));
  const Axes begin(args, "pad_begin", 0, policy(Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH));
  const Axes end(args, "pad_end", 0, policy(Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH));
  const Axes extra(args, "output_padding", 0, policy(Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));
  const Axes tail(args, "zero_tail", 0, policy(Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));

  CTCONV_RETURN_IF_ERROR(kernel.type());
  if (rank < 1 || rank > 3) {
    return argument_error(Code::VALUE_KERNEL_SIZE_LENGTH, "kernel_size", kernel_value.show(),
                          "1 to 3 entries, or an int for 1-D",
                          "has " + std::to_string(kernel_value.items.size()) + " entries");
  }
  CTCONV_RETURN_IF_ERROR(kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(judge(stride, 1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(judge(dilation, 1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(judge(begin, 0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(judge(end, 0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(judge(extra, 0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(judge(tail, 0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  int format = 0;
  CTCONV_RETURN_IF_ERROR(one_of("data_format", argument_or(args, "data_format", string_value("channels_first")),
                                {"channels_first", "channels_last"}, false, Code::VALUE_DATA_FORMAT,
                                Code::VALUE_DATA_FORMAT, &format));
  const Value bias = argument_or(args, "bias", bool_value(true));
  if (bias.tag != Value::kBool)
    return argument_error(Code::TYPE_BIAS, "bias", bias.show(), "a bool", "is " + bias.type_name());
  CTCONV_RETURN_IF_ERROR(divisible(in, groups, Code::VALUE_IN_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(out, groups, Code::VALUE_OUT_CHANNELS_GROUPS));

  Descriptor d;
  d.dialect = self.name;
  d.rank = rank;
  d.in_channels = in.get();
  d.out_channels = out.get();
  d.groups = groups.get();
  d.kernel = kernel.get();
  d.stride = stride.get();
  d.dilation = dilation.get();
  d.pad_begin = begin.get();
  d.pad_end = end.get();
  d.output_padding = extra.get();
  d.zero_tail = tail.get();
  d.channels_last = format == 1;
  d.bias_allowed = d.bias_expected = bias.i != 0;
  d.types = {element_type(Dtype::kF16), element_type(Dtype::kBf16), element_type(Dtype::kF32),
             element_type(Dtype::kF64)};
  d.weight_init = d.bias_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanIn, .scale = 1};
  d.order = {Check::kInputType,     Check::kTypesAgree,  Check::kInputRank, Check::kWeightRank,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kCanonical = {"ctconv", "libctconv docs/semantics.md, section 1", kArguments, interpret_canonical};

}  // namespace ctconv
