// Steps the paddle operators share. Source: docs/semantics.md section 7.
#include "src/dialect/paddle.h"

#include "src/dialect/init_names.h"

namespace ctconv::paddle {

AxesPolicy axes(int rank, Code value, Code type, Code length) {
  return {.count = rank,
          .list = true,
          .wrong_type = value,
          .wrong_bool = type,
          .wrong_entry = type,
          .wrong_length = length};
}

Status judge_form(const Axes& a) {
  CTCONV_RETURN_IF_ERROR(a.container());
  CTCONV_RETURN_IF_ERROR(a.length());
  return a.entries();
}

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

namespace {

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

}  // namespace

Status read_padding(const Arguments& args, int rank, bool channels_last, Padding* out) {
  const Value v = argument_or(args, "padding", int_value(0));
  const auto count = static_cast<size_t>(rank);
  if (v.tag == Value::kString) {
    int index = 0;
    CTCONV_RETURN_IF_ERROR(
        one_of("padding", v, {"SAME", "VALID"}, true, Code::VALUE_PADDING_STRING, Code::VALUE_PADDING_STRING, &index));
    out->kind = index == 0 ? Padding::kSame : Padding::kValid;
    out->begin.assign(count, 0);
    out->end.assign(count, 0);
    return {};
  }
  if (v.tag == Value::kInt) {
    out->begin.assign(count, v.i);
    out->end.assign(count, v.i);
  } else if (v.is_sequence()) {
    if (v.items.size() == count + 2 && v.items[0].is_sequence()) {
      CTCONV_RETURN_IF_ERROR(pairs(v, rank, channels_last, out));
    } else if (v.items.size() == 2 * count && all_ints(v)) {
      for (size_t n = 0; n < count; ++n) {
        out->begin.push_back(v.items[2 * n].i);
        out->end.push_back(v.items[2 * n + 1].i);
      }
    } else if (v.items.size() == count && all_ints(v)) {
      for (const Value& item : v.items) out->begin.push_back(item.i);
      out->end = out->begin;
    } else {
      return argument_error(Code::VALUE_PADDING_LENGTH, "padding", v.show(), accepted_padding(rank),
                            "has a form padding does not take");
    }
  } else {
    const Code code = v.tag == Value::kBool ? Code::TYPE_PADDING : Code::VALUE_PADDING;
    return argument_error(code, "padding", v.show(), accepted_padding(rank), "is " + v.type_name());
  }
  for (size_t n = 0; n < count; ++n) {
    if (out->begin[n] < 0 || out->end[n] < 0) {
      return argument_error(Code::VALUE_PADDING_NEGATIVE, "padding", v.show(), ">= 0", "has a negative entry",
                            static_cast<int32_t>(n));
    }
  }
  return {};
}

void lower_padding(const Padding& padding, Descriptor* d) {
  d->pad_begin = padding.begin;
  d->pad_end = padding.end;
  if (padding.kind == Padding::kSame) {
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
  static constexpr struct {
    const char* name;
    Activation act;
  } kActs[] = {
      {"relu", {1, 0, 0}},    {"leaky_relu", {2, 0.02, 0}}, {"tanh", {3, 0, 0}},
      {"sigmoid", {4, 0, 0}}, {"relu6", {5, 0, 6}},
  };
  const Value v = argument_or(args, "act", none_value());
  if (v.is_none()) return {};
  for (const auto& row : kActs) {
    if (v.tag == Value::kString && v.text == row.name) {
      d->activation = row.act;
      return {};
    }
  }
  return argument_error(Code::VALUE_ACT, "act", v.show(), "None, relu, leaky_relu, tanh, sigmoid, relu6",
                        "is no known activation");
}

void common_fields(Descriptor* d) {
  d->least_core = 0;
  d->types = {element_type(Dtype::kF32), element_type(Dtype::kF64)};
  d->types_on_cuda = {element_type(Dtype::kF16)};
  d->codes.weight_rank = Code::SHAPE_RANK_MISMATCH;
  d->output_size_takes_int = true;
  d->output_size_rule = OutputSizeRule::kWindow;
  d->weight_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanSum, .scale = 6};
  d->bias_init = {.kind = Initialiser::kConstant, .a = 0};
  d->spelling.x = "x";
}

}  // namespace ctconv::paddle
