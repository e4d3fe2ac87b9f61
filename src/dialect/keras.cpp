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
#include "src/dialect/families.h"
#include "src/dialect/keras_init.h"
#include "src/dialect/rules.h"

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

Status judge(const Axes& a, int64_t least, Code range) {
  CTCONV_RETURN_IF_ERROR(a.container());
  CTCONV_RETURN_IF_ERROR(a.length());
  CTCONV_RETURN_IF_ERROR(a.entries());
  return a.at_least(least, range);
}

Status read_activation(const Arguments& args, Activation* out) {
  static constexpr struct {
    const char* name;
    Activation act;
  } kActs[] = {
      {"linear", {0, 0, 0}}, {"relu", {1, 0, 0}},    {"leaky_relu", {2, 0.2, 0}},
      {"tanh", {3, 0, 0}},   {"sigmoid", {4, 0, 0}}, {"relu6", {5, 0, 6}},
  };
  const Value v = argument_or(args, "activation", none_value());
  if (v.is_none()) return {};
  for (const auto& row : kActs) {
    if (v.tag == Value::kString && v.text == row.name) {
      *out = row.act;
      return {};
    }
  }
  return argument_error(Code::VALUE_ACT, "activation", v.show(), "None, linear, relu, leaky_relu, tanh, sigmoid, relu6",
                        "is no known activation");
}

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

template <int kRank>
Result<Descriptor> interpret_keras(const Dialect& self, const Arguments& args, std::string_view) {
  const auto axes = [](Code value, Code length) {
    return AxesPolicy{.count = kRank, .list = true, .wrong_type = value, .wrong_entry = value, .wrong_length = length};
  };
  const Whole filters(args, "filters");
  const Axes kernel(args, "kernel_size", 1, axes(Code::VALUE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH));
  const Axes strides(args, "strides", 1, axes(Code::VALUE_STRIDE, Code::VALUE_STRIDE_LENGTH));
  const Axes dilation(args, "dilation_rate", 1, axes(Code::VALUE_DILATION, Code::VALUE_DILATION_LENGTH));
  const Axes extra(args, "output_padding", 0, axes(Code::VALUE_OUTPUT_PADDING, Code::VALUE_OUTPUT_PADDING_LENGTH));
  const bool has_extra = !argument_or(args, "output_padding", none_value()).is_none();
  const Value format = argument_or(args, "data_format", none_value());

  CTCONV_RETURN_IF_ERROR(judge(kernel, 1, Code::VALUE_KERNEL_SIZE));
  CTCONV_RETURN_IF_ERROR(judge(strides, 1, Code::VALUE_STRIDE));
  CTCONV_RETURN_IF_ERROR(judge(dilation, 1, Code::VALUE_DILATION));
  int same = 0, channels_first = 0;
  CTCONV_RETURN_IF_ERROR(one_of("padding", argument_or(args, "padding", string_value("valid")), {"valid", "same"}, true,
                                Code::VALUE_PADDING_STRING, Code::VALUE_PADDING_STRING, &same));
  if (has_extra) CTCONV_RETURN_IF_ERROR(judge(extra, 0, Code::VALUE_OUTPUT_PADDING_NEGATIVE));
  if (!format.is_none()) {
    CTCONV_RETURN_IF_ERROR(one_of("data_format", format, {"channels_last", "channels_first"}, true,
                                  Code::VALUE_DATA_FORMAT, Code::VALUE_DATA_FORMAT, &channels_first));
  }

  Descriptor d;
  d.dialect = self.name;
  d.rank = kRank;
  CTCONV_RETURN_IF_ERROR(read_activation(args, &d.activation));
  CTCONV_RETURN_IF_ERROR(keras::read_init("kernel_initializer",
                                          argument_or(args, "kernel_initializer", string_value("glorot_uniform")),
                                          Code::VALUE_WEIGHT_INIT, "glorot_uniform", &d.weight_init));
  CTCONV_RETURN_IF_ERROR(keras::read_init("bias_initializer",
                                          argument_or(args, "bias_initializer", string_value("zeros")),
                                          Code::VALUE_BIAS_INIT, "zeros", &d.bias_init));
  CTCONV_RETURN_IF_ERROR(filters.type(Code::VALUE_OUT_CHANNELS));
  CTCONV_RETURN_IF_ERROR(filters.at_least(1, Code::VALUE_OUT_CHANNELS));
  d.kernel = kernel.get();
  d.stride = strides.get();
  d.dilation = dilation.get();
  if (has_extra)
    CTCONV_RETURN_IF_ERROR(output_padding_below(extra, d.stride, "strides", Code::VALUE_OUTPUT_PADDING_RANGE));
  if (*std::max_element(d.stride.begin(), d.stride.end()) > 1 &&
      *std::max_element(d.dilation.begin(), d.dilation.end()) > 1) {
    return argument_error(Code::VALUE_STRIDE, "strides", strides.value().show(),
                          "1 where dilation_rate = " + dilation.value().show() + " exceeds 1",
                          "and dilation_rate exclude each other above 1");
  }

  d.out_channels = filters.get();
  d.pad_begin.assign(kRank, 0);
  d.pad_end.assign(kRank, 0);
  d.output_padding.assign(kRank, 0);
  const std::vector<int64_t> given = has_extra ? extra.get() : std::vector<int64_t>();
  for (size_t n = 0; n < kRank; ++n) {
    const Checked keff = Checked(d.dilation[n]) * (d.kernel[n] - 1) + 1;
    if (!keff.ok()) continue;  // the call answers SHAPE_OUTPUT_OVERFLOW
    lower(same == 1, has_extra ? &given[n] : nullptr, d.stride[n], keff.value(), &d.pad_begin[n], &d.pad_end[n],
          &d.output_padding[n]);
  }
  d.channels_last = channels_first == 0;
  d.weight_order = WeightOrder::kTapsOutIn;
  d.bias_fans_are_its_own = true;
  d.bias_allowed = d.bias_expected = truthy(argument_or(args, "use_bias", bool_value(true)));
  d.types = {element_type(Dtype::kF16), element_type(Dtype::kBf16), element_type(Dtype::kF32),
             element_type(Dtype::kF64)};
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

const Dialect kKeras2d = {"keras.layers.Conv2DTranspose", "Keras keras.layers.Conv2DTranspose, keras 3.15.1",
                          kArguments2d, interpret_keras<2>};
const Dialect kKeras3d = {"keras.layers.Conv3DTranspose", "Keras keras.layers.Conv3DTranspose, keras 3.15.1",
                          kArguments3d, interpret_keras<3>};

}  // namespace ctconv
