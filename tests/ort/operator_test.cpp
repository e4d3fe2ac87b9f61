// SPDX-License-Identifier: Apache-2.0
// libctconv_ort.so inside a stand-in of the runtime: the same numbers as ctconv_execute, statuses, threads, memory.
#include <ctconv/ctconv.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <thread>

#include "tests/ort/host.h"

namespace {

using namespace ctconv_host;
using Ints = std::vector<int64_t>;

std::vector<float> numbers(size_t count, int a, int b, int m, int c) {
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>((static_cast<int>(i) * a + b) % m - c);
  return out;
}

// One node with groups 2 and stride 2: X 1x4x5x6, W 4x3x3x2, B 6.
struct Node {
  std::vector<float> x = numbers(4 * 5 * 6, 7, 3, 13, 6), w = numbers(4 * 3 * 3 * 2, 5, 1, 11, 5);
  std::vector<float> b = numbers(6, 3, 2, 7, 3);
  OrtValue xv{ctconv_ort::kFloat, {1, 4, 5, 6}, x.data()}, wv{ctconv_ort::kFloat, {4, 3, 3, 2}, w.data()};
  OrtValue bv{ctconv_ort::kFloat, {6}, b.data()};
  OrtAllocator allocator;
  OrtKernelInfo info;
  OrtSessionOptions options;
  const OrtCustomOp* op = nullptr;
  void* kernel = nullptr;

  Node() {
    info.attributes = {{"group", int64_t{2}}, {"strides", Ints{2, 2}}, {"auto_pad", std::string("NOTSET")}};
    info.constants = {nullptr, &wv, &bv};
    info.allocator = &allocator;
  }
  ~Node() {
    if (kernel != nullptr) op->destroy(kernel);
    CHECK(allocator.live == 0);
    CHECK(live_statuses() == 0);
    CHECK(live_infos() == 0);
  }

  Said create() {
    REQUIRE(said(RegisterCustomOps(&options, base())).code == 0);
    op = options.domains.at(0)->operators.at(0);
    return said(op->create_kernel_v2(op, base()->get_api(18), &info, &kernel));
  }
  Said run(OrtKernelContext* context) { return said(op->compute_v2(kernel, context)); }
  void inputs(OrtKernelContext* context) {
    context->inputs = {&xv};
    for (size_t i = 1; i < info.constants.size(); ++i) context->inputs.push_back(i == 1 ? &wv : &bv);
  }
};

std::vector<float> y_of(const OrtKernelContext& context) {
  const auto* first = static_cast<const float*>(context.y.data);
  int64_t count = 1;
  for (const int64_t extent : context.y.shape) count *= extent;
  return {first, first + count};
}

// The same layer through the C ABI.
std::vector<float> expected(Node& node, bool bias) {
  ctconv_desc* desc = nullptr;
  REQUIRE(ctconv_desc_create("onnx.ConvTranspose", &desc, nullptr) == CTCONV_OK);
  const Ints two = {2, 2};
  ctconv_desc_set_int(desc, "group", 2);
  ctconv_desc_set_ints(desc, "strides", two.data(), two.size());
  const auto tensor = [](OrtValue& value) {
    ctconv_tensor out = {};
    out.data = value.data;
    out.device_type = CTCONV_DEVICE_CPU;
    out.ndim = static_cast<int32_t>(value.shape.size());
    out.dtype_code = CTCONV_DTYPE_FLOAT;
    out.dtype_bits = 32;
    out.dtype_lanes = 1;
    out.shape = value.shape.data();
    return out;
  };
  std::vector<float> y(1 * 6 * 11 * 12);
  OrtValue yv{ctconv_ort::kFloat, {1, 6, 11, 12}, y.data()};
  const ctconv_tensor x = tensor(node.xv), w = tensor(node.wv), b = tensor(node.bv), out = tensor(yv);
  ctconv_op* op = nullptr;
  REQUIRE(ctconv_create(desc, &w, bias ? &b : nullptr, nullptr, &op, nullptr) == CTCONV_OK);
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x;
  call.y = &out;
  REQUIRE(ctconv_execute(op, &call, nullptr) == CTCONV_OK);
  ctconv_destroy(op);
  ctconv_desc_destroy(desc);
  return y;
}

}  // namespace

TEST_CASE("ort: one domain, one operator, four element types", "[ort]") {
  OrtSessionOptions options, again, other;
  REQUIRE(said(RegisterCustomOps(&options, base())).code == 0);
  REQUIRE(options.domains.size() == 1);
  CHECK(options.domains[0]->name == "ctconv");
  Ints types;
  for (const OrtCustomOp* op : options.domains[0]->operators) {
    CHECK(op->version == 18);
    CHECK(std::string(op->name(op)) == "ConvTranspose");
    CHECK(op->input_count(op) == 3);
    CHECK(op->input_kind(op, 1) == ctconv_ort::kRequired);
    CHECK(op->input_kind(op, 2) == ctconv_ort::kOptional);
    CHECK(op->output_type(op, 0) == op->input_type(op, 0));
    types.push_back(op->input_type(op, 0));
  }
  CHECK(types == Ints{ctconv_ort::kFloat, ctconv_ort::kFloat16, ctconv_ort::kBfloat16, ctconv_ort::kDouble});
  REQUIRE(said(RegisterCustomOps(&again, base())).code == 0);
  CHECK(again.domains == options.domains);  // the same settings share it
  other.entries["ctconv.threads"] = "2";
  REQUIRE(said(RegisterCustomOps(&other, base())).code == 0);
  CHECK(other.domains != options.domains);
}

TEST_CASE("ort: an older runtime and bad settings are refused in words", "[ort]") {
  OrtSessionOptions options;
  CHECK(said(RegisterCustomOps(&options, base(17))).text ==
        "ctconv: this operator library needs ONNX Runtime 1.18 or newer");
  for (const auto* key : {"ctconv.threads", "ctconv.reproducible", "ctconv.math"}) {
    for (const auto* value : {"-1", "x", "1.5", "99999", " 1"}) {
      OrtSessionOptions bad;
      bad.entries[key] = value;
      const Said answer = said(RegisterCustomOps(&bad, base()));
      CHECK(answer.code == ctconv_ort::kInvalidArgument);
      CHECK(answer.text.find(std::string(key) + " is \"" + value + "\"; a whole number from 0 to ") !=
            std::string::npos);
      CHECK(bad.domains.empty());
    }
  }
  CHECK(live_statuses() == 0);
}

TEST_CASE("ort: constants, inputs, with and without bias give the C ABI's numbers", "[ort]") {
  for (const bool constant_weight : {true, false}) {
    for (const int bias : {0, 1, 2, 3}) {  // none, constant, an input, an absent input
      Node node;
      const std::vector<float> want = expected(node, bias == 1 || bias == 2);
      node.info.constants = {nullptr, constant_weight ? &node.wv : nullptr};
      if (bias > 0) node.info.constants.push_back(bias == 1 ? &node.bv : nullptr);
      REQUIRE(node.create().text.empty());
      OrtKernelContext context;
      node.inputs(&context);
      if (bias == 3) context.inputs[2] = nullptr;
      REQUIRE(node.run(&context).text.empty());
      CHECK(context.y.shape == Ints{1, 6, 11, 12});
      CHECK(y_of(context) == want);
    }
  }
}

TEST_CASE("ort: work is shared out among the runtime's threads, however many come", "[ort]") {
  for (const char* settings : {"0", "1", "3", "16"}) {
    for (const int threads : {0, 1, 2, 4}) {
      Node node;
      const std::vector<float> want = expected(node, true);
      node.options.entries = {{"ctconv.threads", settings}, {"ctconv.reproducible", "1"}};
      REQUIRE(node.create().text.empty());
      OrtKernelContext context;
      context.threads = threads;
      node.inputs(&context);
      REQUIRE(node.run(&context).text.empty());
      CHECK(y_of(context) == want);
      if (std::string(settings) == "1") CHECK(context.shared_out == 0);
    }
  }
}

TEST_CASE("ort: a large layer uses the runtime's threads", "[ort]") {
  Node node;
  std::vector<float> x = numbers(4 * 300 * 300, 7, 3, 13, 6);
  node.xv = {ctconv_ort::kFloat, {1, 4, 300, 300}, x.data()};
  node.options.entries = {{"ctconv.threads", "3"}};
  REQUIRE(node.create().text.empty());
  OrtKernelContext context;
  context.threads = 3;
  node.inputs(&context);
  REQUIRE(node.run(&context).text.empty());
  CHECK(context.shared_out >= 2);
  CHECK(context.y.shape == Ints{1, 6, 601, 600});
}

TEST_CASE("ort: many runs of one kernel at once", "[ort]") {
  Node node;
  const std::vector<float> want = expected(node, true);
  node.options.entries = {{"ctconv.reproducible", "1"}};
  REQUIRE(node.create().text.empty());
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        OrtKernelContext context;
        context.threads = 2;
        node.inputs(&context);
        right += node.op->compute_v2(node.kernel, &context) == nullptr && y_of(context) == want;
      }
    });
  }
  for (std::thread& one : threads) one.join();
  CHECK(right == 6 * 20);
}

TEST_CASE("ort: what the dialect refuses is a status with its words", "[ort]") {
  struct Case {
    const char* name;
    decltype(OrtKernelInfo::attributes)::mapped_type value;
    const char* text;
  };
  const Case cases[] = {
      {"strides", Ints{0, 1}, "ctconv: CTCONV_ERR_VALUE_STRIDE: strides"},
      {"strides", int64_t{2}, "ctconv: CTCONV_ERR_TYPE_STRIDE: strides"},
      {"strides", 2.5F, "ctconv: CTCONV_ERR_TYPE_STRIDE: strides"},
      {"auto_pad", std::string("SAME"), "ctconv: CTCONV_ERR_VALUE_PAD_MODE: auto_pad"},
      {"group", std::string("two"), "ctconv: CTCONV_ERR_TYPE_GROUPS: group"},
      {"activation", std::string("gelu"), "ctconv: activation is \"gelu\"; relu, leaky_relu, tanh, sigmoid and clip"},
  };
  for (const Case& one : cases) {
    Node node;
    node.info.attributes[one.name] = one.value;
    const Said answer = node.create();
    CHECK(answer.code == ctconv_ort::kInvalidArgument);
    CHECK(answer.text.find(one.text) == 0);
    CHECK(node.kernel == nullptr);
  }
  Node node;
  REQUIRE(node.create().text.empty());
  OrtKernelContext context;
  node.inputs(&context);
  for (const Ints& shape : {Ints{1, 3, 5, 6}, Ints{1, 4, 5}, Ints(9, 1)}) {
    OrtValue bad = {ctconv_ort::kFloat, shape, node.x.data()};
    context.inputs[0] = &bad;
    const Said answer = node.run(&context);
    CHECK(answer.code == ctconv_ort::kInvalidArgument);
    CHECK(answer.text.find("ctconv: ") == 0);
  }
}

TEST_CASE("ort: memory that runs out at any allocation is a status, and nothing is lost", "[ort]") {
  int failed = 0;
  for (int at = 0; at < 40; ++at) {
    Node node;
    node.allocator.fails_at = at;
    Said answer = node.create();
    if (answer.code == 0) {
      OrtKernelContext context;
      node.inputs(&context);
      answer = node.run(&context);
    }
    failed += answer.code != 0;
    if (node.allocator.asked <= at) CHECK(answer.text == "");
  }
  CHECK(failed > 0);
}
