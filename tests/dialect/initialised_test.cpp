// SPDX-License-Identifier: Apache-2.0
// What every kind of initialiser draws, bit for bit, on record in tests/data/initialised.tsv: kinds and fans, shapes,
// element types, weights and biases. The same bits on every machine: only correctly rounded operations are used.
//
//   A line: what, shape and type, then the status or the elements as doubles in hexadecimal; beside the elements
//   nothing is written.   CTCONV_TEST_RECORD=1 writes the file anew.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstring>

#include "src/base/half.h"
#include "src/base/show.h"
#include "src/dialect/initialise.h"
#include "tests/rig/recorded.h"

using namespace ctconv;

namespace {

using Shape = std::vector<int64_t>;

constexpr unsigned char kUntouched = 0xA5;

// A tensor of every second element, with a guard on each side.
struct Out {
  Out(const Shape& shape, Dtype type) : type_(type) {
    view.type = element_type(type);
    view.ndim = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), view.shape.begin());
    view.strides = dense_strides(shape);
    for (int64_t& stride : view.strides) stride *= 2;
    bytes_.assign(static_cast<size_t>(2 * count_of(view) + 2) * size_of(type), kUntouched);
    view.data = bytes_.data() + size_of(type);
  }

  double element(int64_t i) const {
    const unsigned char* at = bytes_.data() + static_cast<size_t>(2 * i + 1) * size_of(type_);
    double f64 = 0;
    float f32 = 0;
    uint16_t half = 0;
    std::memcpy(&f64, at, std::min(sizeof f64, size_of(type_)));
    std::memcpy(&f32, at, std::min(sizeof f32, size_of(type_)));
    std::memcpy(&half, at, std::min(sizeof half, size_of(type_)));
    if (type_ == Dtype::kF64) return f64;
    if (type_ == Dtype::kF32) return f32;
    return type_ == Dtype::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
  }

  bool untouched_between() const {
    const size_t size = size_of(type_);
    for (size_t n = 0; n < bytes_.size(); ++n) {
      if ((n / size) % 2 == 0 && bytes_[n] != kUntouched) return false;
    }
    return true;
  }

  TensorView view;

 private:
  Dtype type_;
  std::vector<unsigned char> bytes_;
};

std::string told(const Status& status, const Out& out) {
  if (!status.ok()) return std::to_string(static_cast<int>(status.code())) + " " + status.detail().message;
  CHECK(out.untouched_between());
  std::string words;
  for (int64_t i = 0; i < std::min<int64_t>(count_of(out.view), 12); ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "%s%a", i ? " " : "", out.element(i));
    words += text;
  }
  return words;
}

struct Kind {
  const char* name;
  Initialiser init;
};

std::vector<Kind> kinds() {
  using I = Initialiser;
  std::vector<Kind> all = {{"none", {.kind = I::kNoParameter}},
                           {"constant", {.kind = I::kConstant, .a = 1.25}},
                           {"uniform", {.kind = I::kUniform, .a = -0.5, .b = 2}},
                           {"normal", {.kind = I::kNormal, .a = 1, .b = 0.5}},
                           {"cut", {.kind = I::kTruncatedNormal, .a = 0, .b = 1, .lo = -0.5, .hi = 0.25}},
                           {"cut above", {.kind = I::kTruncatedNormal, .a = 9, .b = 0.001, .lo = -1, .hi = 1}},
                           {"cut below", {.kind = I::kTruncatedNormal, .a = -9, .b = 0.001, .lo = -1, .hi = 1}},
                           {"cut at a point", {.kind = I::kTruncatedNormal, .a = 3, .b = 0, .lo = 3, .hi = 3}},
                           {"dirac", {.kind = I::kDirac}},
                           {"orthogonal", {.kind = I::kOrthogonal}},
                           {"tensor", {.kind = I::kTensor, .shape = {2, 2}, .values = {1, 2, 3, 4}}},
                           {"needs axes", {.kind = I::kConstant, .a = 3, .needs_axes = true}}};
  for (int fan = I::kFanIn; fan <= I::kOutChannels; ++fan) {
    all.push_back({"fan uniform", {.kind = I::kUniform, .fan = static_cast<I::Fan>(fan), .scale = 3}});
    all.push_back({"fan normal", {.kind = I::kNormal, .fan = static_cast<I::Fan>(fan), .scale = 2}});
    all.push_back(
        {"fan cut", {.kind = I::kTruncatedNormal, .lo = -1, .hi = 0.5, .fan = static_cast<I::Fan>(fan), .scale = 2}});
  }
  return all;
}

Descriptor layer() {
  Descriptor d;
  d.dialect = "layer";
  d.rank = 2;
  d.in_channels = 6;
  d.out_channels = 10;
  d.groups = 2;
  d.kernel = {3, 2};
  d.weight_order = WeightOrder::kInOutTaps;
  return d;
}

}  // namespace

TEST_CASE("initialised: every kind, shape and element type, on record", "[record]") {
  std::vector<std::string> lines;
  Descriptor d = layer();
  const auto add = [&](const Kind& kind, const char* what, const Shape& shape, const std::string& answer) {
    lines.push_back(std::string(kind.name) + " " + std::to_string(int{kind.init.fan}) + "\t" + what + " " +
                    show_shape(shape) + "\t" + answer);
  };
  for (const Kind& kind : kinds()) {
    d.weight_init = d.bias_init = kind.init;
    const bool slow = std::string(kind.name).rfind("cut ", 0) == 0;  // thousands of draws an element
    for (const Shape& shape : {Shape{6, 5, 3, 2}, Shape{4, 4, 1, 1}, Shape{2, 7, 4, 4}, Shape{9, 2, 2, 1}}) {
      Out out(shape, Dtype::kF64);
      if (!slow) add(kind, "weight", shape, told(initialise_weight(d, 11, out.view), out));
    }
    for (Dtype type : {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kI8}) {
      Out out({6, 5, 3, 2}, type);
      if (!slow) add(kind, name_of(type), {6, 5, 3, 2}, told(initialise_weight(d, 11, out.view), out));
    }
    const int64_t weight[] = {6, 5, 3, 2};
    for (bool own : {false, true}) {
      d.bias_fans_are_its_own = own;
      Out bias({10}, Dtype::kF64), small({10}, Dtype::kI8);
      add(kind, own ? "bias of its own" : "bias", {10}, told(initialise_bias(d, 11, weight, bias.view), bias));
      add(kind, "bias int8", {10}, told(initialise_bias(d, 11, weight, small.view), small));
    }
    d.bias_fans_are_its_own = false;
    Out bias({10}, Dtype::kF64);
    add(kind, "bias without a weight", {10}, told(initialise_bias(d, 11, {}, bias.view), bias));
    Out other({10}, Dtype::kF64);
    add(kind, "bias, another seed", {10}, told(initialise_bias(d, 12, weight, other.view), other));
  }
  for (WeightOrder order : {WeightOrder::kGroupInOutTaps, WeightOrder::kTapsOutIn}) {
    d.weight_order = order;
    d.weight_init = {.kind = Initialiser::kUniform, .fan = Initialiser::kFanSum, .scale = 3};
    const Shape shape = order == WeightOrder::kTapsOutIn ? Shape{3, 2, 5, 6} : Shape{2, 3, 5, 3, 2};
    Out out(shape, Dtype::kF64);
    add({"order", d.weight_init}, "weight", shape, told(initialise_weight(d, 11, out.view), out));
  }
  const Kind tensor = {"tensor", {.kind = Initialiser::kTensor, .shape = {2, 2}, .values = {1, 2, 3, 4}}};
  d.weight_init = tensor.init;
  for (Dtype type : {Dtype::kF64, Dtype::kBf16, Dtype::kI8}) {
    Out out({2, 2}, type);
    add(tensor, name_of(type), {2, 2}, told(initialise_weight(d, 11, out.view), out));
  }
  d.weight_init = {};
  for (ElementType type : {ElementType{2, 8, 1}, ElementType{4, 8, 1}, ElementType{2, 32, 2}, ElementType{5, 64, 1}}) {
    Out out({2, 2}, Dtype::kF64);
    out.view.type = type;
    add({"constant", {}}, "a type without a row", {2, 2}, told(initialise_weight(d, 11, out.view), out));
  }
  Out empty({0, 5, 3, 2}, Dtype::kF64);
  d = layer();
  for (const Kind& kind : kinds()) {
    d.weight_init = kind.init;
    add(kind, "weight", {0, 5, 3, 2}, told(initialise_weight(d, 11, empty.view), empty));
  }
  rig::are_on_record("initialised.tsv", lines);
}
