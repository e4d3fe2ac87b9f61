// SPDX-License-Identifier: Apache-2.0
// Steps the mindspore operators share. Sources: docs/semantics.md sections 3, 4, 5 and 9.
#include "src/dialect/mindspore.h"

#include <algorithm>

#include "src/base/checked.h"
#include "src/dialect/init_names.h"

namespace ctconv::mindspore {

void lower_pad_mode(PadMode mode, Descriptor* d) {
  if (mode == PadMode::kPad) return;
  const size_t rank = d->kernel.size();
  d->pad_begin.assign(rank, 0);
  d->pad_end.assign(rank, 0);
  d->output_padding.assign(rank, 0);
  for (size_t n = 0; n < rank; ++n) {
    const Checked keff = Checked(d->dilation[n]) * (d->kernel[n] - 1) + 1;
    if (!keff.ok()) continue;
    const int64_t surplus = keff.value() - d->stride[n];  // both >= 1: no overflow
    if (surplus < 0) {
      d->output_padding[n] = -surplus;
    } else if (mode == PadMode::kSame) {
      d->pad_begin[n] = surplus / 2;
      d->pad_end[n] = surplus - surplus / 2;
    }
  }
}

Status pad_conflict(const Axes& pad) {
  const auto zero = [](const Value& v) {
    return v.tag == Value::kFloat ? v.f == 0 : (v.tag == Value::kInt || v.tag == Value::kBool) && v.i == 0;
  };
  const Value& value = pad.value();
  const bool all_zero = value.is_sequence() ? std::all_of(value.items.begin(), value.items.end(), zero) : zero(value);
  if (all_zero) return {};
  return argument_error(Code::VALUE_PADDING_CONFLICT, pad.name(), value.show(), "0 unless pad_mode is \"pad\"",
                        "is given although pad_mode does not take it");
}

Status output_padding_conflict(const Axes& output_padding) {
  if (!output_padding.any_nonzero()) return {};
  return argument_error(Code::VALUE_OUTPUT_PADDING_CONFLICT, output_padding.name(), output_padding.value().show(),
                        "0 unless pad_mode is \"pad\"", "is given although pad_mode does not take it");
}

namespace {

// Rules stated in fans mean nothing for a vector.
constexpr NamedInit of_fan(const char* name, Initialiser::Kind kind, Initialiser::Fan fan, double scale) {
  return {.name = name, .kind = kind, .fan = fan, .scale = scale, .needs_axes = true};
}

constexpr NamedInit kNames[] = {
    {"zero", Initialiser::kConstant, 0},
    {"zeros", Initialiser::kConstant, 0},
    {"one", Initialiser::kConstant, 1},
    {"ones", Initialiser::kConstant, 1},
    {"normal", Initialiser::kNormal, 0, 0.01},
    {"uniform", Initialiser::kUniform, -0.07, 0.07},
    // The cut is absolute, not in sigmas: at sigma 0.01 it never bites.
    {.name = "truncatednormal", .kind = Initialiser::kTruncatedNormal, .a = 0, .b = 0.01, .lo = -2, .hi = 2},
    of_fan("heuniform", Initialiser::kUniform, Initialiser::kFanIn, 6),
    of_fan("he_uniform", Initialiser::kUniform, Initialiser::kFanIn, 6),
    of_fan("henormal", Initialiser::kNormal, Initialiser::kFanIn, 2),
    of_fan("he_normal", Initialiser::kNormal, Initialiser::kFanIn, 2),
    of_fan("xavieruniform", Initialiser::kUniform, Initialiser::kFanSum, 6),
    of_fan("xavier_uniform", Initialiser::kUniform, Initialiser::kFanSum, 6),
    of_fan("xaviernormal", Initialiser::kNormal, Initialiser::kFanSum, 2),
    of_fan("xavier_normal", Initialiser::kNormal, Initialiser::kFanSum, 2),
    {"dirac", Initialiser::kDirac},
    {"orthogonal", Initialiser::kOrthogonal},
};

constexpr const char* kKnownNames =
    "zeros, ones, normal, uniform, truncatednormal, he_uniform, he_normal, xavier_uniform, xavier_normal, dirac, "
    "orthogonal";

Status read_init(const std::string& name, const Value& value, const std::vector<int64_t>& shape, Code type, Code bad,
                 Initialiser* out) {
  switch (value.tag) {
    case Value::kNone:
      *out = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanIn, .scale = 1};
      return {};
    case Value::kBool:
    case Value::kInt:
      *out = {.kind = Initialiser::kConstant, .a = static_cast<double>(value.i)};
      return {};
    case Value::kFloat:
      *out = {.kind = Initialiser::kConstant, .a = value.f};
      return {};
    case Value::kTensor:
      return tensor_init(name, value, &shape, type, bad, out);
    case Value::kString:
      if (init_by_name(kNames, lower_case(value.text), out)) return {};
      return argument_error(bad, name, value.show(), kKnownNames, "is no initialiser of mindspore");
    default:
      return argument_error(type, name, value.show(), "a name, a number, a tensor or None", "is " + value.type_name());
  }
}

Status read_type(const Value& value, ElementType* out) {
  std::string text;
  if (value.tag == Value::kString || value.tag == Value::kOther) text = lower_case(value.text);
  for (const char* prefix : {"mindspore.", "mstype."}) {
    if (text.rfind(prefix, 0) == 0) text = text.substr(std::string_view(prefix).size());
  }
  if (text == "float32") {
    *out = element_type(Dtype::kF32);
  } else if (text == "float16") {
    *out = element_type(Dtype::kF16);
  } else {
    return argument_error(Code::TYPE_INPUT_DTYPE, "dtype", value.show(), "\"float32\" or \"float16\"",
                          "is no element type of this operator");
  }
  return {};
}

}  // namespace

Status read_pad_mode(const Value& value, bool ignore_case, Code type, PadMode* mode) {
  int index = 0;
  CTCONV_RETURN_IF_ERROR(
      one_of("pad_mode", value, {"same", "valid", "pad"}, ignore_case, Code::VALUE_PAD_MODE, type, &index));
  *mode = static_cast<PadMode>(index);
  return {};
}

Status read_inits(const Arguments& args, std::string_view version, Descriptor* d) {
  Value weight_default, bias_default;  // None, but in 2.0
  if (version == "2.0") {
    weight_default = string_value("normal");
    bias_default = string_value("zeros");
  }
  const Value weight = argument_or(args, "weight_init", weight_default);
  CTCONV_RETURN_IF_ERROR(read_init("weight_init", weight, weight_shape_of(*d), Code::TYPE_WEIGHT_INIT,
                                   Code::VALUE_WEIGHT_INIT, &d->weight_init));
  bool bias = false;
  const Value has_bias = argument_or(args, "has_bias", bool_value(false));
  CTCONV_RETURN_IF_ERROR(read_flag("has_bias", has_bias, Code::TYPE_HAS_BIAS, &bias));
  d->bias_allowed = d->bias_expected = bias;
  if (!bias) return {};
  return read_init("bias_init", argument_or(args, "bias_init", bias_default), {d->out_channels}, Code::TYPE_BIAS_INIT,
                   Code::VALUE_BIAS_INIT, &d->bias_init);
}

Status read_dtype(const Arguments& args, std::string_view version, Descriptor* d) {
  if (version == "2.0") return {};
  d->fixed_type = true;
  return read_type(argument_or(args, "dtype", string_value("float32")), &d->type);
}

void common_fields(Descriptor* d) {
  d->least_core = 0;
  d->types = element_types({Dtype::kF16, Dtype::kF32});
  d->codes = {.input_rank = Code::VALUE_INPUT_RANK,
              .weight_rank = Code::VALUE_WEIGHT_RANK,
              .input_channels = Code::VALUE_INPUT_CHANNELS,
              .weight_shape = Code::VALUE_WEIGHT_SHAPE};
  d->spelling.x = "x";
  d->spelling.groups = "group";
  d->spelling.padding = "padding";
}

}  // namespace ctconv::mindspore
