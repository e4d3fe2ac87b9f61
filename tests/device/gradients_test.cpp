// SPDX-License-Identifier: Apache-2.0
// Backward calls on a device: the numbers of the CPU's, what the module is handed, streams, memory, every status.
//
//   in:  small integers, whose sums are exact: the CPU's dx, dw and db are what the host module must give
#include <array>

#include "tests/device/support.h"

using namespace device;

namespace {

struct Grads : ctconv_grads {
  Grads() : ctconv_grads CTCONV_GRADS_INIT {}
};

// One layer's tensors and the same tensors said to lie on the device.
struct Gradients {
  Layer layer;
  Tensor dy, dx, dw, db;
  explicit Gradients(Conv c = {}, Dtype type = Dtype::kF32)
      : layer(std::move(c), type),
        dy(layer.conv.y_shape(), type),
        dx(layer.conv.x_shape(), type),
        dw(layer.conv.w_shape(), type),
        db(Shape{layer.conv.co}, type) {
    dy.integers(4);
    for (Tensor* t : {&dy, &dx, &dw, &db}) there(*t);
    for (Tensor* t : {&dx, &dw, &db}) t->constant(3);
  }
  Grads call(bool weight) {
    Grads g;
    g.dy = dy.get();
    g.x = layer.x.get();
    g.y = layer.y.get();
    g.weight = weight ? layer.w.get() : nullptr;
    g.dx = dx.get();
    g.dw = dw.get();
    g.db = layer.conv.bias ? db.get() : nullptr;
    return g;
  }
};

Op op_of(Gradients& g, ctconv_options options, bool own) {
  return create(g.layer.desc, own ? &g.layer.w : nullptr, own && g.layer.conv.bias ? &g.layer.b : nullptr, &options);
}

ctconv_status backward(const Op& op, const Grads& grads, Error* error) {
  return ctconv_backward(op.get(), &grads, error);
}

size_t prepared_backward(const Op& op, const Grads& grads) {
  size_t bytes = SIZE_MAX;
  Error error;
  REQUIRE(ctconv_backward_prepare(op.get(), &grads, &bytes, &error) == CTCONV_OK);
  return bytes;
}

// The same gradients on the CPU.
void check_like_cpu(Gradients& g, const ctconv_options& device_options, bool own, int32_t accumulate) {
  Gradients cpu(g.layer.conv, g.dy.type());
  for (Tensor* t : {&cpu.dy, &cpu.dx, &cpu.dw, &cpu.db, &cpu.layer.x, &cpu.layer.w, &cpu.layer.b, &cpu.layer.y}) {
    t->get()->device_type = CTCONV_DEVICE_CPU;
  }
  ctconv_options options = device_options;
  options.device = nullptr;
  const Op op = op_of(cpu, options, own);
  run(op, call_of(&cpu.layer.x, &cpu.layer.y, own ? nullptr : &cpu.layer.w,
                  own || !cpu.layer.conv.bias ? nullptr : &cpu.layer.b));
  Grads grads = cpu.call(!own);
  grads.accumulate = accumulate;
  Error error;
  REQUIRE(backward(op, grads, &error) == CTCONV_OK);
  CHECK(g.dx.values() == cpu.dx.values());
  CHECK(g.dw.values() == cpu.dw.values());
  CHECK(g.db.values() == cpu.db.values());
}

}  // namespace

TEST_CASE("device: gradients of random layers are the CPU's", "[device][gradient]") {
  const uint64_t seed = test_seed();
  INFO("seed " << seed);
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 60; ++round) {
    HostModuleState& s = fresh();
    s.packs = pick(rng, 0, 1) == 1;
    s.deferred = pick(rng, 0, 1) == 1;
    s.scratch_bytes = static_cast<size_t>(pick(rng, 0, 1) * 1000);
    const bool own = pick(rng, 0, 1) == 1;
    const auto accumulate = static_cast<int32_t>(pick(rng, 0, 1));
    INFO("round " << round << ", own weights " << own << ", accumulate " << accumulate);
    Gradients g(random_conv(rng), std::array{Dtype::kF32, Dtype::kF64}[static_cast<size_t>(pick(rng, 0, 1))]);
    ctconv_options options = cuda_options();
    options.activation = std::array{CTCONV_ACTIVATION_NONE, CTCONV_ACTIVATION_RELU, CTCONV_ACTIVATION_LEAKY_RELU,
                                    CTCONV_ACTIVATION_CLIP}[static_cast<size_t>(pick(rng, 0, 3))];
    if (options.activation == CTCONV_ACTIVATION_LEAKY_RELU) options.activation_alpha = 0.5;
    if (options.activation == CTCONV_ACTIVATION_CLIP) options.activation_alpha = -4, options.activation_beta = 5;
    Op op = op_of(g, options, own);
    ctconv_call forward = own ? g.layer.given() : g.layer.per_call();
    forward.stream = stream(1);  // y is read by the backward call behind it
    run(op, forward);
    Grads grads = g.call(!own);
    grads.accumulate = accumulate;
    grads.stream = stream(1);
    Error error;
    REQUIRE(backward(op, grads, &error) == CTCONV_OK);
    CHECK(s.waiting_frees == 0);
    CHECK(s.shared == 0);
    op = Op();  // waits
    check_like_cpu(g, options, own, accumulate);
  }
}

TEST_CASE("device: what the module is handed for each gradient", "[device][gradient]") {
  HostModuleState& s = fresh();
  Gradients g;
  const Op op = op_of(g, cuda_options(), true);
  Error error;
  const Grads all = g.call(false);
  Grads one = all;
  one.dw = one.db = nullptr;
  REQUIRE(backward(op, one, &error) == CTCONV_OK);
  CHECK(s.problem.written == CTCONV_CUDA_WRITES_X);
  CHECK(s.call.x == g.dx.data());
  CHECK(s.call.y == g.dy.data());
  CHECK(s.options.weights_per_call == 0);
  one = all;
  one.dx = one.db = nullptr;
  REQUIRE(backward(op, one, &error) == CTCONV_OK);
  CHECK(s.problem.written == CTCONV_CUDA_WRITES_W);
  CHECK(s.problem.bias == CTCONV_CUDA_BIAS_NONE);
  CHECK(s.call.w == g.dw.data());
  CHECK(s.call.packed == nullptr);
  one = all;
  one.dx = one.dw = nullptr;
  REQUIRE(backward(op, one, &error) == CTCONV_OK);
  CHECK(s.problem.written == CTCONV_CUDA_WRITES_BIAS);
  CHECK(s.problem.bias == CTCONV_CUDA_BIAS_ACCUMULATOR);
  CHECK(s.passes == 1);  // from the sums to db
  CHECK(s.pass.kind == CTCONV_CUDA_PASS_STORE);
  CHECK(s.pass.from_sums == 1);
  one = all;
  one.dx = nullptr;
  one.accumulate = 1;
  REQUIRE(backward(op, one, &error) == CTCONV_OK);
  CHECK(s.problem.written == CTCONV_CUDA_WRITES_W);
  CHECK(s.call.w != g.dw.data());
  CHECK(s.passes == 3);
  CHECK(s.pass.kind == CTCONV_CUDA_PASS_ADD);
}

TEST_CASE("device: a forward plan, a data and a weight gradient of one op are three plans", "[device][gradient]") {
  HostModuleState& s = fresh();
  s.packs = true;
  Gradients g;
  const Op op = op_of(g, cuda_options(), true);
  const Grads grads = g.call(false);
  Error error;
  for (int times = 0; times < 3; ++times) {
    run(op, g.layer.given());
    REQUIRE(backward(op, grads, &error) == CTCONV_OK);
  }
  CHECK(s.plans_made == 3);
  CHECK(s.packings == 1);  // the module says that both lie alike
  char text[4096];
  size_t needed = 0;
  REQUIRE(ctconv_backward_describe(op.get(), &grads, text, sizeof text, &needed, &error) == CTCONV_OK);
  for (const char* line :
       {"dx.engine: cuda\n", "dw.engine: cuda\n", "dx.form: host, plain loops\n", "dw.bits: machine\n",
        "dx.problem: written=x", "dw.problem: written=w", "dw.refused.cudnn: libcudnn.so.9"}) {
    INFO(line);
    CHECK(std::string(text).find(line) != std::string::npos);
  }
}

TEST_CASE("device: a backward call's workspace, the caller's or one for each stream", "[device][gradient]") {
  HostModuleState& s = fresh();
  s.packs = true;
  s.scratch_bytes = 100;
  Gradients g;
  const Op op = op_of(g, cuda_options(), false);
  Grads grads = g.call(true);
  grads.accumulate = 1;
  Error error;
  const size_t bytes = prepared_backward(op, grads);
  std::vector<unsigned char> memory(bytes + 256, 0xC3);
  grads.workspace = memory.data() + 17;
  grads.workspace_bytes = bytes - 1;
  refused(backward(op, grads, &error), error, CTCONV_ERR_WORKSPACE_SIZE, "workspace_bytes");
  grads.workspace_bytes = bytes;
  REQUIRE(backward(op, grads, &error) == CTCONV_OK);
  CHECK(s.allocations == 0);
  CHECK(reinterpret_cast<uintptr_t>(s.call.workspace) % 256 == 0);
  for (size_t n = 0; n < memory.size(); ++n) {
    if (n < 17 || n >= 17 + bytes) REQUIRE(memory[n] == 0xC3);
  }
  grads.workspace = nullptr;
  grads.workspace_bytes = 0;
  for (const uintptr_t number : {0, 1, 2, 0, 1, 2}) {
    grads.stream = stream(number);
    REQUIRE(backward(op, grads, &error) == CTCONV_OK);
  }
  CHECK(s.allocations == 3);
  CHECK(s.synchronisations == 0);
  CHECK(s.shared == 0);
  ctconv_options limited = cuda_options();
  limited.workspace_limit = 64;
  const Op small = op_of(g, limited, false);
  refused(backward(small, grads, &error), error, CTCONV_ERR_UNSUPPORTED_ENGINE, "workspace_limit");
}

TEST_CASE("device: faults of a backward call", "[device][gradient]") {
  HostModuleState& s = fresh();
  Gradients g;
  const Op op = op_of(g, cuda_options(), false);
  const Grads grads = g.call(true);
  const auto all_refuse = [&](ctconv_status want) {
    Error error;
    size_t bytes = 5;
    refused(ctconv_backward_prepare(op.get(), &grads, &bytes, &error), error, want);
    CHECK(bytes == 0);
    refused(backward(op, grads, &error), error, want);
    char text[64] = "x";
    refused(ctconv_backward_describe(op.get(), &grads, text, sizeof text, &bytes, &error), error, want);
    CHECK(text[0] == '\0');
  };
  for (const int32_t status : {CTCONV_ERR_UNSUPPORTED_ENGINE, CTCONV_ERR_NO_MEMORY, CTCONV_ERR_DEVICE_NO_PLAN,
                               CTCONV_ERR_DEVICE_ASYNC, CTCONV_ERR_DEVICE_CUDA, CTCONV_ERR_DEVICE_CUDNN}) {
    s.plan_status = status;
    all_refuse(status);
  }
  s.plan_status = 0;
  Error error;
  for (int32_t* knob : {&s.execute_status, &s.pass_status}) {
    *knob = CTCONV_ERR_DEVICE_CUDA;
    refused(backward(op, grads, &error), error, CTCONV_ERR_DEVICE_CUDA);
    CHECK(error.native_code == 700);
    *knob = 0;
  }
  ctconv_options options = cuda_options();
  options.engine = "cudnn";  // this machine has none
  const Op forced = op_of(g, options, false);
  refused(backward(forced, grads, &error), error, CTCONV_ERR_DEVICE_CUDNN_MISSING);
  const std::pair<const char*, Tensor*> operands[] = {{"dy", &g.dy}, {"x", &g.layer.x}, {"weight", &g.layer.w},
                                                      {"dx", &g.dx}, {"dw", &g.dw},     {"db", &g.db}};
  for (const auto& [name, tensor] : operands) {
    INFO(name);
    tensor->get()->device_type = CTCONV_DEVICE_CPU;
    refused(backward(op, grads, &error), error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, name);
    there(*tensor).get()->device_id = 1;
    refused(backward(op, grads, &error), error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, name);
    there(*tensor).get()->device_id = 0;
  }
  REQUIRE(backward(op, grads, &error) == CTCONV_OK);
}
