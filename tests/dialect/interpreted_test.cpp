// SPDX-License-Identifier: Apache-2.0
// What each dialect makes of each argument, on record in tests/data/interpreted.tsv: a section a layer, then a line for
// each argument and answer, with the values that get it (the usual answer: all others). An answer is the status, the
// argument, the entry and the legal range, or the fields of the descriptor that change.
//
//   Each refusal says its value, and its message holds argument, value and range.
//   CTCONV_TEST_RECORD=1 writes the files anew.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "src/dialect/dialect.h"
#include "src/dialect/rules.h"
#include "tests/dialect/words.h"
#include "tests/rig/arguments.h"
#include "tests/rig/recorded.h"

using namespace ctconv;
using namespace ctconv::rig;
using namespace ctconv::test;

namespace {

Value pairs(std::initializer_list<std::pair<int64_t, int64_t>> entries) {
  std::vector<Value> items;
  for (const auto& [a, b] : entries) items.push_back(ints({a, b}));
  return sequence(std::move(items));
}

Value other(const char* type) {
  Value v = string_value(type);
  v.tag = Value::kOther;
  return v;
}

// float32 zeros.
Value tensor(std::vector<int64_t> shape) {
  Value v;
  v.tag = Value::kTensor;
  v.tensor.ndim = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), v.tensor.shape.begin());
  v.bytes.resize(4 * static_cast<size_t>(count_of(v.tensor)));
  return v;
}

constexpr const char* kNames[] = {"same",
                                  "SAME",
                                  "valid",
                                  "VALID",
                                  "pad",
                                  "PAD",
                                  "zeros",
                                  "Zeros",
                                  "ones",
                                  "reflect",
                                  "NOTSET",
                                  "SAME_UPPER",
                                  "SAME_LOWER",
                                  "NCL",
                                  "NLC",
                                  "NCHW",
                                  "NHWC",
                                  "NCDHW",
                                  "NDHWC",
                                  "channels_first",
                                  "CHANNELS_LAST",
                                  "channels_last",
                                  "linear",
                                  "relu",
                                  "leaky_relu",
                                  "tanh",
                                  "sigmoid",
                                  "relu6",
                                  "zero",
                                  "one",
                                  "normal",
                                  "uniform",
                                  "truncatedNormal",
                                  "HeUniform",
                                  "he_normal",
                                  "XavierUniform",
                                  "xavier_normal",
                                  "dirac",
                                  "orthogonal",
                                  "constant",
                                  "RandomNormal",
                                  "random_uniform",
                                  "TruncatedNormal",
                                  "glorot_uniform",
                                  "GlorotNormal",
                                  "he_uniform",
                                  "lecun_uniform",
                                  "lecun_normal",
                                  "float32",
                                  "mindspore.float16",
                                  "bfloat16",
                                  "",
                                  "nobody"};

std::vector<Value> values() {
  const Value::Tag kList = Value::kList;
  std::vector<Value> all = {none_value(), bool_value(true), bool_value(false), real(0), real(1.5), other("object")};
  for (int64_t i : {-2, -1, 0, 1, 2, 3, 4, 5, 7}) all.push_back(int_value(i));
  for (const Value& v : {ints({}),
                         ints({1}),
                         ints({2}),
                         ints({0}),
                         ints({-1}),
                         ints({0, 0}),
                         ints({1, 1}),
                         ints({1, 2}),
                         ints({2, 1}),
                         ints({3, 2}),
                         ints({0, -1}),
                         ints({-1, 0}),
                         ints({1, 2, 3}),
                         ints({0, 0, 0}),
                         ints({3, 1, 2}),
                         ints({1, -1, 1}),
                         ints({1, 0, 1}),
                         ints({1, 2, 3, 4}),
                         ints({0, 0, 0, 0}),
                         ints({0, 0, -1, 0}),
                         ints({0, 1, 0, 0}),
                         ints({1, 2, 3, 4, 5}),
                         ints({1, 2, 3, 4, 5, 6}),
                         ints({0, 0, 0, 0, 0, 0}),
                         ints({1, 1, 1, 1, 1, -1}),
                         ints({1, 2}, kList),
                         ints({1, 2, 3}, kList),
                         ints({1}, kList),
                         ints({}, kList)}) {
    all.push_back(v);
  }
  const Value one = int_value(1), flag = bool_value(true), half = real(0.5);
  for (const Value& v :
       {sequence({one, flag}), sequence({half, one}), sequence({one, one, flag}), sequence({one, half, one}),
        sequence({one, none_value(), one, one}), sequence({one, one, one, one, half, one}), sequence({one, ints({1})}),
        sequence({half}), pairs({{0, 0}, {0, 0}, {1, 2}}), pairs({{0, 0}, {0, 0}, {1, 2}, {3, 4}}),
        pairs({{0, 0}, {1, 2}, {3, 4}, {0, 0}}), pairs({{0, 1}, {0, 0}, {1, 2}, {3, 4}}),
        pairs({{0, 0}, {0, 0}, {1, -1}, {3, 4}}), pairs({{0, 0}, {0, 0}, {1, 2}, {3, 4}, {5, 6}})}) {
    all.push_back(v);
  }
  for (const Value& v : {tensor({2}), tensor({4, 6, 3, 3}), tensor({6}), tensor({3, 3, 6, 4})}) all.push_back(v);
  for (const char* name : kNames) all.push_back(string_value(name));
  // An object whose type has such a name is no such text.
  for (const char* name : {"relu", "valid", "zeros", "NCHW", "NOTSET", "he_normal"}) all.push_back(other(name));
  return all;
}

void expect_words(const Status& status) {
  const Status::Detail& d = status.detail();
  bool said = !d.argument.empty() && !d.range.empty();
  for (const std::string* part : {&d.argument, &d.value, &d.range}) {
    said = said && d.message.find(*part) != std::string::npos;
  }
  if (!said) FAIL("argument, value and range are not all in: " << d.message);
}

std::string shown(const Args& args) {
  std::string out;
  for (const auto& [name, value] : args) out += " " + name + "=" + value.show();
  return out;
}

// The lines of one argument.
void record(const std::string& dialect, const Args& layer, const Fields& before, const std::string& name,
            const std::vector<Value>& tried, std::vector<std::string>* lines) {
  struct Answer {
    std::string words, values;
    int count = 0;
  };
  std::vector<Answer> answers;
  for (const Value& value : tried) {
    Args args = layer;
    args.emplace_back(name, value);
    auto d = interpreted(dialect, args);
    if (!d.ok()) expect_words(d.status());
    const std::string answer = d.ok() ? "{" + difference(before, fields_of(*d)) + "}" : told(d.status());
    const auto same = [&](const Answer& known) { return known.words == answer; };
    auto known = std::find_if(answers.begin(), answers.end(), same);
    if (known == answers.end()) known = answers.insert(answers.end(), {.words = answer, .values = ""});
    known->values += (known->count++ ? " " : "") + value.show();
  }
  const auto fewer = [](const Answer& a, const Answer& b) { return a.count < b.count; };
  const auto usual = std::max_element(answers.begin(), answers.end(), fewer);
  for (auto a = answers.begin(); a != answers.end(); ++a) {
    lines->push_back(name + "\t" + a->words + "\t" + (a == usual && a->count > 5 ? "all others" : a->values));
  }
}

void record_layer(const std::string& dialect, const Args& layer, bool sweep, std::vector<std::string>* lines) {
  lines->push_back("# " + dialect + shown(layer));
  auto d = interpreted(dialect, layer);
  if (!d.ok()) {
    expect_words(d.status());
    lines->push_back(told(d.status()));
    return;
  }
  const Fields before = fields_of(*d);
  lines->push_back(difference(fields_of(Descriptor()), before));
  if (!sweep) return;
  std::string_view version;
  const Dialect& found = *find_dialect(dialect, &version);
  const std::vector<Value> tried = values();
  for (const ArgumentRow& row : arguments_of(found, version)) {
    record(dialect, layer, before, row.name, tried, lines);
  }
}

Args operator+(Args args, const Args& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

const Args kLayer = {{"in_channels", int_value(4)}, {"out_channels", int_value(6)}, {"kernel_size", int_value(3)}};
const Args kOps = {{"in_channel", int_value(4)}, {"out_channel", int_value(6)}, {"kernel_size", int_value(3)}};
const Args kKeras = {{"filters", int_value(6)}, {"kernel_size", int_value(3)}};
const Args kStatic = {{"num_filters", int_value(6)}, {"filter_size", int_value(3)}};
const Args kStrideTwo = {{"stride", int_value(2)}, {"dilation", int_value(3)}};

}  // namespace

TEST_CASE("interpreted: every argument of every kind of dialect, on record", "[record]") {
  std::vector<std::string> lines;
  const Args pad = {{"pad_mode", string_value("pad")}}, bias = {{"has_bias", bool_value(true)}};
  record_layer("torch.nn.ConvTranspose2d", kLayer + kStrideTwo, true, &lines);
  record_layer("megengine.module.ConvTranspose2d", kLayer + kStrideTwo, true, &lines);
  record_layer("megengine.module.ConvTranspose3d", kLayer, false, &lines);
  record_layer("paddle.nn.Conv1DTranspose", kLayer, true, &lines);
  record_layer("paddle.nn.Conv2DTranspose", kLayer + kStrideTwo, true, &lines);
  record_layer("paddle.nn.functional.conv2d_transpose", kStrideTwo, true, &lines);
  record_layer("paddle.static.nn.conv2d_transpose", kStatic + kStrideTwo, true, &lines);
  record_layer("paddle.static.nn.conv2d_transpose", {{"num_filters", int_value(6)}, {"output_size", int_value(9)}},
               true, &lines);
  record_layer("mindspore.ops.Conv3DTranspose", kOps + kStrideTwo, true, &lines);
  record_layer("mindspore.ops.Conv3DTranspose", kOps + kStrideTwo + pad, true, &lines);
  record_layer("mindspore.nn.Conv1dTranspose", kLayer + bias, true, &lines);
  record_layer("mindspore.nn.Conv2dTranspose", kLayer + kStrideTwo + bias, true, &lines);
  record_layer("mindspore.nn.Conv2dTranspose", kLayer + kStrideTwo + pad, true, &lines);
  record_layer("mindspore.nn.Conv3dTranspose", kLayer + kStrideTwo + bias, true, &lines);
  record_layer("mindspore.nn.Conv3dTranspose", kLayer + kStrideTwo + pad, true, &lines);
  record_layer("onnx.ConvTranspose", {}, true, &lines);
  record_layer("onnx.ConvTranspose", {{"auto_pad", string_value("VALID")}}, true, &lines);
  record_layer("keras.layers.Conv2DTranspose", kKeras + Args{{"strides", int_value(2)}}, true, &lines);
  record_layer("keras.layers.Conv2DTranspose", kKeras + Args{{"dilation_rate", int_value(2)}}, true, &lines);
  record_layer("ctconv", {{"in_channels", int_value(4)}, {"out_channels", int_value(6)}, {"kernel_size", ints({3, 3})}},
               true, &lines);
  rig::are_on_record("interpreted.tsv", lines);
}

TEST_CASE("interpreted: the other ranks and versions, layers of two faults, on record", "[record]") {
  std::vector<std::string> lines;
  for (const Dialect& dialect : dialects()) {
    for (size_t n = 0; n <= dialect.versions.size(); ++n) {
      std::string name = dialect.name;
      if (n > 0) name += std::string("@") + dialect.versions[n - 1].name;
      const std::string_view version = n > 0 ? dialect.versions[n - 1].name : "";
      Args layer;
      for (const ArgumentRow& row : arguments_of(dialect, version)) {
        lines.push_back(name + " " + row.name + "=" + row.default_text + (row.required ? " required" : "") +
                        (row.by_name_only ? " by name" : ""));
        if (row.required) layer.emplace_back(row.name, int_value(4));
      }
      record_layer(name, layer, false, &lines);
      for (const auto& [required, value] : layer) {
        Args without;
        for (const auto& [kept, v] : layer) {
          if (kept != required) without.emplace_back(kept, v);
        }
        record_layer(name, without, false, &lines);
      }
      record_layer(name, layer + Args{{"nobody", int_value(1)}}, false, &lines);
    }
  }
  // A kernel that reaches beyond 63 bits: no pads follow from it, the call answers SHAPE_OUTPUT_OVERFLOW.
  const Value huge = int_value(int64_t{1} << 62);
  for (const char* mode : {"same", "valid"}) {
    const Args reach = {{"kernel_size", huge}, {"padding", string_value(mode)}};
    record_layer("keras.layers.Conv2DTranspose", Args{{"filters", int_value(6)}, {"dilation_rate", huge}} + reach,
                 false, &lines);
    record_layer("mindspore.nn.Conv2dTranspose",
                 kLayer + Args{{"kernel_size", huge}, {"dilation", huge}, {"pad_mode", string_value(mode)}}, false,
                 &lines);
  }
  rig::are_on_record("dialects.tsv", lines);
}

TEST_CASE("interpreted: keras' and mindspore's pads of every kernel, stride and dilation, on record", "[record]") {
  std::vector<std::string> lines;
  for (int64_t k = 1; k <= 5; ++k) {
    for (int64_t s = 1; s <= 4; ++s) {
      for (const char* mode : {"valid", "same"}) {
        const Args args = {{"kernel_size", int_value(k)}, {"strides", int_value(s)}, {"padding", string_value(mode)}};
        const Args keras = Args{{"filters", int_value(6)}} + args;
        record_layer("keras.layers.Conv2DTranspose", keras, false, &lines);
        for (int64_t extra = 0; extra < s; ++extra) {
          record_layer("keras.layers.Conv2DTranspose", keras + Args{{"output_padding", int_value(extra)}}, false,
                       &lines);
        }
        for (int64_t d = 1; d <= 2; ++d) {
          record_layer("mindspore.nn.Conv1dTranspose",
                       {{"in_channels", int_value(4)},
                        {"out_channels", int_value(6)},
                        {"kernel_size", int_value(k)},
                        {"stride", int_value(s)},
                        {"dilation", int_value(d)},
                        {"pad_mode", string_value(mode)}},
                       false, &lines);
        }
      }
    }
  }
  for (std::string& line : lines) line = line.substr(0, std::min(line.find("; tail="), line.find("; last=")));
  rig::are_on_record("pads.tsv", lines);
}
