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

AxesPolicy axes(int count, Code type, Code entry, Code length) {
  return {.count = count, .wrong_type = type, .wrong_entry = entry, .wrong_length = length};
}

// type, length, entries, range: the order of one argument
Status judge(const Axes& a, int64_t least, Code range) {
  CTCONV_RETURN_IF_ERROR(a.container());
  CTCONV_RETURN_IF_ERROR(a.length());
  CTCONV_RETURN_IF_ERROR(a.entries());
  return a.at_least(least, range);
}

Result<Descriptor> interpret_ops(const Dialect& self, const Arguments& args, std::string_view) {
  const Whole in(args, "in_channel"), out(args, "out_channel"), group(args, "group", 1), mode(args, "mode", 1);
  const Axes kernel(args, "kernel_size", 1,
                    axes(3, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH));
  const Axes stride(args, "stride", 1, axes(3, Code::TYPE_STRIDE, Code::VALUE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes dilation(args, "dilation", 1,
                      axes(3, Code::TYPE_DILATION, Code::VALUE_DILATION, Code::VALUE_DILATION_LENGTH));
  const Axes pad(args, "pad", 0, axes(6, Code::TYPE_PADDING, Code::TYPE_PADDING, Code::VALUE_PADDING_LENGTH));
  const Axes extra(args, "output_padding", 0,
                   axes(3, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));
  const Value pad_mode = argument_or(args, "pad_mode", string_value("valid"));

  CTCONV_RETURN_IF_ERROR(in.type(Code::TYPE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(in.at_least(1, Code::VALUE_IN_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.type(Code::TYPE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(out.at_least(1, Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(judge(kernel, 1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(judge(stride, 1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(judge(dilation, 1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(pad.container());
  if (pad_mode.tag != Value::kString) {
    return argument_error(Code::TYPE_PAD_MODE, "pad_mode", pad_mode.show(), "a string", "is " + pad_mode.type_name());
  }
  CTCONV_RETURN_IF_ERROR(pad.length());
  int index = 0;
  CTCONV_RETURN_IF_ERROR(
      one_of("pad_mode", pad_mode, {"same", "valid", "pad"}, true, Code::VALUE_PAD_MODE, Code::TYPE_PAD_MODE, &index));
  const auto how = static_cast<mindspore::PadMode>(index);
  if (how != mindspore::PadMode::kPad) CTCONV_RETURN_IF_ERROR(mindspore::pad_conflict(pad));
  CTCONV_RETURN_IF_ERROR(pad.entries());
  CTCONV_RETURN_IF_ERROR(pad.at_least(0, Code::VALUE_PADDING_NEGATIVE));
  CTCONV_RETURN_IF_ERROR(mode.type(Code::TYPE_MODE));
  if (mode.get() != 1) return argument_error(Code::VALUE_MODE, "mode", mode.value().show(), "1", "is not supported");
  CTCONV_RETURN_IF_ERROR(group.type(Code::TYPE_GROUPS));
  if (group.get() < 1 || group.get() > out.get()) {
    return argument_error(Code::VALUE_GROUPS, "group", group.value().show(),
                          "1 <= group <= out_channel = " + out.value().show(), "is out of range");
  }
  CTCONV_RETURN_IF_ERROR(divisible(out, group, Code::VALUE_OUT_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(divisible(in, group, Code::VALUE_IN_CHANNELS_GROUPS));
  CTCONV_RETURN_IF_ERROR(one_of("data_format", argument_or(args, "data_format", string_value("NCDHW")), {"NCDHW"},
                                false, Code::VALUE_DATA_FORMAT, Code::VALUE_DATA_FORMAT, &index));
  CTCONV_RETURN_IF_ERROR(judge(extra, 0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  if (how != mindspore::PadMode::kPad) CTCONV_RETURN_IF_ERROR(mindspore::output_padding_conflict(extra));
  if (how == mindspore::PadMode::kPad) {
    CTCONV_RETURN_IF_ERROR(output_padding_below(extra, max_of(stride.get(), dilation.get()), "max(stride, dilation)",
                                                Code::VALUE_OUTPUT_PADDING_RANGE));
  }

  Descriptor d;
  d.dialect = self.name;
  d.rank = 3;
  d.in_channels = in.get();
  d.out_channels = out.get();
  d.groups = group.get();
  d.kernel = kernel.get();
  d.stride = stride.get();
  d.dilation = dilation.get();
  const std::vector<int64_t> sides = pad.get();
  d.pad_begin = {sides[0], sides[2], sides[4]};
  d.pad_end = {sides[1], sides[3], sides[5]};
  d.output_padding = extra.get();
  mindspore::lower_pad_mode(how, &d);
  mindspore::common_fields(&d);
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
                                 "MindSpore mindspore.ops.Conv3DTranspose, mindspore 2.10.0", kArguments,
                                 interpret_ops};

}  // namespace ctconv
