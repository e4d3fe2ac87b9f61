// SPDX-License-Identifier: Apache-2.0
// onnx.ConvTranspose. Source: the ONNX operator page (onnx 1.23.2) and onnxruntime 1.31.1; docs/semantics.md
// section 10.
//
//   in:  auto_pad, dilations, group, kernel_shape, output_padding, output_shape, pads (all begins, then all ends),
//        strides; all optional
//   out: rank 0: everything per-axis gets its length from the tensors at the call
//        channels and kernel come from the weight, so its shape does not follow from the attributes
//   Attributes are sequences of ints (an int is no sequence). output_shape holds spatial entries only.
//   pads of odd length: the extra entry goes to pad_end, so that the length check finds it.
#include "src/dialect/families.h"
#include "src/dialect/layer.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments[] = {
    {"auto_pad", "'NOTSET'", false, true},
    {"dilations", "1 per axis", false, true},
    {"group", "1", false, true},
    {"kernel_shape", "from W", false, true},
    {"output_padding", "0 per axis", false, true},
    {"output_shape", "not given", false, true},
    {"pads", "0 per axis", false, true},
    {"strides", "1 per axis", false, true},
};

// Absent attribute: an empty vector; no entries: noted in d, since the length is judged at the call.
// A fault in kind is `type`, an entry below least is `range`.
Status read(const Arguments& args, const char* name, int64_t least, Code type, Code range, std::vector<int64_t>* out,
            Descriptor* d) {
  const Value* value = args.find(name);
  if (value == nullptr || value->is_none()) return {};
  if (!value->is_sequence())
    return argument_error(type, name, value->show(), "a sequence of ints, one per axis", "is " + value->type_name());
  const Axes entries(name, *value, {.wrong_entry = type});
  CTCONV_RETURN_IF_ERROR(entries.entries());
  CTCONV_RETURN_IF_ERROR(entries.at_least(least, range));
  if (value->items.empty()) d->without_entries.push_back(name);
  for (const Value& v : value->items) out->push_back(v.i);
  return {};
}

Result<Descriptor> interpret_onnx(const Dialect& self, const Arguments& args, std::string_view) {
  Descriptor d;
  d.dialect = self.name;
  d.rank = 0;
  int pad = 0;
  CTCONV_RETURN_IF_ERROR(one_of("auto_pad", argument_or(args, "auto_pad", string_value("NOTSET")),
                                {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}, false, Code::VALUE_PAD_MODE,
                                Code::TYPE_PAD_MODE, &pad));
  CTCONV_RETURN_IF_ERROR(read(args, "strides", 1, Code::TYPE_STRIDE, Code::VALUE_STRIDE, &d.stride, &d));
  CTCONV_RETURN_IF_ERROR(read(args, "dilations", 1, Code::TYPE_DILATION, Code::VALUE_DILATION, &d.dilation, &d));
  std::vector<int64_t> pads;
  CTCONV_RETURN_IF_ERROR(read(args, "pads", 0, Code::TYPE_PADDING, Code::VALUE_PADDING_NEGATIVE, &pads, &d));
  CTCONV_RETURN_IF_ERROR(read(args, "kernel_shape", 1, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE, &d.kernel, &d));
  CTCONV_RETURN_IF_ERROR(read(args, "output_padding", 0, Code::TYPE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_NEGATIVE,
                              &d.output_padding, &d));
  if (pad != 0) {
    for (size_t n = 0; n < pads.size(); ++n) {
      if (pads[n] == 0) continue;
      return argument_error(Code::VALUE_PADDING_CONFLICT, "pads", args.find("pads")->show(),
                            "0 unless auto_pad is \"NOTSET\"", "is given although auto_pad does not take it",
                            static_cast<int32_t>(n));
    }
  }
  const Whole group(args, "group", 1);
  CTCONV_RETURN_IF_ERROR(group.type(Code::TYPE_GROUPS));
  CTCONV_RETURN_IF_ERROR(group.at_least(1, Code::VALUE_GROUPS));
  CTCONV_RETURN_IF_ERROR(
      read(args, "output_shape", INT64_MIN, Code::TYPE_OUTPUT_SIZE, Code::TYPE_OUTPUT_SIZE, &d.output_size, &d));

  d.groups = group.get();
  const size_t half = pads.size() / 2;
  d.pad_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(half));
  d.pad_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(half), pads.end());
  if (pads.size() == 1) d.pad_begin.assign(2, pads[0]);  // no rank has one: no begin would mean the default, so two
  d.auto_pads = pad == 1 || pad == 2;
  d.kernel_source = KernelSource::kWeight;
  d.output_size_rule = pad == 1 ? OutputSizeRule::kPadsUpper : OutputSizeRule::kPadsLower;
  d.output_padding_limit = Descriptor::PaddingLimit::kAlways;
  d.least_core = 1;
  d.codes.weight_rank = Code::SHAPE_RANK_MISMATCH;
  d.types = element_types({Dtype::kF16, Dtype::kBf16, Dtype::kF32, Dtype::kF64});
  d.weight_init = d.bias_init = {.kind = Initialiser::kNoParameter};
  d.spelling = {.x = "X",
                .w = "W",
                .b = "B",
                .groups = "group",
                .kernel_size = "kernel_shape",
                .stride = "strides",
                .dilation = "dilations",
                .padding = "pads",
                .output_size = "output_shape"};
  d.order = {Check::kInputRank,     Check::kWeightRank,         Check::kArgumentLengths, Check::kWeightShape,
             Check::kInputChannels, Check::kGroupsDivideInput,  Check::kBiasShape,       Check::kInputType,
             Check::kTypesAgree,    Check::kOutputPaddingRange, Check::kOutputSizeRange, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kOnnx = {"onnx.ConvTranspose", "ONNX operator ConvTranspose, onnx 1.23.2, onnxruntime 1.31.1", 0,
                       kArguments, interpret_onnx};

}  // namespace ctconv
