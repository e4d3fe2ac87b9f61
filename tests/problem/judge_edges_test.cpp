// SPDX-License-Identifier: Apache-2.0
// Judgements asked one by one, in any order: where what they need is not there yet, or was judged before, they are
// silent, and a size that nobody tells is 0.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "src/base/show.h"
#include "src/problem/judge/checks.h"
#include "tests/rig/arguments.h"

using namespace ctconv;

namespace {

TensorView view(const std::vector<int64_t>& shape, Dtype type = Dtype::kF32) {
  return rig::tensor(shape, element_type(type));
}

// One axis, 2 to 4 channels, 3 taps, as its arguments say.
Descriptor layer() {
  Descriptor d;
  d.dialect = "some";
  d.rank = 1;
  d.in_channels = 2;
  d.out_channels = 4;
  d.kernel = {3};
  d.types = {element_type(Dtype::kF32)};
  return d;
}

// Everything is read off the weight.
Descriptor bare(int rank = 1) {
  Descriptor d = layer();
  d.rank = rank;
  d.in_channels = d.out_channels = 0;
  d.kernel.clear();
  d.kernel_source = KernelSource::kWeight;
  return d;
}

// "" where the judgement is silent, else its status and argument.
std::string told(Status (*judge)(const Facts&), const Descriptor& d, const CallTensors& tensors) {
  const Status status = judge(Facts(d, tensors));
  if (status.ok()) return "";
  return std::string(status_name(static_cast<int32_t>(status.code()))).substr(11) + " " + status.detail().argument;
}

}  // namespace

TEST_CASE("judge edges: sizes that no tensor of the right rank tells are 0", "[problem][judge]") {
  const TensorView x = view({1, 6, 5}), flat = view({6, 5}), w = view({6, 4, 3}), plane = view({6, 4, 3, 3});
  const Descriptor d = bare();
  const CallTensors wrong{.x = &flat, .w = &plane}, right{.x = &x, .w = &w}, without{.x = &x}, none{};
  const Facts lost(d, wrong), found(d, right), first(d, without), nothing(d, none);
  CHECK((lost.in_channels() == 0 && lost.out_channels() == 0 && lost.kernel(0) == 0));
  CHECK((found.in_channels() == 6 && found.out_channels() == 4 && found.kernel(0) == 3));
  CHECK((first.in_channels() == 6 && first.out_channels() == 0 && first.kernel(0) == 0));
  CHECK((nothing.in_channels() == 0 && nothing.rank == 1));
  CHECK(Facts(bare(0), none).rank == 0);
  CHECK(Facts(bare(0), wrong).rank == 0);
  const CallTensors deep{.w = &plane};
  CHECK(Facts(bare(0), deep).rank == 2);
  // Groups on an axis of their own count as channels of all groups.
  Descriptor grouped = bare();
  grouped.groups = 3;
  grouped.weight_order = WeightOrder::kGroupInOutTaps;
  const TensorView own = view({3, 2, 4, 5});
  const CallTensors of_groups{.w = &own};
  CHECK(Facts(grouped, of_groups).in_channels() == 6);
  CHECK(Facts(grouped, of_groups).out_channels() == 12);
  // A kernel's list that is too short has no entry for the axis.
  Descriptor listed = layer();
  listed.rank = 2;
  const Facts two(listed, none);
  CHECK((two.kernel(0) == 3 && two.kernel(1) == 0));
}

TEST_CASE("judge edges: the call's size counts before the arguments', one with a fault does not", "[problem][judge]") {
  Descriptor d = layer();
  RequestedSize size{.given = true, .sizes = {9, 9, 9}, .fault = {}};
  const CallTensors tensors{.size = &size};
  const auto asked = [&] { return Facts(d, tensors).requested_size(0).value_or(-1); };
  CHECK(asked() == 9);
  size.fault = Status(Code::VALUE_OUTPUT_SIZE_TYPE, "of the test");
  CHECK(asked() == -1);
  CHECK(told(judge_output_size_form, d, tensors) == "VALUE_OUTPUT_SIZE_TYPE ");
  d.output_size = {7};
  CHECK(asked() == 7);
  size = {};
  CHECK(asked() == 7);
  CHECK(told(judge_output_size_form, d, tensors) == "");
  CHECK(told(judge_output_size_form, d, {}) == "");
}

TEST_CASE("judge edges: a kernel derived from the size is 0 without a size, and judged where x is",
          "[problem][judge]") {
  Descriptor d = layer();
  d.kernel.clear();
  d.kernel_source = KernelSource::kOutputSize;
  const TensorView x = view({1, 2, 5}), flat = view({2});
  const CallTensors call{.x = &x}, early{.x = &flat};
  CHECK(Facts(d, call).kernel(0) == 0);
  CHECK(told(judge_derived_kernel, d, call) == "VALUE_KERNEL_SIZE output_size");
  CHECK(judge_derived_kernel(Facts(d, call)).detail().value == "None");
  CHECK(told(judge_derived_kernel, d, early) == "");
  CHECK(told(judge_derived_kernel, layer(), call) == "");
  d.output_size = {7};
  CHECK(Facts(d, call).kernel(0) == 3);
  CHECK(told(judge_derived_kernel, d, call) == "");
  d.output_size = {4};
  CHECK(told(judge_derived_kernel, d, call) == "VALUE_KERNEL_SIZE output_size");
  CHECK(judge_derived_kernel(Facts(d, call)).detail().value == "4");
}

TEST_CASE("judge edges: a weight's rank", "[problem][judge]") {
  const TensorView x = view({1, 6, 5}), w = view({6, 4, 3}), flat = view({6, 4}), plane = view({6, 4, 3, 3});
  Descriptor d = bare(0);
  const auto rank = [&](const CallTensors& tensors) { return told(judge_weight_rank, d, tensors); };
  CHECK(rank({.x = &x}) == "");
  CHECK(rank({.x = &x, .w = &w}) == "");
  CHECK(rank({.x = &x, .w = &plane}) == "SHAPE_WEIGHT_RANK weight");
  CHECK(rank({.w = &flat}) == "SHAPE_WEIGHT_RANK weight");  // as many axes as no tap needs, and no tap
  CHECK(rank({.x = &x, .w = &plane, .weights_judged = true}) == "");
  // That weight and x differ is a fault of the call, also of the op's own weight; without x nothing differs.
  d.codes.weight_rank = Code::SHAPE_RANK_MISMATCH;
  CHECK(rank({.x = &x, .w = &plane, .weights_judged = true}) == "SHAPE_RANK_MISMATCH weight");
  CHECK(rank({.w = &plane, .weights_judged = true}) == "");
  CHECK(rank({.x = &x, .weights_judged = true}) == "");
}

TEST_CASE("judge edges: a bias is judged once, where its length is known", "[problem][judge]") {
  const TensorView b = view({4}), other = view({5}), w = view({2, 5, 3});
  Descriptor d = layer();
  const auto bias = [&](const CallTensors& tensors) { return told(judge_bias_shape, d, tensors); };
  CHECK(bias({.b = &b}) == "");
  CHECK(bias({.b = &other}) == "SHAPE_BIAS_SHAPE bias");
  CHECK(bias({.b = &other, .bias_judged = true}) == "");
  CHECK(bias({}) == "");
  d.bias_allowed = false;
  CHECK(bias({.b = &b}) == "VALUE_BIAS_NOT_NONE bias");
  d = bare();
  CHECK(bias({.b = &other}) == "");
  CHECK(bias({.w = &w, .b = &other}) == "");
  CHECK(bias({.w = &w, .b = &b}) == "SHAPE_BIAS_SHAPE bias");
}

TEST_CASE("judge edges: element types, on a device more of them", "[problem][judge]") {
  Descriptor d = layer();
  d.types_on_cuda = {element_type(Dtype::kBf16)};
  const TensorView f32 = view({4}), bf16 = view({4}, Dtype::kBf16), f16 = view({4}, Dtype::kF16);
  const auto type = [&](const TensorView& b, bool cuda) { return told(judge_input_type, d, {.b = &b, .cuda = cuda}); };
  for (const bool cuda : {false, true}) {
    CHECK(type(f32, cuda) == "");
    CHECK(type(f16, cuda) == "TYPE_INPUT_DTYPE bias");
    CHECK(type(bf16, cuda) == (cuda ? "" : "TYPE_INPUT_DTYPE bias"));
  }
  CHECK(told(judge_types_agree, d, {}) == "");
}

TEST_CASE("judge edges: pads for a size reach from 1 on, by less than a stride beyond all rows", "[problem][judge]") {
  Descriptor d = layer();
  d.stride = {2};
  d.output_size_rule = OutputSizeRule::kPadsLower;
  const TensorView x = view({1, 2, 5}), flat = view({5});
  const auto reached = [&](int64_t size) {
    d.output_size = {size};
    return told(judge_output_size_range, d, {.x = &x}) == "";
  };
  for (int64_t size = 1; size <= 12; ++size) CHECK(reached(size));  // 11 rows without pads
  CHECK_FALSE(reached(13));
  CHECK_FALSE(reached(0));
  CHECK_FALSE(reached(-5));
  CHECK(told(judge_output_size_range, d, {.x = &flat}) == "");
  d.output_size.clear();
  CHECK(told(judge_output_size_range, d, {.x = &x}) == "");
}

TEST_CASE("judge edges: output_padding's limit is asked only where it was left to the call", "[problem][judge]") {
  Descriptor d = layer();
  d.stride = {2};
  d.output_padding = {2};
  const TensorView x = view({1, 2, 5});
  const auto limit = [&](Descriptor::PaddingLimit who) {
    d.output_padding_limit = who;
    return told(judge_output_padding_range, d, {.x = &x});
  };
  CHECK(limit(Descriptor::PaddingLimit::kJudged) == "");
  CHECK(limit(Descriptor::PaddingLimit::kAlways) == "VALUE_OUTPUT_PADDING_RANGE output_padding");
  CHECK(limit(Descriptor::PaddingLimit::kUnlessOutputSize) == "VALUE_OUTPUT_PADDING_RANGE output_padding");
  d.output_size = {9};
  CHECK(limit(Descriptor::PaddingLimit::kUnlessOutputSize) == "");
  CHECK(limit(Descriptor::PaddingLimit::kAlways) == "VALUE_OUTPUT_PADDING_RANGE output_padding");
}

TEST_CASE("judge edges: bytes of x, of y and of the weight fit 63 bits, each for itself", "[problem][judge]") {
  const int64_t most = int64_t{1} << 61;  // f32 elements that do not fit any more
  struct Row {
    int64_t n, ci, co, k, i, s;
    const char* want;
  };
  const char* const beyond = "SHAPE_OUTPUT_OVERFLOW input";
  for (const Row& row :
       {Row{1, 1, 1, 1, 4, 1, ""}, Row{most / 8, 1, 1, 1, 4, 1, ""}, Row{most / 4, 1, 1, 1, 4, 1, beyond},
        Row{1, most / 4, 1, 1, 4, 1, beyond}, Row{1, 1, most / 4, 1, 4, 1, beyond}, Row{1, 1, most / 4, 1, 2, 1, ""},
        Row{1, most / 8, 1, 8, 1, 1, beyond}, Row{1, most / 8, 1, 7, 1, 1, ""}, Row{1, 1, 1, 1, 3, most, beyond}}) {
    Descriptor d = layer();
    d.in_channels = row.ci;
    d.out_channels = row.co;
    d.kernel = {row.k};
    d.stride = {row.s};
    const TensorView x = view({row.n, row.ci, row.i});
    INFO(show_shape(x) << " k " << row.k << " co " << row.co);
    CHECK(told(judge_extent, d, {.x = &x}) == row.want);
  }
}

TEST_CASE("judge edges: whose weight has a shape that nobody knows, and whose is known from x", "[problem][judge]") {
  const TensorView x = view({1, 6, 5});
  const auto specs = [&](const Descriptor& d, const TensorView* of) {
    auto made = weight_specs(d, of);
    if (!made.ok()) return std::string(status_name(static_cast<int32_t>(made.status().code()))).substr(11);
    return show_shape(made->weight.dims()) + " " + show_shape(made->bias.dims());
  };
  CHECK(specs(layer(), nullptr) == "(2, 4, 3) (4,)");
  CHECK(specs(bare(0), &x) == "UNSUPPORTED_WEIGHT_SPEC");
  CHECK(specs(bare(), &x) == "UNSUPPORTED_WEIGHT_SPEC");
  Descriptor d = bare();
  d.out_channels = 4;
  CHECK(specs(d, &x) == "UNSUPPORTED_WEIGHT_SPEC");  // the kernel is the weight's
  d.kernel = {3};
  d.bias_expected = false;
  CHECK(specs(d, nullptr) == "MISUSE_NULL");
  CHECK(specs(d, &x) == "(6, 4, 3) ()");
  d.kernel.clear();
  d.in_channels = 6;
  d.kernel_source = KernelSource::kOutputSize;
  d.output_size = {9};
  CHECK(specs(d, nullptr) == "MISUSE_NULL");
  CHECK(specs(d, &x) == "(6, 4, 5) ()");
}
