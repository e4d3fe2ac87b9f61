// SPDX-License-Identifier: Apache-2.0
// ctconv: the canonical problem's own fields. Source: docs/semantics.md section 1.
//
//   in:  in_channels, out_channels, groups, kernel_size, stride, dilation, pad_begin, pad_end, output_padding,
//        zero_tail, data_format, bias
//   out: as given; the rank is the length of kernel_size (an int: 1-D)
//   Judged in the order of that list, per argument type, length, range; then in % groups, out % groups.
//   Input: rank + 2 axes only.
#include "src/dialect/families.h"
#include "src/dialect/layer.h"

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

struct CanonicalArguments : LayerArguments {
  Axes pad_end, zero_tail;  // `padding` is pad_begin
};

// The rank: the length of kernel_size. A length beyond 3 is read as 4 and refused.
int rank_of(const Arguments& args) {
  const Value& kernel = *args.find("kernel_size");
  return kernel.is_sequence() ? static_cast<int>(std::min<size_t>(kernel.items.size(), 4)) : 1;
}

CanonicalArguments read(const Arguments& args, int rank) {
  const auto axes = [&](const char* name, int64_t fallback, Code type, Code length) {
    return Axes(args, name, fallback,
                {.count = rank,
                 .list = true,
                 .entries_first = true,
                 .wrong_type = type,
                 .wrong_entry = type,
                 .wrong_length = length});
  };
  CanonicalArguments a;
  a.in = {args, "in_channels"};
  a.out = {args, "out_channels"};
  a.groups = {args, "groups", 1};
  a.kernel = axes("kernel_size", 1, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH);
  a.stride = axes("stride", 1, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH);
  a.dilation = axes("dilation", 1, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH);
  a.padding = axes("pad_begin", 0, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH);
  a.pad_end = axes("pad_end", 0, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH);
  a.output_padding = axes("output_padding", 0, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH);
  a.zero_tail = axes("zero_tail", 0, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH);
  return a;
}

Status judge_axes(const CanonicalArguments& a, int rank) {
  CTCONV_RETURN_IF_ERROR(a.kernel.type());
  if (rank < 1 || rank > 3) {
    return argument_error(Code::VALUE_KERNEL_SIZE_LENGTH, "kernel_size", a.kernel.value().show(),
                          "1 to 3 entries, or an int for 1-D",
                          "has " + std::to_string(a.kernel.value().items.size()) + " entries");
  }
  CTCONV_RETURN_IF_ERROR(a.kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(a.stride.judge(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.dilation.judge(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(a.padding.judge(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(a.pad_end.judge(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(a.output_padding.judge(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  return a.zero_tail.judge(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE);
}

Result<Descriptor> interpret_canonical(const Dialect& self, const Arguments& args, std::string_view) {
  const int rank = rank_of(args);
  const CanonicalArguments given = read(args, rank);
  CTCONV_RETURN_IF_ERROR(given.in.positive(Code::TYPE_IN_CHANNELS, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(given.out.positive(Code::TYPE_OUT_CHANNELS, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(given.groups.positive(Code::TYPE_GROUPS, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(judge_axes(given, rank));
  int format = 0;
  CTCONV_RETURN_IF_ERROR(one_of("data_format", argument_or(args, "data_format", string_value("channels_first")),
                                {"channels_first", "channels_last"}, false, Code::VALUE_DATA_FORMAT,
                                Code::VALUE_DATA_FORMAT, &format));
  bool bias = false;
  CTCONV_RETURN_IF_ERROR(read_flag("bias", argument_or(args, "bias", bool_value(true)), Code::TYPE_BIAS, &bias));
  CTCONV_RETURN_IF_ERROR(divisible(given.in, given.groups, Code::VALUE_IN_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(given.out, given.groups, Code::VALUE_OUT_CHANNELS_GROUPS));

  Descriptor d = begin_descriptor(self, rank, given);
  d.pad_begin = given.padding.get();
  d.pad_end = given.pad_end.get();
  d.output_padding = given.output_padding.get();
  d.zero_tail = given.zero_tail.get();
  d.channels_last = format == 1;
  d.bias_allowed = d.bias_expected = bias;
  d.types = element_types({Dtype::kF16, Dtype::kBf16, Dtype::kF32, Dtype::kF64});
  d.weight_init = d.bias_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanIn, .scale = 1};
  d.order = {Check::kInputType,     Check::kTypesAgree,  Check::kInputRank, Check::kWeightRank,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kCanonical = {"ctconv", "libctconv docs/semantics.md, section 1", 0, kArguments, interpret_canonical};

}  // namespace ctconv
