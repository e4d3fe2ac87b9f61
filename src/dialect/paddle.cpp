// SPDX-License-Identifier: Apache-2.0
// Steps the paddle operators share. Source: docs/semantics.md section 7.
#include "src/dialect/paddle.h"

#include "src/dialect/activation_names.h"
#include "src/dialect/init_names.h"

namespace ctconv::paddle {

LayerArguments read_sizes(const Arguments& args, int rank, const char* kernel_name) {
  const auto axes = [&](const char* name, int64_t fallback, Code value, Code type, Code length) {
    return Axes(args, name, fallback,
                {.count = rank,
                 .list = true,
                 .wrong_type = value,
                 .wrong_bool = type,
                 .wrong_entry = type,
                 .wrong_length = length});
  };
  LayerArguments a;
  if (kernel_name != nullptr) {
    a.kernel = axes(kernel_name, 1, Code::VALUE_KERNEL_SIZE, Code::TYPE_KERNEL_SIZE, Code::VALUE_KERNEL_SIZE_LENGTH);
  }
  a.stride = axes("stride", 1, Code::VALUE_STRIDE, Code::TYPE_STRIDE, Code::VALUE_STRIDE_LENGTH);
  a.dilation = axes("dilation", 1, Code::VALUE_DILATION, Code::TYPE_DILATION, Code::VALUE_DILATION_LENGTH);
  a.output_padding = axes("output_padding", 0, Code::VALUE_OUTPUT_PADDING, Code::TYPE_OUTPUT_PADDING,
                          Code::VALUE_OUTPUT_PADDING_LENGTH);
  return a;
}

namespace {

Status read_data_format(const Arguments& args, int rank, bool* channels_last) {
  static constexpr const char* kFirst[] = {"NCL", "NCHW", "NCDHW"};
  static constexpr const char* kLast[] = {"NLC", "NHWC", "NDHWC"};
  const char* first = kFirst[rank - 1];
  const char* last = kLast[rank - 1];
  int index = 0;
  CTCONV_RETURN_IF_ERROR(one_of("data_format", argument_or(args, "data_format", string_value(first)), {first, last},
                                false, Code::VALUE_DATA_FORMAT, Code::VALUE_DATA_FORMAT, &index));
  *channels_last = index == 1;
  return {};
}

bool all_ints(const Value& v) {
  for (const Value& item : v.items) {
    if (item.tag != Value::kInt) return false;
  }
  return true;
}

std::string accepted_padding(int rank) {
  return "\"SAME\", \"VALID\", an int, " + std::to_string(rank) + " or " + std::to_string(2 * rank) + " ints, or " +
         std::to_string(rank + 2) + " pairs";
}

Status pairs(const Value& v, int rank, bool channels_last, Padding* out) {
  const auto bad_form = [&](int32_t n) {
    return argument_error(Code::VALUE_PADDING_LENGTH, "padding", v.show(), accepted_padding(rank),
                          "has an entry that is no pair of ints", n);
  };
  for (size_t n = 0; n < v.items.size(); ++n) {
    const Value& pair = v.items[n];
    if (!pair.is_sequence() || pair.items.size() != 2 || !all_ints(pair)) return bad_form(static_cast<int32_t>(n));
  }
  const int channel = channels_last ? rank + 1 : 1;
  for (int n : {0, channel}) {
    const Value& pair = v.items[static_cast<size_t>(n)];
    if (pair.items[0].i == 0 && pair.items[1].i == 0) continue;
    return argument_error(Code::VALUE_PADDING_BATCH_CHANNEL, "padding", v.show(),
                          "(0, 0) for the batch and the channel axis",
                          n == 0 ? "pads the batch axis" : "pads the channel axis", n);
  }
  for (int n = 1; n < rank + 2; ++n) {
    if (n == channel) continue;
    out->begin.push_back(v.items[static_cast<size_t>(n)].items[0].i);
    out->end.push_back(v.items[static_cast<size_t>(n)].items[1].i);
  }
  return {};
}

void both_sides(std::vector<int64_t> entries, Padding* out) {
  out->begin = entries;
  out->end = std::move(entries);
}

Status read_sequence(const Value& v, int rank, bool channels_last, Padding* out) {
  const auto count = static_cast<size_t>(rank);
  if (v.items.size() == count + 2 && v.items[0].is_sequence()) return pairs(v, rank, channels_last, out);
  if (v.items.size() == 2 * count && all_ints(v)) {
    for (size_t n = 0; n < count; ++n) {
      out->begin.push_back(v.items[2 * n].i);
      out->end.push_back(v.items[2 * n + 1].i);
    }
    return {};
  }
  if (v.items.size() == count && all_ints(v)) {
    for (const Value& item : v.items) out->begin.push_back(item.i);
    out->end = out->begin;
    return {};
  }
  return argument_error(Code::VALUE_PADDING_LENGTH, "padding", v.show(), accepted_padding(rank),
                        "has a form padding does not take");
}

Status read_padding(const Value& v, int rank, bool channels_last, Padding* out) {
  const auto count = static_cast<size_t>(rank);
  if (v.tag == Value::kString) {
    int index = 0;
    CTCONV_RETURN_IF_ERROR(
        one_of("padding", v, {"SAME", "VALID"}, true, Code::VALUE_PADDING_STRING, Code::VALUE_PADDING_STRING, &index));
    out->kind = index == 0 ? Padding::kSame : Padding::kValid;
    both_sides(std::vector<int64_t>(count, 0), out);
  } else if (v.tag == Value::kInt) {
    both_sides(std::vector<int64_t>(count, v.i), out);
  } else if (v.is_sequence()) {
    CTCONV_RETURN_IF_ERROR(read_sequence(v, rank, channels_last, out));
  } else {
    const Code code = v.tag == Value::kBool ? Code::TYPE_PADDING : Code::VALUE_PADDING;
    return argument_error(code, "padding", v.show(), accepted_padding(rank), "is " + v.type_name());
  }
  for (size_t n = 0; n < count; ++n) {
    if (out->begin[n] >= 0 && out->end[n] >= 0) continue;
    return argument_error(Code::VALUE_PADDING_NEGATIVE, "padding", v.show(), ">= 0", "has a negative entry",
                          static_cast<int32_t>(n));
  }
  return {};
}

}  // namespace

Status read_form(const Arguments& args, int rank, std::initializer_list<const Axes*> sizes, Form* out) {
  CTCONV_RETURN_IF_ERROR(read_data_format(args, rank, &out->channels_last));
  for (const Axes* axes : sizes) CTCONV_RETURN_IF_ERROR(axes->form());
  return read_padding(argument_or(args, "padding", int_value(0)), rank, out->channels_last, &out->padding);
}

void set_form(const Form& form, Descriptor* d) {
  d->channels_last = form.channels_last;
  d->pad_begin = form.padding.begin;
  d->pad_end = form.padding.end;
  if (form.padding.kind == Padding::kSame) {
    d->pad_rule = PadRule::kSameForward;
    d->dilation.assign(static_cast<size_t>(d->rank), 1);
  }
}

Whole read_groups(const Arguments& args) {
  const Value* given = args.find("groups");
  return {"groups", given == nullptr || given->is_none() ? int_value(1) : *given};
}

Status read_weight_attr(const Arguments& args, const char* name, const std::vector<int64_t>* shape, Descriptor* d) {
  const Value v = argument_or(args, name, none_value());
  if (v.tag == Value::kTensor)
    return tensor_init(name, v, shape, Code::TYPE_WEIGHT_INIT, Code::VALUE_WEIGHT_INIT, &d->weight_init);
  if (v.is_none() || v.tag == Value::kString || (v.tag == Value::kBool && v.i != 0)) return {};
  return argument_error(Code::TYPE_WEIGHT_INIT, name, v.show(), "None, True, a parameter name or a tensor",
                        "is " + v.type_name());
}

Status read_bias_attr(const Arguments& args, const std::vector<int64_t>* shape, Descriptor* d) {
  const Value v = argument_or(args, "bias_attr", none_value());
  if (v.tag == Value::kTensor)
    return tensor_init("bias_attr", v, shape, Code::TYPE_BIAS, Code::VALUE_BIAS_INIT, &d->bias_init);
  if (v.tag == Value::kBool) {
    d->bias_allowed = d->bias_expected = v.i != 0;
    return {};
  }
  if (v.is_none() || v.tag == Value::kString) return {};
  return argument_error(Code::TYPE_BIAS, "bias_attr", v.show(), "None, a bool, a parameter name or a tensor",
                        "is " + v.type_name());
}

Status read_act(const Arguments& args, Descriptor* d) {
  // Operator defaults of the package: leaky_relu has slope 0.02, relu6 is cut at 6.
  static constexpr NamedActivation kNames[] = {
      {"relu", {Activation::kRelu, 0, 0}},  {"leaky_relu", {Activation::kLeakyRelu, 0.02, 0}},
      {"tanh", {Activation::kTanh, 0, 0}},  {"sigmoid", {Activation::kSigmoid, 0, 0}},
      {"relu6", {Activation::kClip, 0, 6}},
  };
  return read_activation("act", argument_or(args, "act", none_value()), kNames, &d->activation);
}

void common_fields(Descriptor* d) {
  d->least_core = 0;
  d->types = element_types({Dtype::kF32, Dtype::kF64});
  d->types_on_cuda = element_types({Dtype::kF16});
  d->codes.weight_rank = Code::SHAPE_RANK_MISMATCH;
  d->output_size_takes_int = true;
  d->output_size_rule = OutputSizeRule::kWindow;
  d->weight_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanSum, .scale = 6};
  d->bias_init = {.kind = Initialiser::kConstant, .a = 0};
  d->spelling.x = "x";
}

}  // namespace ctconv::paddle
