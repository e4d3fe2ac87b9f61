// SPDX-License-Identifier: Apache-2.0
// keras.layers.Conv2DTranspose and Conv3DTranspose. Source: Keras documentation of layers.Conv2DTranspose,
// keras 3.15.1 (TensorFlow 2.21.0); docs/semantics.md section 11.
//
//   in:  filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias,
//        kernel_initializer, bias_initializer (regularisers, constraints accepted and ignored)
//   out: pads from padding and output_padding, which do not depend on the input; weight (k..., filters, Cin);
//        in_channels come from x
//   Every fault of an argument is a ValueError. Order: the package's constructor. output_padding=0 differs from None.
#include <algorithm>

#include "src/base/checked.h"
#include "src/dialect/activation_names.h"
#include "src/dialect/families.h"
#include "src/dialect/keras_init.h"
#include "src/dialect/layer.h"

namespace ctconv {
namespace {

constexpr ArgumentRow kArguments2d[] = {
    {"filters", "", true},
    {"kernel_size", "", true},
    {"strides", "(1, 1)", false},
    {"padding", "'valid'", false},
    {"output_padding", "None", false},
    {"data_format", "None", false},
    {"dilation_rate", "(1, 1)", false},
    {"activation", "None", false},
    {"use_bias", "True", false},
    {"kernel_initializer", "'glorot_uniform'", false},
    {"bias_initializer", "'zeros'", false},
    {"kernel_regularizer", "None", false},
    {"bias_regularizer", "None", false},
    {"activity_regularizer", "None", false},
    {"kernel_constraint", "None", false},
    {"bias_constraint", "None", false},
};

// The 3-D page has data_format before output_padding.
constexpr ArgumentRow kArguments3d[] = {
    {"filters", "", true},
    {"kernel_size", "", true},
    {"strides", "(1, 1, 1)", false},
    {"padding", "'valid'", false},
    {"data_format", "None", false},
    {"output_padding", "None", false},
    {"dilation_rate", "(1, 1, 1)", false},
    {"activation", "None", false},
    {"use_bias", "True", false},
    {"kernel_initializer", "'glorot_uniform'", false},
    {"bias_initializer", "'zeros'", false},
    {"kernel_regularizer", "None", false},
    {"bias_regularizer", "None", false},
    {"activity_regularizer", "None", false},
    {"kernel_constraint", "None", false},
    {"bias_constraint", "None", false},
};

constexpr NamedActivation kActivationNames[] = {
    {"linear", {Activation::kNone, 0, 0}},
    {"relu", {Activation::kRelu, 0, 0}},
    {"leaky_relu", {Activation::kLeakyRelu, 0.2, 0}},
    {"tanh", {Activation::kTanh, 0, 0}},
    {"sigmoid", {Activation::kSigmoid, 0, 0}},
    {"relu6", {Activation::kClip, 0, 6}},
};

// One axis of the table of section 11.
//   valid: begin 0, tail max(s - keff, 0), or output_padding where given
//   same:  None: total = max(keff - s, 0), begin = floor(total/2), tail max(s - keff, 0)
//          given: full - E = 2*floor(keff/2) - output_padding; begin = floor(max(that, 0)/2),
//                 the rest cropped at the end or appended
void lower(bool same, const int64_t* given, int64_t s, int64_t keff, int64_t* begin, int64_t* end, int64_t* extra) {
  int64_t cropped = 0;  // full - extent, before the tail
  if (given == nullptr) {
    cropped = same ? keff - s : std::min<int64_t>(keff - s, 0);
  } else {
    cropped = same ? keff - keff % 2 - *given : -*given;
  }
  *begin = *end = *extra = 0;
  if (cropped < 0) {
    *extra = -cropped;
  } else {
    *begin = cropped / 2;
    *end = cropped - *begin;
  }
}

// What the arguments say beside those of every layer.
struct Words {
  int same = 0, channels_first = 0;
  bool has_output_padding = false;  // output_padding=0 differs from None
};

LayerArguments read(const Arguments& args, int rank) {
  const auto axes = [&](const char* name, int64_t fallback, Code value, Code length) {
    return Axes(args, name, fallback,
                {.count = rank, .list = true, .wrong_type = value, .wrong_entry = value, .wrong_length = length});
  };
  return {.out = {args, "filters"},
          .kernel = axes("kernel_size", 1, Code::VALUE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH),
          .stride = axes("strides", 1, Code::VALUE_STRIDE, Code::VALUE_STRIDE_LENGTH),
          .dilation = axes("dilation_rate", 1, Code::VALUE_DILATION, Code::VALUE_DILATION_LENGTH),
          .output_padding = axes("output_padding", 0, Code::VALUE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH)};
}

Status judge_sizes(const LayerArguments& a, const Arguments& args, Words* words) {
  CTCONV_RETURN_IF_ERROR(a.kernel.judge(1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(a.stride.judge(1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(a.dilation.judge(1, Code::VALUE_DILATION));
  CTCONV_RETURN_IF_ERROR(one_of("padding", argument_or(args, "padding", string_value("valid")), {"valid", "same"}, true,
                                Code::VALUE_PADDING_STRING, Code::VALUE_PADDING_STRING, &words->same));
  words->has_output_padding = !argument_or(args, "output_padding", none_value()).is_none();
  if (words->has_output_padding) {
    CTCONV_RETURN_IF_ERROR(a.output_padding.judge(0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  }
  const Value format = argument_or(args, "data_format", none_value());
  if (format.is_none()) return {};
  return one_of("data_format", format, {"channels_last", "channels_first"}, true, Code::VALUE_DATA_FORMAT,
                Code::VALUE_DATA_FORMAT, &words->channels_first);
}

Status read_parameters(const Arguments& args, Descriptor* d) {
  CTCONV_RETURN_IF_ERROR(
      read_activation("activation", argument_or(args, "activation", none_value()), kActivationNames, &d->activation));
  CTCONV_RETURN_IF_ERROR(keras::read_init("kernel_initializer",
                                          argument_or(args, "kernel_initializer", string_value("glorot_uniform")),
                                          Code::VALUE_WEIGHT_INIT, "glorot_uniform", &d->weight_init));
  return keras::read_init("bias_initializer", argument_or(args, "bias_initializer", string_value("zeros")),
                          Code::VALUE_BIAS_INIT, "zeros", &d->bias_init);
}

// What the constructor asks last: filters, and the limits between arguments.
Status judge_limits(const LayerArguments& a, const Words& words) {
  CTCONV_RETURN_IF_ERROR(a.out.positive(Code::VALUE_OUT_CHANNELS, Code::VALUE_OUT_CHANNELS));
  const std::vector<int64_t> stride = a.stride.get(), dilation = a.dilation.get();
  if (words.has_output_padding) {
    CTCONV_RETURN_IF_ERROR(output_padding_below(a.output_padding, stride, "strides", Code::VALUE_OUTPUT_PADDING_RANGE));
  }
  if (*std::max_element(stride.begin(), stride.end()) == 1 ||
      *std::max_element(dilation.begin(), dilation.end()) == 1) {
    return {};
  }
  return argument_error(Code::VALUE_STRIDE, "strides", a.stride.value().show(),
                        "1 where dilation_rate = " + a.dilation.value().show() + " exceeds 1",
                        "and dilation_rate exclude each other above 1");
}

void lower_pads(const LayerArguments& a, const Words& words, Descriptor* d) {
  const size_t rank = d->kernel.size();
  d->pad_begin.assign(rank, 0);
  d->pad_end.assign(rank, 0);
  d->output_padding.assign(rank, 0);
  const std::vector<int64_t> given = words.has_output_padding ? a.output_padding.get() : std::vector<int64_t>();
  for (size_t n = 0; n < rank; ++n) {
    const Checked keff = Checked(d->dilation[n]) * (d->kernel[n] - 1) + 1;
    if (!keff.ok()) continue;  // the call answers SHAPE_OUTPUT_OVERFLOW
    lower(words.same == 1, words.has_output_padding ? &given[n] : nullptr, d->stride[n], keff.value(), &d->pad_begin[n],
          &d->pad_end[n], &d->output_padding[n]);
  }
}

Result<Descriptor> interpret_keras(const Dialect& self, const Arguments& args, std::string_view) {
  const LayerArguments given = read(args, self.rank);
  Words words;
  CTCONV_RETURN_IF_ERROR(judge_sizes(given, args, &words));
  Descriptor d = begin_descriptor(self, self.rank, given);
  CTCONV_RETURN_IF_ERROR(read_parameters(args, &d));
  CTCONV_RETURN_IF_ERROR(judge_limits(given, words));

  lower_pads(given, words, &d);
  d.channels_last = words.channels_first == 0;
  d.weight_order = WeightOrder::kTapsOutIn;
  d.bias_fans_are_its_own = true;
  d.bias_allowed = d.bias_expected = truthy(argument_or(args, "use_bias", bool_value(true)));
  d.types = element_types({Dtype::kF16, Dtype::kBf16, Dtype::kF32, Dtype::kF64});
  d.codes = {.input_rank = Code::VALUE_INPUT_RANK,
             .weight_rank = Code::VALUE_WEIGHT_SHAPE,
             .input_channels = Code::VALUE_INPUT_CHANNELS,
             .weight_shape = Code::VALUE_WEIGHT_SHAPE};
  d.spelling.x = "inputs";
  d.spelling.w = "kernel";
  d.spelling.out_channels = "filters";
  d.spelling.stride = "strides";
  d.spelling.dilation = "dilation_rate";
  d.order = {Check::kInputRank,     Check::kInputType, Check::kWeightRank, Check::kWeightShape,
             Check::kInputChannels, Check::kBiasShape, Check::kTypesAgree, Check::kExtent};
  return d;
}

}  // namespace

const Dialect kKeras2d = {"keras.layers.Conv2DTranspose", "Keras keras.layers.Conv2DTranspose, keras 3.15.1", 2,
                          kArguments2d, interpret_keras};
const Dialect kKeras3d = {"keras.layers.Conv3DTranspose", "Keras keras.layers.Conv3DTranspose, keras 3.15.1", 3,
                          kArguments3d, interpret_keras};

}  // namespace ctconv
