// SPDX-License-Identifier: Apache-2.0
// mindspore.ops.Conv3DTranspose. Source: MindSpore documentation of ops.Conv3DTranspose, mindspore 2.10.0;
// docs/semantics.md section 3.
//
//   in:  in_channel, out_channel, kernel_size, mode, pad_mode, pad, stride, dilation, group, output_padding,
//        data_format
//   out: pads by pad_mode; a bias is refused; float16 and float32
//   Judged in the documented order (the page's Raises section, gaps filled by the package). A list is not a tuple.
//   The package's own limits on depth dilation, kernel volume and depth stride are in no document and no errors here.
#include "src/dialect/families.h"
#include "src/dialect/mindspore.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"in_channel", "", true},       {"out_channel", "", true},         {"kernel_size", "", true},
    {"mode", "1", false},           {"pad_mode", "'valid'", false},    {"pad", "0", false},
    {"stride", "1", false},         {"dilation", "1", false},          {"group", "1", false},
    {"output_padding", "0", false}, {"data_format", "'NCDHW'", false},
};

LayerArguments read(const Arguments& args) {
  const auto axes = [&](const char* name, int64_t fallback, int count, Code type, Code entry, Code length) {
    return Axes(args, name, fallback,
                {.count = count, .wrong_type = type, .wrong_entry = entry, .wrong_length = length});
  };
  return {.in = {args, "in_channel"},
          .out = {args, "out_channel"},
          .groups = {args, "group", 1},
          .kernel = axes("kernel_size", 1, 3, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE,
                         Code::VALUE_KERNEL_SIZE_LENGTH),
          .stride = axes("stride", 1, 3, Code::TYPE_STRIDE, Code::VALUE_STRIDE, Code::VALUE_STRIDE_LENGTH),
          .dilation = axes("dilation", 1, 3, Code::TYPE_DILATION, Code::VALUE_DILATION, Code::VALUE_DILATION_LENGTH),
          .padding = axes("pad", 0, 6, Code::TYPE_PADDING, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH),
          .output_padding = axes("output_padding", 0, 3, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING,
                                 Code::VALUE_OUTPUT_PADDING_LENGTH)};
}

// pad_mode, then pad, which depends on it.
Status judge_pad(const Axes& pad, const Value& pad_mode, mindspore::PadMode* mode) {
  CTCONV_RETURN_IF_ERROR(pad.container());
  if (pad_mode.tag != Value::kString) {
    return argument_error(Code::TYPE_PAD_MODE, "pad_mode", pad_mode.show(), "a string", "is " + pad_mode.type_name());
  }
  CTCONV_RETURN_IF_ERROR(pad.length());
  CTCONV_RETURN_IF_ERROR(mindspore::read_pad_mode(pad_mode, true, Code::TYPE_PAD_MODE, mode));
  if (*mode != mindspore::PadMode::kPad) CTCONV_RETURN_IF_ERROR(mindspore::pad_conflict(pad));
  CTCONV_RETURN_IF_ERROR(pad.entries());
  return pad.at_least(0, Code::VALUE_PADDING_NEGATIVE);
}

Status judge_groups(const LayerArguments& a) {
  CTCONV_RETURN_IF_ERROR(a.groups.type(Code::TYPE_GROUPS));
  if (a.groups.get() < 1 || a.groups.get() > a.out.get()) {
    return argument_error(Code::VALUE_GROUPS, "group", a.groups.value().show(),
                          "1 <= group <= out_channel = " + a.out.value().show(), "is out of range");
  }
  CTCONV_RETURN_IF_ERROR(divisible(a.out, a.groups, Code::VALUE_OUT_CHANNELS_GROUPS));
  return divisible(a.in, a.groups, Code::VALUE_IN_CHANNELS_GROUPS);
}

Status judge(const LayerArguments& a, const Arguments& args, mindspore::PadMode* mode) {
  CTCONV_RETURN_IF_ERROR(a.in.positive(Code::TYPE_IN_CHANNELS, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.out.positive(Code::TYPE_OUT_CHANNELS, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(a.kernel.judge(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(a.stride.judge(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.dilation.judge(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(judge_pad(a.padding, argument_or(args, "pad_mode", string_value("valid")), mode));
  const Whole cross(args, "mode", 1);
  CTCONV_RETURN_IF_ERROR(cross.type(Code::TYPE_MODE));
  if (cross.get() != 1) return argument_error(Code::VALUE_MODE, "mode", cross.value().show(), "1", "is not supported");
  CTCONV_RETURN_IF_ERROR(judge_groups(a));
  int index = 0;
  CTCONV_RETURN_IF_ERROR(one_of("data_format", argument_or(args, "data_format", string_value("NCDHW")), {"NCDHW"},
                                false, Code::VALUE_DATA_FORMAT, Code::VALUE_DATA_FORMAT, &index));
  CTCONV_RETURN_IF_ERROR(a.output_padding.judge(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  if (*mode != mindspore::PadMode::kPad) return mindspore::output_padding_conflict(a.output_padding);
  return output_padding_below(a.output_padding, max_of(a.stride.get(), a.dilation.get()), "max(stride, dilation)",
                              Code::VALUE_OUTPUT_PADDING_RANGE);
}

Result<Descriptor> interpret_ops(const Dialect& self, const Arguments& args, std::string_view) {
  const LayerArguments given = read(args);
  mindspore::PadMode mode = mindspore::PadMode::kPad;
  CTCONV_RETURN_IF_ERROR(judge(given, args, &mode));

  Descriptor d = begin_descriptor(self, 3, given);
  mindspore::common_fields(&d);
  set_pads(given.padding.get(), &d);
  d.output_padding = given.output_padding.get();
  mindspore::lower_pad_mode(mode, &d);
  d.bias_allowed = d.bias_expected = false;
  d.weight_init = d.bias_init = {.kind = Initialiser::kNoParameter};
  d.spelling.x = "dout";
  d.spelling.in_channels = "in_channel";
  d.spelling.out_channels = "out_channel";
  d.spelling.padding = "pad";
  d.order = {Check::kInputType,  Check::kTypesAgree,    Check::kBiasShape,   Check::kInputRank,
             Check::kWeightRank, Check::kInputChannels, Check::kWeightShape, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kMindsporeOps3d = {"mindspore.ops.Conv3DTranspose",
                                 "MindSpore mindspore.ops.Conv3DTranspose, mindspore 2.10.0", 3, kArguments,
                                 interpret_ops};

}  // namespace ctconv
