// SPDX-License-Identifier: Apache-2.0
// What the judgements make of tensors, on record in tests/data/judged.tsv: a section a layer with its legal tensors,
// then one of them changed at a time: an axis more or less, another extent, another element type, another size.
//
//   An answer is the status, argument, entry and message, or the geometry and y.
//   create: judge_weights; spec: the shapes of weight and bias; call: judge_call with the weight of this call; own:
//   with the op's own weight. A second answer about the same tensor stands there only where it differs.
//   CTCONV_TEST_RECORD=1 writes the file anew.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "src/base/show.h"
#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"
#include "src/problem/judge.h"
#include "tests/rig/arguments.h"
#include "tests/rig/recorded.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

using Shape = std::vector<int64_t>;

constexpr int64_t kHuge = int64_t{1} << 62;

struct Layer {
  const char* dialect;
  Args args;
  Shape x, w, b;
};

std::string told(const Status& status) {
  if (status.ok()) return "OK";
  const Status::Detail& d = status.detail();
  const std::string element = d.element < 0 ? "" : "[" + std::to_string(d.element) + "]";
  const std::string name = std::string(status_name(static_cast<int32_t>(d.code))).substr(11);
  return name + " " + d.argument + element + ": " + d.message +
         (d.message.find(d.range) == std::string::npos ? " | " + d.range : "");
}

std::string told(const Descriptor& desc, const CallTensors& tensors) {
  const auto g = judge_call(desc, tensors);
  if (!g.ok()) return told(g.status());
  std::string out = "rank " + std::to_string(g->rank) + " n " + std::to_string(g->n) + (g->batched ? "" : " alone");
  out += " in " + std::to_string(g->in_channels) + " out " + std::to_string(g->out_channels);
  for (int a = 0; a < g->rank; ++a) {
    const AxisSizes& s = g->axis[static_cast<size_t>(a)];
    out += ";";
    for (int64_t v : {s.in, s.k, s.s, s.d, s.lo, s.hi, s.extra, s.core, s.tail}) out += " " + std::to_string(v);
  }
  const TensorSpec y = output_spec(desc, *g);
  return out + "; y " + name_of(y.type) + " " + show_shape(Shape(y.dims().begin(), y.dims().end()));
}

std::string told(const Result<WeightSpecs>& specs) {
  if (!specs.ok()) return told(specs.status());
  const auto one = [](const TensorSpec& s) {
    return s.ndim == 0 ? "none" : name_of(s.type) + " " + show_shape(Shape(s.dims().begin(), s.dims().end()));
  };
  return one(specs->weight) + ", bias " + one(specs->bias);
}

// The tensor and what is near it.
std::vector<TensorView> near(const Shape& shape) {
  std::vector<TensorView> all = {tensor(shape)};
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    for (int64_t extent : {int64_t{0}, shape[axis] + 1, kHuge}) {
      Shape other = shape;
      other[axis] = extent;
      all.push_back(tensor(other));
    }
  }
  Shape more = shape, less = shape;
  more.push_back(2);
  less.pop_back();
  all.push_back(tensor(more));
  all.push_back(tensor(less));
  if (!less.empty()) less.pop_back();
  all.push_back(tensor(less));
  for (ElementType type : {element_type(Dtype::kF16), element_type(Dtype::kBf16), element_type(Dtype::kF64),
                           element_type(Dtype::kI8), ElementType{2, 32, 2}}) {
    all.push_back(tensor(shape, type));
  }
  return all;
}

class Record {
 public:
  explicit Record(std::vector<std::string>* lines) : lines_(lines) {}
  void add(const std::string& what, const std::string& answer, const std::string& value) {
    const std::string key = what + "\t" + answer;
    const auto same = [&](const auto& known) { return known.first == key; };
    auto known = std::find_if(answers_.begin(), answers_.end(), same);
    if (known == answers_.end()) known = answers_.insert(answers_.end(), {key, ""});
    known->second += (known->second.empty() ? "" : " ") + value;
  }
  // Only where it differs from the answer before.
  void also(const std::string& what, const std::string& answer, const std::string& before, const std::string& value) {
    if (answer != before) add(what, answer, value);
  }
  void write() {
    for (const auto& [answer, values] : answers_) lines_->push_back(answer + "\t" + values);
  }

 private:
  std::vector<std::string>* lines_;
  std::vector<std::pair<std::string, std::string>> answers_;
};

std::string shown(const TensorView& t) {
  return (t.type == ElementType() ? "" : name_of(t.type)) + show_shape(Shape(t.dims().begin(), t.dims().end()));
}

Descriptor descriptor(const Layer& layer) {
  auto d = interpreted(layer.dialect, layer.args);
  INFO(layer.dialect << ": " << told(d.status()));
  REQUIRE(d.ok());
  return std::move(d.value());
}

void record_x(const Descriptor& desc, const TensorView& w, const TensorView& b, const Shape& legal, Record* out) {
  for (const TensorView& x : near(legal)) {
    const std::string call = told(desc, {.x = &x, .w = &w, .b = &b});
    out->add("x, call", call, shown(x));
    out->add("x, spec", told(weight_specs(desc, &x)), shown(x));
    out->also("x, no weight", told(desc, {.x = &x}), call, shown(x));
    if (x.type == ElementType()) continue;
    const CallTensors own = {.x = &x, .w = &w, .b = &b, .weights_judged = true, .bias_judged = true};
    out->also("x, own", told(desc, own), call, shown(x));
    out->also("x, cuda", told(desc, {.x = &x, .w = &w, .b = &b, .cuda = true}), call, shown(x));
    TensorView same = w, bias = b;
    same.type = bias.type = x.type;
    const std::string both = told(desc, {.x = &x, .w = &same, .b = &bias});
    out->add("x and weight", both, shown(x));
    out->also("x and weight, cuda", told(desc, {.x = &x, .w = &same, .b = &bias, .cuda = true}), both, shown(x));
  }
  out->add("no x, spec", told(weight_specs(desc, nullptr)), "-");
}

void record_weights(const Descriptor& desc, const TensorView& x, const Layer& layer, Record* out) {
  for (const TensorView& w : near(layer.w)) {
    const TensorView b = tensor(layer.b);
    const std::string call = told(desc, {.x = &x, .w = &w, .b = &b});
    out->add("w, call", call, shown(w));
    out->also("w, own", told(desc, {.x = &x, .w = &w, .b = &b, .weights_judged = true}), call, shown(w));
    out->also("w, create", told(judge_weights(desc, &w, nullptr, false)), call, shown(w));
    if (w.type != ElementType()) out->add("w, create on cuda", told(judge_weights(desc, &w, nullptr, true)), shown(w));
  }
  for (const TensorView& b : near(layer.b)) {
    const TensorView w = tensor(layer.w);
    const std::string call = told(desc, {.x = &x, .w = &w, .b = &b});
    out->add("b, call", call, shown(b));
    out->also("b, create", told(judge_weights(desc, &w, &b, false)), call, shown(b));
    out->add("b alone, create", told(judge_weights(desc, nullptr, &b, false)), shown(b));
  }
}

void record_sizes(const Descriptor& desc, const TensorView& x, const TensorView& w, Record* out) {
  std::vector<Value> sizes = {bool_value(true), string_value("9"), ints({}), ints({9}), int_value(kHuge)};
  for (int64_t n : {-1, 0, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}) {
    sizes.push_back(int_value(n));
    sizes.push_back(ints({11, n}));
    sizes.push_back(ints({n, 13}, Value::kList));
  }
  for (int64_t n : {7, 13}) {
    sizes.push_back(ints({1, n, n}));
    sizes.push_back(ints({1, 6, 11, n}));
  }
  for (const Value& value : sizes) {
    const RequestedSize size = read_output_size(desc, value, x.ndim);
    const std::string call = told(desc, {.x = &x, .w = &w, .size = &size});
    out->add("size", call, value.show());
    if (!size.fault.ok()) out->also("size as read", told(size.fault), call, value.show());
  }
}

Args layer_of(Args more, const char* groups = "groups") {
  Args args = {{"in_channels", int_value(4)}, {"out_channels", int_value(6)}, {"kernel_size", int_value(3)}};
  if (groups != nullptr) args.emplace_back(groups, int_value(2));
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

std::vector<Layer> layers() {
  const auto two = int_value(2), one = int_value(1), three = int_value(3);
  const Args wide = {{"stride", two}, {"padding", one}, {"output_padding", one}, {"dilation", two}};
  return {
      {"torch.nn.ConvTranspose2d", layer_of(wide), {2, 4, 5, 6}, {4, 3, 3, 3}, {6}},
      {"torch.nn.ConvTranspose2d",
       layer_of({{"stride", two}, {"output_padding", two}}),
       {2, 4, 5, 6},
       {4, 3, 3, 3},
       {6}},
      {"torch.nn.ConvTranspose1d", layer_of({{"stride", three}}), {4, 5}, {4, 3, 3}, {6}},
      {"torch.nn.ConvTranspose1d", layer_of({{"padding", int_value(9)}}), {2, 4, 5}, {4, 3, 3}, {6}},
      {"torch.nn.ConvTranspose1d", layer_of({{"stride", int_value(kHuge)}}), {2, 4, 2}, {4, 3, 3}, {6}},
      {"megengine.module.ConvTranspose3d", layer_of({}), {2, 4, 5, 6, 7}, {2, 2, 3, 3, 3, 3}, {1, 6, 1, 1, 1}},
      {"megengine.module.ConvTranspose2d", layer_of({}, nullptr), {2, 4, 5, 6}, {4, 6, 3, 3}, {1, 6, 1, 1}},
      {"paddle.nn.Conv2DTranspose",
       layer_of({{"stride", two}, {"data_format", string_value("NHWC")}}),
       {2, 5, 6, 4},
       {4, 3, 3, 3},
       {6}},
      {"paddle.nn.Conv2DTranspose",
       layer_of({{"stride", three}, {"padding", string_value("SAME")}}),
       {2, 4, 5, 6},
       {4, 3, 3, 3},
       {6}},
      {"paddle.nn.Conv1DTranspose", layer_of({{"stride", two}, {"output_padding", one}}), {2, 4, 5}, {4, 3, 3}, {6}},
      {"paddle.nn.functional.conv2d_transpose",
       {{"stride", two}, {"groups", two}, {"output_size", ints({11, 13})}},
       {2, 4, 5, 6},
       {4, 3, 3, 3},
       {6}},
      {"paddle.static.nn.conv2d_transpose",
       {{"num_filters", int_value(6)}, {"output_size", ints({11, 13})}, {"stride", two}, {"groups", two}},
       {2, 4, 5, 6},
       {4, 3, 3, 3},
       {6}},
      {"paddle.static.nn.conv2d_transpose",
       {{"num_filters", int_value(6)}, {"filter_size", three}},
       {2, 4, 5, 6},
       {4, 6, 3, 3},
       {6}},
      {"mindspore.nn.Conv1dTranspose",
       layer_of({{"has_bias", bool_value(true)}}, "group"),
       {2, 4, 5},
       {4, 3, 1, 3},
       {6}},
      {"mindspore.nn.Conv2dTranspose",
       layer_of({{"stride", two},
                 {"pad_mode", string_value("pad")},
                 {"output_padding", one},
                 {"has_bias", bool_value(true)}},
                "group"),
       {2, 4, 5, 6},
       {4, 3, 3, 3},
       {6}},
      {"mindspore.nn.Conv2dTranspose@2.0", layer_of({}, "group"), {2, 4, 5, 6}, {4, 3, 3, 3}, {6}},
      {"mindspore.ops.Conv3DTranspose",
       {{"in_channel", int_value(4)}, {"out_channel", int_value(6)}, {"kernel_size", three}, {"stride", two}},
       {2, 4, 5, 6, 7},
       {4, 6, 3, 3, 3},
       {6}},
      {"onnx.ConvTranspose", {{"group", two}}, {2, 4, 5, 6}, {4, 3, 3, 3}, {6}},
      {"onnx.ConvTranspose",
       {{"strides", ints({2, 3})},
        {"dilations", ints({1, 2})},
        {"pads", ints({1, 0, 2, 1})},
        {"output_padding", ints({1, 2})},
        {"kernel_shape", ints({3, 3})}},
       {2, 4, 5, 6},
       {4, 6, 3, 3},
       {6}},
      {"onnx.ConvTranspose",
       {{"output_padding", ints({1, 2})}, {"strides", ints({2, 2})}},
       {2, 4, 5, 6},
       {4, 6, 3, 3},
       {6}},
      {"onnx.ConvTranspose", {{"strides", ints({})}}, {2, 4, 5}, {4, 6, 3}, {6}},
      {"onnx.ConvTranspose", {{"pads", ints({1})}}, {2, 4, 5}, {4, 6, 3}, {6}},
      {"onnx.ConvTranspose", {{"kernel_shape", ints({3})}}, {2, 4, 5, 6}, {4, 6, 3, 3}, {6}},
      {"onnx.ConvTranspose",
       {{"output_shape", ints({12, 30})}, {"strides", ints({2, 3})}},
       {2, 4, 5, 6},
       {4, 6, 3, 3},
       {6}},
      {"onnx.ConvTranspose",
       {{"output_shape", ints({0, 9})}, {"strides", ints({2, 3})}},
       {2, 4, 5, 6},
       {4, 6, 3, 3},
       {6}},
      {"onnx.ConvTranspose",
       {{"auto_pad", string_value("SAME_LOWER")}, {"strides", ints({2, 3})}, {"output_padding", ints({1, 0})}},
       {2, 4, 5, 6},
       {4, 6, 4, 4},
       {6}},
      {"keras.layers.Conv2DTranspose",
       {{"filters", int_value(6)}, {"kernel_size", three}, {"strides", two}},
       {2, 5, 6, 4},
       {3, 3, 6, 4},
       {6}},
      {"ctconv",
       {{"in_channels", int_value(4)},
        {"out_channels", int_value(6)},
        {"groups", two},
        {"kernel_size", ints({3, 2})},
        {"stride", ints({2, 1})},
        {"pad_begin", ints({1, 0})},
        {"pad_end", ints({0, 2})},
        {"zero_tail", ints({1, 2})},
        {"data_format", string_value("channels_last")},
        {"bias", bool_value(false)}},
       {2, 5, 6, 4},
       {4, 3, 3, 2},
       {6}},
  };
}

}  // namespace

TEST_CASE("judged: each tensor of a layer changed in one place, on record", "[record]") {
  std::vector<std::string> lines;
  for (const Layer& layer : layers()) {
    std::string title = std::string("# ") + layer.dialect;
    for (const auto& [name, value] : layer.args) title += " " + name + "=" + value.show();
    lines.push_back(title);
    const Descriptor desc = descriptor(layer);
    const TensorView x = tensor(layer.x), w = tensor(layer.w), b = tensor(layer.b);
    Record record(&lines);
    record.add("legal", told(desc, {.x = &x, .w = &w, .b = &b}), shown(x) + " " + shown(w) + " " + shown(b));
    record_x(desc, w, b, layer.x, &record);
    record_weights(desc, x, layer, &record);
    if (desc.output_size_in_call) record_sizes(desc, x, w, &record);
    record.write();
  }
  rig::are_on_record("judged.tsv", lines);
}
