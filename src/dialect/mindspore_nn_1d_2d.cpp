// SPDX-License-Identifier: Apache-2.0
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

LayerArguments read(const Arguments& args, int rank) {
  const auto axes = [&](const char* name, int64_t fallback, int count, Code type, Code length) {
    return Axes(args, name, fallback,
                {.count = count, .tuple = rank > 1, .wrong_type = type, .wrong_entry = type, .wrong_length = length});
  };
  return {
      .in = {args, "in_channels"},
      .out = {args, "out_channels"},
      .groups = {args, "group", 1},
      .kernel = axes("kernel_size", 1, rank, Code::TYPE_KERNEL_SIZE, Code::TYPE_KERNEL_SIZE),
      .stride = axes("stride", 1, rank, Code::TYPE_STRIDE, Code::TYPE_STRIDE),
      .dilation = axes("dilation", 1, rank, Code::TYPE_DILATION, Code::TYPE_DILATION),
      .padding = axes("padding", 0, 2 * rank, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH),
      .output_padding = axes("output_padding", 0, rank, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH)};
}

Status judge(const LayerArguments& a) {
  for (const Axes* axes : {&a.kernel, &a.stride, &a.dilation}) CTCONV_RETURN_IF_ERROR(axes->form());
  CTCONV_RETURN_IF_ERROR(a.padding.container());
  CTCONV_RETURN_IF_ERROR(a.padding.length());
  CTCONV_RETURN_IF_ERROR(a.output_padding.type());
  CTCONV_RETURN_IF_ERROR(a.output_padding.length());
  CTCONV_RETURN_IF_ERROR(a.in.positive(Code::TYPE_IN_CHANNELS, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.out.positive(Code::TYPE_OUT_CHANNELS, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.padding.entries());
  CTCONV_RETURN_IF_ERROR(a.padding.at_least(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(a.groups.positive(Code::TYPE_GROUPS, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(a.kernel.at_least(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(a.stride.at_least(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.dilation.at_least(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(divisible(a.in, a.groups, Code::VALUE_IN_CHANNELS_GROUPS));
  return divisible(a.out, a.groups, Code::VALUE_OUT_CHANNELS_GROUPS);
}

Result<Descriptor> interpret_nn(const Dialect& self, const Arguments& args, std::string_view version) {
  const LayerArguments given = read(args, self.rank);
  CTCONV_RETURN_IF_ERROR(judge(given));

  Descriptor d = begin_descriptor(self, self.rank, given);
  mindspore::common_fields(&d);
  if (self.rank == 1) d.weight_order = WeightOrder::kInOutOneTaps;
  CTCONV_RETURN_IF_ERROR(mindspore::read_inits(args, version, &d));
  mindspore::PadMode mode = mindspore::PadMode::kPad;
  CTCONV_RETURN_IF_ERROR(mindspore::read_pad_mode(argument_or(args, "pad_mode", string_value("same")), false,
                                                  Code::VALUE_PAD_MODE, &mode));
  if (mode != mindspore::PadMode::kPad) CTCONV_RETURN_IF_ERROR(mindspore::pad_conflict(given.padding));
  CTCONV_RETURN_IF_ERROR(mindspore::read_dtype(args, version, &d));
  CTCONV_RETURN_IF_ERROR(judge_range(given.output_padding, max_of(d.stride, d.dilation)));
  if (mode != mindspore::PadMode::kPad) {
    CTCONV_RETURN_IF_ERROR(mindspore::output_padding_conflict(given.output_padding));
  }

  set_pads(given.padding.get(), &d);
  d.output_padding.assign(d.kernel.size(), 0);
  mindspore::lower_pad_mode(mode, &d);
  d.zero_tail = given.output_padding.get();
  d.order = {Check::kInputRank,     Check::kInputType,   Check::kTypesAgree, Check::kWeightRank,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape,  Check::kExtent};
  return d;
}

}  // namespace

const Dialect kMindsporeNn1d = {"mindspore.nn.Conv1dTranspose",
                                "MindSpore mindspore.nn.Conv1dTranspose, mindspore 2.10.0 (@2.0: 2.0 alpha)",
                                1,
                                kArguments1d,
                                interpret_nn,
                                kVersions1d};
const Dialect kMindsporeNn2d = {"mindspore.nn.Conv2dTranspose",
                                "MindSpore mindspore.nn.Conv2dTranspose, mindspore 2.10.0 (@2.0: 2.0 alpha)",
                                2,
                                kArguments2d,
                                interpret_nn,
                                kVersions2d};

}  // namespace ctconv
