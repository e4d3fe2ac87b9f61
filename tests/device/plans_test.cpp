// SPDX-License-Identifier: Apache-2.0
// What an op on a device computes, which plan it takes for it, and what describe says.
#include <algorithm>
#include <array>
#include <sstream>

#include "tests/device/support.h"

using namespace device;

namespace {

std::vector<std::string> keys_of(const std::string& text) {
  std::vector<std::string> keys;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) keys.push_back(line.substr(0, line.find(": ")));
  return keys;
}

enum class Weights { kGiven, kBorrowed, kPerCall };

}  // namespace

TEST_CASE("device: random problems in every way a weight may come", "[device]") {
  const uint64_t seed = test_seed();
  INFO("seed " << seed);
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 60; ++round) {
    HostModuleState& s = fresh();
    s.packs = pick(rng, 0, 1) == 1;
    s.deferred = pick(rng, 0, 1) == 1;
    s.scratch_bytes = static_cast<size_t>(pick(rng, 0, 1) * 1000);
    const Dtype type = std::array{Dtype::kF32, Dtype::kF64, Dtype::kF16}[static_cast<size_t>(pick(rng, 0, 2))];
    Layer layer(random_conv(rng), type);
    for (const Weights way : {Weights::kGiven, Weights::kBorrowed, Weights::kPerCall}) {
      INFO("round " << round << ", weights " << static_cast<int>(way));
      ctconv_options options = cuda_options();
      options.borrow_weights = way == Weights::kBorrowed;
      const bool later = way == Weights::kPerCall;
      Tensor host_w(layer.w), host_b(layer.b);  // a copy is made of host memory as well
      Tensor* w = way == Weights::kGiven ? &host_w : &layer.w;
      Tensor* b = !layer.conv.bias ? nullptr : way == Weights::kGiven ? &host_b : &layer.b;
      Op op = create(layer.desc, later ? nullptr : w, later ? nullptr : b, &options);
      if (way == Weights::kGiven) {
        host_w.constant(99);
        host_b.constant(99);
      }
      ctconv_call call = later ? layer.per_call() : layer.given();
      call.stream = stream(1);
      ctconv_spec spec;
      Error error;
      REQUIRE(ctconv_output_spec(op.get(), &call, &spec, &error) == CTCONV_OK);
      CHECK(Shape(spec.shape, spec.shape + spec.ndim) == layer.y.shape());
      std::vector<unsigned char> memory(prepared(op, call));
      if (pick(rng, 0, 1) == 1) {
        call.workspace = memory.data();
        call.workspace_bytes = memory.size();
      }
      for (int times = 0; times < 2; ++times) run(op, call);
      op = Op();  // waits
      CHECK((layer.y.values() == layer.want()));
      CHECK(layer.y.guarded());
      CHECK((s.call.stream == stream(1) && s.ordinal == 0));
      layer.y.constant(-1);
    }
  }
}

TEST_CASE("device: options reach the module", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  ctconv_options options = cuda_options();
  run(create(layer.desc, &layer.w, &layer.b, &options), layer.given());
  CHECK((s.options.allow_tf32 == 0 && s.options.reproducible == CTCONV_CUDA_DETERMINISTIC && s.options.tuning == 0));
  CHECK((s.options.workspace_limit == SIZE_MAX && s.options.weights_per_call == 0));
  options.allow_tf32 = options.reproducible = options.tuning = 1;
  options.workspace_limit = 12345;
  options.activation = CTCONV_ACTIVATION_CLIP;
  options.activation_alpha = -2;
  options.activation_beta = 5;
  run(create(layer.desc, nullptr, nullptr, &options), layer.per_call());
  CHECK((s.options.allow_tf32 == 1 && s.options.reproducible == CTCONV_CUDA_REFERENCE_BITS && s.options.tuning == 1));
  CHECK((s.options.workspace_limit == 12345 && s.options.weights_per_call == 1));
  CHECK((s.problem.activation == CTCONV_ACTIVATION_CLIP && s.problem.alpha == -2 && s.problem.beta == 5));
  std::vector<double> want = layer.want();
  for (double& v : want) v = std::min(std::max(v, -2.0), 5.0);
  CHECK((layer.y.values() == want));
  ctconv_options reduced = cuda_options();  // what may be reduced may be TF32; stable bits are the reference's so far
  reduced.math = 1;
  reduced.reproducible = 2;
  run(create(layer.desc, nullptr, nullptr, &reduced), layer.per_call());
  CHECK((s.options.allow_tf32 == 1 && s.options.reproducible == CTCONV_CUDA_REFERENCE_BITS));
}

TEST_CASE("device: which bits are asked of the module", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  for (const int32_t reproducible : {0, 1, 2}) {
    for (const int32_t math : {0, 1}) {
      for (const int32_t tf32 : {0, 1}) {
        INFO("reproducible " << reproducible << ", math " << math << ", allow_tf32 " << tf32);
        ctconv_options options = cuda_options();
        options.reproducible = reproducible;
        options.math = math;
        options.allow_tf32 = tf32;
        run(create(layer.desc, &layer.w, &layer.b, &options), layer.given());
        CHECK(s.options.reproducible == (reproducible ? CTCONV_CUDA_REFERENCE_BITS : CTCONV_CUDA_DETERMINISTIC));
        CHECK(s.options.allow_tf32 == (math | tf32));
      }
    }
  }
}

TEST_CASE("device: a bias of another stride is another plan", "[device]") {
  for (const bool weight_given : {false, true}) {
    HostModuleState& s = fresh();
    Layer layer;
    Tensor wide(Shape{layer.conv.co}, Shape{3}), same(Shape{layer.conv.co}, Shape{0});
    for (int64_t c = 0; c < layer.conv.co; ++c) wide.set({c}, layer.b.at({c}));
    same.set({0}, 2);
    const ctconv_options options = cuda_options();
    const Op op = create(layer.desc, weight_given ? &layer.w : nullptr, nullptr, &options);
    Tensor* w = weight_given ? nullptr : &layer.w;
    for (int times = 0; times < 2; ++times) {
      for (Tensor* bias : {&layer.b, &wide, &same}) {
        layer.y.constant(-99);
        run(op, call_of(&layer.x, &layer.y, w, &there(*bias)));
        CHECK((layer.y.values() == layer.conv.scatter(layer.x, layer.w, bias)));
      }
    }
    CHECK(s.plans_made == 3);
    run(op, call_of(&layer.x, &layer.y, w));
    CHECK((layer.y.values() == layer.conv.scatter(layer.x, layer.w, nullptr)));
    CHECK(s.plans_made == 4);
  }
}

TEST_CASE("device: a plan first built by describe or prepare serves execute", "[device]") {
  for (const bool by_describe : {false, true}) {
    HostModuleState& s = fresh();
    Layer layer;
    Tensor wide(Shape{layer.conv.co}, Shape{3});
    for (int64_t c = 0; c < layer.conv.co; ++c) wide.set({c}, layer.b.at({c}));
    const ctconv_options options = cuda_options();
    const Op op = create(layer.desc, nullptr, nullptr, &options);
    const ctconv_call call = call_of(&layer.x, &layer.y, &layer.w, &there(wide));
    if (by_describe) {
      describe(op, &call);
    } else {
      prepared(op, call);
    }
    CHECK(s.problem.bias_stride == 3);
    run(op, call);
    CHECK((layer.y.values() == layer.want()));
    CHECK(s.plans_made == 1);
  }
}

TEST_CASE("device: a weight of other strides is another plan", "[device]") {
  HostModuleState& s = fresh();
  s.packs = true;
  Layer layer;
  Tensor turned(layer.conv.w_shape(), Shape{1, 4, 24, 72});
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t o = 0; o < 6; ++o) {
      for (int64_t t = 0; t < 9; ++t) turned.set({i, o, t / 3, t % 3}, layer.w.at({i, o, t / 3, t % 3}));
    }
  }
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, nullptr, nullptr, &options);
  for (Tensor* w : {&layer.w, &there(turned), &layer.w}) {
    layer.y.constant(-99);
    run(op, call_of(&layer.x, &layer.y, w, &layer.b));
    CHECK((layer.y.values() == layer.want()));
  }
  CHECK(s.plans_made == 2);
}

TEST_CASE("device: plans of one packing share one packed weight", "[device]") {
  HostModuleState& s = fresh();
  s.packs = true;
  Layer layer;
  Conv wider = layer.conv;
  wider.in = {6, 9};
  Layer other(wider);
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, &layer.w, &layer.b, &options);
  run(op, layer.given());
  run(op, call_of(&other.x, &other.y));
  CHECK((other.y.values() == wider.scatter(other.x, layer.w, &layer.b)));
  CHECK(s.plans_made == 2);
  CHECK(s.packings == 1);
}

TEST_CASE("device: the weight given at create may lie where y lies later", "[device]") {
  fresh();
  Conv conv;
  conv.n = 1;
  conv.ci = conv.co = 2;
  conv.in = {4, 4};
  conv.k = conv.s = {1, 1};
  conv.lo = conv.hi = {0, 0};
  Layer layer(conv);
  Tensor y(conv.y_shape());
  there(y);
  ctconv_tensor w = *layer.w.get();
  std::copy_n(static_cast<const float*>(layer.w.data()), 4, static_cast<float*>(y.data()));
  w.data = y.data();  // copied by create: the memory is the caller's again
  const ctconv_options options = cuda_options();
  Error error;
  ctconv_op* made = nullptr;
  REQUIRE(ctconv_create(layer.desc.get(), &w, layer.b.get(), &options, &made, &error) == CTCONV_OK);
  const Op op(made);
  run(op, call_of(&layer.x, &y));
  CHECK((y.values() == layer.want()));
}

TEST_CASE("device: describe writes what it writes for the CPU", "[device]") {
  HostModuleState& s = fresh();
  s.packs = true;
  s.scratch_bytes = 64;
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, &layer.w, &layer.b, &options);
  const ctconv_call call = layer.given();
  const std::string text = describe(op, &call);
  INFO(text);
  const std::vector<std::string> want = {
      "engine",          "form",         "why",  "problem",          "flop",         "bytes",        "estimated_ms",
      "workspace_bytes", "packed_bytes", "bits", "device.constants", "refused.cell", "refused.cudnn"};
  CHECK(keys_of(text) == want);
  CHECK(value_of(text, "engine") == "cuda");
  CHECK(value_of(text, "form") == "host, plain loops");
  CHECK(value_of(text, "why") == "fastest estimated: host 0.25 ms");
  CHECK(value_of(text, "device.constants") == "data sheet (a host has none)");
  CHECK(value_of(text, "estimated_ms") == "0.25");
  CHECK(value_of(text, "workspace_bytes") == std::to_string(prepared(op, call)));
  CHECK(value_of(text, "packed_bytes") == std::to_string(4 * 6 * 9 * 4));
  CHECK(value_of(text, "bits") == "machine");
  CHECK(value_of(text, "refused.cudnn") == "libcudnn.so.9 not found");

  Layer host;
  for (Tensor* t : {&host.x, &host.w, &host.b, &host.y}) t->get()->device_type = CTCONV_DEVICE_CPU;
  const Op cpu = create(host.desc, &host.w, &host.b);
  const ctconv_call cpu_call = host.given();
  const std::string cpu_text = describe(cpu, &cpu_call);
  std::vector<std::string> cpu_keys = keys_of(cpu_text);
  std::erase(cpu_keys, "threads");  // has no meaning on a device
  REQUIRE(cpu_keys.size() >= 10);
  CHECK(std::equal(cpu_keys.begin(), cpu_keys.begin() + 10, want.begin()));
  for (const char* key : {"problem", "flop", "bytes"}) CHECK(value_of(text, key) == value_of(cpu_text, key));

  run(op, call);
  std::vector<std::string> whole = keys_of(describe(cpu, nullptr));
  for (const char* key : {"threads", "runner", "cores", "cpu_quota"}) std::erase(whole, key);
  std::erase_if(whole, [](const std::string& key) { return key.starts_with("machine."); });
  CHECK(keys_of(describe(op, nullptr)) == whole);
  CHECK(value_of(describe(op, nullptr), "device") == "cuda");
  CHECK(value_of(describe(op, nullptr), "plans") == "1");
  CHECK(value_of(describe(op, nullptr), "packed_bytes") == std::to_string(4 * 6 * 9 * 4));
  CHECK(value_of(describe(op, nullptr), "weight_bytes") == std::to_string(4 * 6 * 9 * 4));

  char cut[20];
  size_t needed = 0;
  CHECK(ctconv_describe(op.get(), &call, cut, sizeof cut, &needed, nullptr) == CTCONV_OK);
  CHECK(needed == text.size() + 1);
  CHECK(std::string(cut) == text.substr(0, 19));
}
