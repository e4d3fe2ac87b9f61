// SPDX-License-Identifier: Apache-2.0
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

LayerArguments read(const Arguments& args) {
  const auto axes = [&](const char* name, int64_t fallback, int count, Code type, Code entry, Code length) {
    return Axes(args, name, fallback,
                {.count = count, .wrong_type = type, .wrong_entry = entry, .wrong_length = length});
  };
  return {.in = {args, "in_channels"},
          .out = {args, "out_channels"},
          .groups = {args, "group", 1},
          .kernel = axes("kernel_size", 1, 3, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE, Code::TYPE_KERNEL_SIZE),
          .stride = axes("stride", 1, 3, Code::TYPE_STRIDE, Code::VALUE_STRIDE, Code::TYPE_STRIDE),
          .dilation = axes("dilation", 1, 3, Code::TYPE_DILATION, Code::VALUE_DILATION, Code::TYPE_DILATION),
          .padding = axes("padding", 0, 6, Code::TYPE_PADDING, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH),
          .output_padding = axes("output_padding", 0, 3, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING,
                                 Code::TYPE_OUTPUT_PADDING)};
}

Status judge(const LayerArguments& a, const Value& data_format) {
  if (a.in.is_int() && a.out.is_int() && a.groups.is_int()) {
    if (a.groups.get() == 0) return a.groups.at_least(1, Code::VALUE_GROUPS);
    CTCONV_RETURN_IF_ERROR(divisible(a.in, a.groups, Code::VALUE_IN_CHANNELS_GROUPS));
    CTCONV_RETURN_IF_ERROR(divisible(a.out, a.groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  }
  CTCONV_RETURN_IF_ERROR(a.kernel.judge(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(a.stride.judge(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.dilation.judge(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(a.padding.container());
  CTCONV_RETURN_IF_ERROR(a.padding.length());
  CTCONV_RETURN_IF_ERROR(a.output_padding.judge(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(a.in.positive(Code::TYPE_IN_CHANNELS, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.out.positive(Code::TYPE_OUT_CHANNELS, Code::VALUE_OUT_CHANNELS));
  int index = 0;
  CTCONV_RETURN_IF_ERROR(
      one_of("data_format", data_format, {"NCDHW"}, false, Code::VALUE_DATA_FORMAT, Code::VALUE_DATA_FORMAT, &index));
  CTCONV_RETURN_IF_ERROR(a.padding.entries());
  CTCONV_RETURN_IF_ERROR(a.padding.at_least(0, Code::VALUE_PADDING_NEGATIVE));
  return a.groups.positive(Code::TYPE_GROUPS, Code::VALUE_GROUPS);
}

Result<Descriptor> interpret_nn(const Dialect& self, const Arguments& args, std::string_view version) {
  const LayerArguments given = read(args);
  CTCONV_RETURN_IF_ERROR(judge(given, argument_or(args, "data_format", string_value("NCDHW"))));

  Descriptor d = begin_descriptor(self, 3, given);
  mindspore::common_fields(&d);
  CTCONV_RETURN_IF_ERROR(mindspore::read_inits(args, version, &d));
  mindspore::PadMode mode = mindspore::PadMode::kPad;
  CTCONV_RETURN_IF_ERROR(
      mindspore::read_pad_mode(argument_or(args, "pad_mode", string_value("same")), true, Code::TYPE_PAD_MODE, &mode));
  if (mode != mindspore::PadMode::kPad) {
    CTCONV_RETURN_IF_ERROR(mindspore::pad_conflict(given.padding));
    CTCONV_RETURN_IF_ERROR(mindspore::output_padding_conflict(given.output_padding));
  } else {
    CTCONV_RETURN_IF_ERROR(output_padding_below(given.output_padding, max_of(d.stride, d.dilation),
                                                "max(stride, dilation)", Code::VALUE_OUTPUT_PADDING_RANGE));
  }
  CTCONV_RETURN_IF_ERROR(mindspore::read_dtype(args, version, &d));

  set_pads(given.padding.get(), &d);
  d.output_padding = given.output_padding.get();
  mindspore::lower_pad_mode(mode, &d);
  d.order = {Check::kInputType,     Check::kTypesAgree,  Check::kInputRank, Check::kWeightRank,
             Check::kInputChannels, Check::kWeightShape, Check::kBiasShape, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kMindsporeNn3d = {"mindspore.nn.Conv3dTranspose",
                                "MindSpore mindspore.nn.Conv3dTranspose, mindspore 2.10.0 (@2.0: 2.0 alpha)",
                                3,
                                kArguments,
                                interpret_nn,
                                kVersions};

}  // namespace ctconv
