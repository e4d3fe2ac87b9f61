// SPDX-License-Identifier: Apache-2.0
// Gradients on the device: dx, dw with db beside it, and the passes, by every kernel that can.
//
//   random problems   views with gaps, broadcasts and negative strides; against the definition (tests/rig): kernels
//                     with the reference's bits by bits on reals, the others by value on small integers
//   passes            against the CPU backend's (src/backend/cpu/gradient_steps.h), by bits
//   layers            every layer x type x order: kernel against kernel over all of the gradient, 8 elements against
//                     the definition. Data of 8 bits: sums of up to about 10^6 products are exact in any order; beyond,
//                     and for the rounding of 16-bit types, a small distance is allowed.
//   Each plan runs twice: the same bits, guards whole, nothing of a gap written.
//   streams           two at once, and a captured graph
//   report: gradients[case] = microseconds of the faster of two further runs
#include <cstdio>

#include "src/backend/cpu/gradient_steps.h"
#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"
#include "tests/cuda/random_problem.h"
#include "tests/rig/problems.h"

namespace ctconv::cuda::testing {
namespace {

using ctconv::Written;

struct Row {
  const char* name;
  bool exact;  // the reference's bits
};

// The kernels that can be asked for a gradient.
std::vector<Row> rows_of(Written written) {
  if (written == Written::kW) return {{"weights-direct", true}, {"weights-gemm", true}, {"cudnn", false}};
  std::vector<Row> rows;
  for (const KernelRow& row : kernel_rows()) rows.push_back({row.name, row.reference_bits});
  return rows;
}

struct Memory {
  Guarded x, w, y, bias, packed, workspace;
  Guarded& of(Written operand) { return operand == Written::kX ? x : operand == Written::kW ? w : y; }
};

int64_t bytes_to(const Problem& p, Written operand) {
  return -rig::span_of(p, operand).low * static_cast<int64_t>(size_of(rig::type_of(p, operand)));
}

void* element0(Memory& m, const Problem& p, Written operand) {
  return static_cast<char*>(m.of(operand).data()) + bytes_to(p, operand);
}

ctconv_cuda_options options_of(const char* kernel, bool tf32) {
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX;
  o.kernel = kernel;
  o.allow_tf32 = tf32;
  o.reproducible = CTCONV_CUDA_DETERMINISTIC;
  return o;
}

// Null where the kernel says no for itself.
std::unique_ptr<CudaPlan> plan_of(Run& run, const std::string& name, const ctconv_cuda_problem& record,
                                  const ctconv_cuda_options& options) {
  auto planned = run.module->plan(run.ordinal, record, options);
  if (planned.ok()) return std::move(*planned);
  const Code code = planned.status().code();
  if (code != Code::UNSUPPORTED_ENGINE && code != Code::DEVICE_NO_PLAN) {
    run.check(false, name + ": " + planned.status().detail().message);
  }
  return nullptr;
}

// Enqueues once; the written operand is poison before.
void execute(Memory& m, const Problem& p, const CudaPlan& plan, bool packs) {
  m.of(p.written).poison();
  m.bias.poison();
  m.workspace.poison();
  ctconv_cuda_call call{element0(m, p, Written::kX), element0(m, p, Written::kW), nullptr, m.bias.data(),
                        element0(m, p, Written::kY), m.workspace.data(),          nullptr};
  if (packs && plan.packed_bytes() != 0) {
    must(plan.pack(call.w, m.packed.data(), nullptr), "pack");
    call.packed = m.packed.data();
  }
  must(plan.execute(call), "execute");
  must(cudaDeviceSynchronize(), "wait");
}

void make_room(Memory& m, const Problem& p, const CudaPlan& plan) {
  m.bias.resize(static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator));
  m.packed.resize(std::max<size_t>(16, plan.packed_bytes()));
  m.workspace.resize(std::max<size_t>(16, plan.workspace_bytes()));
}

bool guards_whole(const Memory& m) {
  for (const Guarded* g : {&m.x, &m.w, &m.y, &m.bias, &m.packed, &m.workspace}) {
    if (!g->guards_whole()) return false;
  }
  return true;
}

// Elements that differ from the definition, and bytes of gaps that were written.
int64_t different(const Problem& p, std::vector<uint8_t> got, const std::vector<uint8_t>& bias,
                  const rig::Numbers& want, bool exact) {
  const Dtype type = rig::type_of(p, p.written);
  const int64_t first = -rig::span_of(p, p.written).low;
  const size_t size = size_of(type);
  int64_t wrong = 0;
  size_t at = 0;
  const auto differs = [&](const void* data, Dtype t, int64_t place) {
    const bool off =
        exact ? rig::bits_of(data, t, place) != want.bits[at] : rig::load(data, t, place) != want.values[at];
    ++at;
    return off;
  };
  rig::each_element(p, p.written, [&](const rig::Element& e) {
    const int64_t place = first + rig::place_of(p, p.written, e);
    wrong += differs(got.data(), type, place);
    std::memset(got.data() + static_cast<size_t>(place) * size, 0xff, size);
  });
  for (int64_t c = 0; c < rig::written_biases(p); ++c) wrong += differs(bias.data(), p.types.accumulator, c);
  for (const uint8_t byte : got) wrong += byte != 0xff;
  return wrong;
}

void one_random(Run& run, Memory& m, const Problem& p, rig::Rng& rng, const Row& row, const std::string& name,
                int* ran) {
  const bool per_call = rng() % 2 == 0;
  const int32_t bias = p.epilogue.bias ? CTCONV_CUDA_BIAS_ACCUMULATOR : CTCONV_CUDA_BIAS_NONE;
  ctconv_cuda_options options = options_of(row.name, !row.exact);
  options.weights_per_call = per_call;
  const auto plan = plan_of(run, name, cuda_problem(p, bias, 1), options);
  if (plan == nullptr) return;
  ++*ran;
  const rig::Case c = rig::make_case(p, rng, row.exact ? rig::Values::kReal : rig::Values::kSmallInteger);
  for (const Written operand : kEveryWritten) {
    const rig::Span span = rig::span_of(p, operand);
    const size_t bytes = static_cast<size_t>(span.elements()) * size_of(rig::type_of(p, operand));
    m.of(operand).resize(std::max<size_t>(16, bytes), rng() % 3 == 0 ? size_of(rig::type_of(p, operand)) : 0);
    if (operand == p.written || bytes == 0) continue;
    std::vector<uint8_t> padded(m.of(operand).bytes());
    std::memcpy(padded.data(), c.memory(operand).bytes.data(), std::min(bytes, c.memory(operand).bytes.size()));
    m.of(operand).write(padded.data());
  }
  make_room(m, p, *plan);
  execute(m, p, *plan, !per_call);
  const auto got = m.of(p.written).read<uint8_t>(), sums = m.bias.read<uint8_t>();
  const int64_t wrong = different(p, got, sums, rig::defined(p, c.operand()), row.exact);
  run.check(wrong == 0, name + ": " + std::to_string(wrong) + " elements differ; " + plan->describe());
  execute(m, p, *plan, !per_call);
  run.check(m.of(p.written).read<uint8_t>() == got, name + ": two runs differ; " + plan->describe());
  run.check(guards_whole(m), name + ": wrote outside; " + plan->describe());
}

void random_problems(Run& run, Memory& m, Written written) {
  rig::Limits limits;
  limits.written = {written};
  if (written == Written::kW) {
    limits.types.insert(limits.types.end(), std::begin(kWideWeights), std::end(kWideWeights));
  }
  limits.products = 2e5;
  limits.extents = {9000, 100, 20};
  const int rounds = run.quick ? std::min(run.rounds, 16) : 2 * run.rounds;
  for (const Row& row : rows_of(written)) {
    if (!run.choice(row.name)) continue;
    int ran = 0;
    for (int round = 0; round < rounds && !run.late(); ++round) {
      if (!run.mine(round)) continue;
      rig::Rng rng(run.seed * 1000003 + static_cast<uint64_t>(round));
      limits.layouts = round % 2 ? rig::Layouts::kSlices : rig::Layouts::kViews;
      const Problem p = rig::random_problem(rng, limits);
      const std::string name =
          std::string("d") + name_of(written) + " random " + std::to_string(round) + " " + row.name;
      run.survive(name, [&] { one_random(run, m, p, rng, row, name, &ran); });
    }
    std::printf("%7.2f s  d%s of random problems, %-15s %d run, %d failures so far\n", run.seconds(), name_of(written),
                row.name, ran, run.failures);
    run.report["gradients_random"][std::string("d") + name_of(written) + " " + row.name] = ran;
    run.save();
  }
}

void one_pass(Run& run, Guarded& to, Guarded& from, Guarded& with, rig::Rng& rng, int round) {
  const Dtype type = rig::one_of(rng, kFloatTypes).x;
  TensorView view;
  view.type = element_type(type);
  view.ndim = 4;
  for (size_t a = 0; a < 4; ++a) view.shape[a] = rig::pick(rng, 1, 9);
  view.strides = dense_strides(view.dims());
  const int64_t count = count_of(view);
  const size_t bytes = static_cast<size_t>(count) * size_of(type);
  std::vector<uint8_t> start(bytes), dy(bytes), y(bytes);
  for (std::vector<uint8_t>* v : {&start, &dy, &y}) {
    for (int64_t e = 0; e < count; ++e) {
      rig::store(v->data(), type, e, static_cast<double>(rig::pick(rng, -2000, 2000)) / 999);
    }
  }
  const bool slope = round % 2 == 0;
  const Activation act{static_cast<Activation::Kind>(1 + round % 5), 0.25, 0.75};
  ctconv_cuda_pass pass{};
  pass.kind = slope ? CTCONV_CUDA_PASS_SLOPE : CTCONV_CUDA_PASS_ADD;
  pass.dtype = static_cast<int32_t>(type);
  pass.rank = 4;
  for (size_t a = 0; a < 4; ++a) {
    pass.extent[a] = view.shape[a];
    pass.to_stride[a] = pass.from_stride[a] = pass.with_stride[a] = view.strides[a];
  }
  pass.activation = static_cast<int32_t>(act.kind);
  pass.alpha = act.alpha;
  pass.beta = act.beta;
  for (Guarded* g : {&to, &from, &with}) g->resize(bytes);
  to.write(start.data());
  from.write(dy.data());
  with.write(y.data());
  pass.to = to.data();
  pass.from = from.data();
  pass.with = with.data();
  must(run.module->pass(run.ordinal, pass), "pass");
  must(cudaDeviceSynchronize(), "wait");
  TensorView from_view = view, with_view = view, to_view = view;
  from_view.data = dy.data();
  with_view.data = y.data();
  to_view.data = start.data();
  must(slope ? activation_gradient(act, from_view, with_view, start.data(), Runner())
             : store_gradient(dy.data(), false, true, to_view, Runner()),
       "the CPU's pass");
  run.check(to.read<uint8_t>() == start && to.guards_whole(), "pass " + std::to_string(round) + " differs");
}

// One layer's gradient, laid out as the caller would; its memory on the device.
struct LayerCase {
  Problem p;
  ctconv_cuda_problem record;
  std::string name;
};

void fill_operands(Memory& m, const LayerCase& c, uint64_t seed) {
  const size_t size = element_bytes(c.record.dtype);
  const auto fill = [&](Guarded& to, bool output, uint64_t which) {
    Fill f{c.record.dtype, {}, {}, which, true};
    extents_of(c.record, output, f.extent);
    int64_t elements = 1;
    for (int a = 0; a < 5; ++a) {
      f.stride[a] = (output ? c.record.y : c.record.x)[a];
      elements *= f.extent[a];
    }
    to.resize(static_cast<size_t>(elements) * size);
    fill_on_device(to.data(), f, nullptr);
  };
  fill(m.x, false, 3 * seed);
  fill(m.y, true, 3 * seed + 1);
  const int64_t weights = weight_elements(c.record);
  m.w.resize(static_cast<size_t>(weights) * size);
  fill_on_device(m.w.data(), {c.record.dtype, {1, 1, 1, 1, weights}, {0, 0, 0, 0, 1}, 3 * seed + 2, true}, nullptr);
}

// How far an element may lie from the exact sum.
double allowed(Dtype type, double value) {
  const double rounding = type == Dtype::kF16 ? 0x1p-10 : type == Dtype::kBf16 ? 0x1p-7 : 0;
  return 0x1p-8 + rounding * std::fabs(value);
}

// 8 elements against the definition.
int64_t sampled(const LayerCase& c, Memory& m, const std::vector<uint8_t>& got, rig::Rng& rng) {
  const auto x = m.x.read<uint8_t>(), w = m.w.read<uint8_t>(), y = m.y.read<uint8_t>();
  rig::Definition definition(c.p, {.x = x.data(), .w = w.data(), .y = y.data()});
  const Dtype type = rig::type_of(c.p, c.p.written);
  const bool weights = c.p.written == Written::kW;
  const rig::Point extent = rig::extents(c.p, c.p.written);
  int64_t wrong = 0;
  for (int k = 0; k < 8; ++k) {
    rig::Element e;
    e.n = weights ? 0 : rig::pick(rng, 0, c.p.n - 1);
    e.g = rig::pick(rng, 0, c.p.groups - 1);
    e.ci = rig::pick(rng, 0, c.p.ci - 1);
    e.co = weights ? rig::pick(rng, 0, c.p.co - 1) : 0;
    for (size_t a = 0; a < 3; ++a) e.at[a] = rig::pick(rng, 0, extent[a] - 1);
    rig::Exact exact;
    definition.terms(e, &exact);
    const double value = rig::load(got.data(), type, rig::place_of(c.p, c.p.written, e));
    wrong += !(std::fabs(value - exact.value) <= allowed(type, exact.value));
  }
  return wrong;
}

ctconv_cuda_call call_of(Memory& m, const CudaPlan& plan, cudaStream_t stream) {
  return {m.x.data(),         m.w.data(), plan.packed_bytes() ? m.packed.data() : nullptr, m.bias.data(), m.y.data(),
          m.workspace.data(), stream};
}

double microseconds(Memory& m, const LayerCase& c, const CudaPlan& plan) {
  cudaEvent_t begin = nullptr, end = nullptr;
  must(cudaEventCreate(&begin), "event");
  must(cudaEventCreate(&end), "event");
  float best = 1e30f;
  for (int times = 0; times < 2; ++times) {
    must(cudaEventRecord(begin, nullptr), "event");
    must(plan.execute(call_of(m, plan, nullptr)), ("execute " + c.name).c_str());
    must(cudaEventRecord(end, nullptr), "event");
    must(cudaEventSynchronize(end), "event");
    float ms = 0;
    must(cudaEventElapsedTime(&ms, begin, end), "event");
    best = std::min(best, ms);
  }
  must(cudaEventDestroy(begin), "event");
  must(cudaEventDestroy(end), "event");
  return 1e3 * static_cast<double>(best);
}

void one_layer(Run& run, Memory& m, const LayerCase& c, rig::Rng& rng) {
  fill_operands(m, c, run.seed);
  const Dtype type = rig::type_of(c.p, c.p.written);
  std::vector<uint8_t> first;
  std::string first_name;
  for (const Row& row : rows_of(c.p.written)) {
    if (!run.choice(row.name)) continue;
    if (run.late()) return;
    const std::string name = c.name + " " + row.name;
    const auto plan = plan_of(run, name, c.record, options_of(row.name, true));
    if (plan == nullptr) continue;
    make_room(m, c.p, *plan);
    execute(m, c.p, *plan, true);
    const auto got = m.of(c.p.written).read<uint8_t>();
    execute(m, c.p, *plan, true);
    run.check(m.of(c.p.written).read<uint8_t>() == got, name + ": two runs differ; " + plan->describe());
    run.check(guards_whole(m), name + ": wrote outside; " + plan->describe());
    int64_t wrong = 0;
    if (first.empty()) {
      first = got;
      first_name = row.name;
      wrong = sampled(c, m, got, rng);
    }
    const auto elements = static_cast<int64_t>(got.size() / size_of(type));
    for (int64_t e = 0; e < elements; ++e) {
      const double want = rig::load(first.data(), type, e);
      wrong += !(std::fabs(rig::load(got.data(), type, e) - want) <= allowed(type, want));
    }
    run.check(wrong == 0, name + ": " + std::to_string(wrong) + " of " + std::to_string(elements) +
                              " elements differ from " + first_name + "; " + plan->describe());
    run.report["gradients"][name] = microseconds(m, c, *plan);
  }
}

// Two calls on two streams, many times; then one of them captured and replayed: what an undisturbed run wrote.
void on_streams(Run& run, const LayerCase& c, const char* kernel) {
  const std::string name = c.name + " " + (kernel ? kernel : "auto");
  const auto plan = plan_of(run, name, c.record, options_of(kernel, false));
  if (plan == nullptr) return;
  Memory memory[2];
  std::vector<uint8_t> want[2];
  cudaStream_t stream[2] = {nullptr, nullptr};
  for (int k = 0; k < 2; ++k) {
    fill_operands(memory[k], c, run.seed + static_cast<uint64_t>(k));
    make_room(memory[k], c.p, *plan);
    execute(memory[k], c.p, *plan, true);
    want[k] = memory[k].of(c.p.written).read<uint8_t>();
    must(cudaStreamCreateWithFlags(&stream[k], cudaStreamNonBlocking), "stream");
  }
  const auto poison = [&] {
    for (Memory& m : memory) m.of(c.p.written).poison();
    must(cudaDeviceSynchronize(), "poison");
  };
  const auto held = [&](int k) { return memory[k].of(c.p.written).read<uint8_t>() == want[k]; };
  poison();
  for (int times = 0; times < 40; ++times) {
    must(plan->execute(call_of(memory[times % 2], *plan, stream[times % 2])), "execute");
  }
  must(cudaDeviceSynchronize(), "two streams");
  run.check(held(0) && held(1), name + ": two streams");
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  must(cudaStreamBeginCapture(stream[0], cudaStreamCaptureModeGlobal), "begin capture");
  const Status captured = plan->execute(call_of(memory[0], *plan, stream[0]));
  must(cudaStreamEndCapture(stream[0], &graph), "end capture");
  run.check(captured.ok(), name + ": capture");
  must(cudaGraphInstantiate(&exec, graph, 0), "instantiate");
  poison();
  must(cudaGraphLaunch(exec, stream[0]), "replay");
  must(cudaDeviceSynchronize(), "replay");
  run.check(held(0), name + ": graph replay");
  must(cudaGraphExecDestroy(exec), "graph");
  must(cudaGraphDestroy(graph), "graph");
  for (const cudaStream_t s : stream) must(cudaStreamDestroy(s), "stream");
}

LayerCase case_of(const Layer& layer, int32_t dtype, bool last, Written written) {
  LayerCase c;
  c.record = problem_of(layer, dtype, last);
  c.record.written = static_cast<int32_t>(written);
  c.record.activation = 0;
  c.record.bias = written == Written::kW ? CTCONV_CUDA_BIAS_ACCUMULATOR : CTCONV_CUDA_BIAS_NONE;
  c.record.bias_stride = 1;
  c.p = rig::problem_of(c.record);
  c.name = std::string("d") + name_of(written) + " " + layer.id + " " + dtype_name(dtype) + (last ? " last" : " first");
  return c;
}

void layers(Run& run, Memory& m, Written written) {
  int64_t item = 0;
  for (const Layer& layer : run.layers) {
    const double flop = 2.0 * static_cast<double>(input_elements(layer.p)) * static_cast<double>(layer.p.co) *
                        static_cast<double>(layer.p.axis[0].k * layer.p.axis[1].k * layer.p.axis[2].k);
    if (!run.wanted(layer) || (run.quick && flop > 3e6)) continue;
    if (!run.mine(item++) || run.late()) continue;
    for (const int32_t dtype : {CTCONV_CUDA_F32, CTCONV_CUDA_F16, CTCONV_CUDA_BF16, CTCONV_CUDA_F64}) {
      for (const bool last : {false, true}) {
        if (!run.type(dtype_name(dtype)) || !run.order(last)) continue;
        const LayerCase c = case_of(layer, dtype, last, written);
        rig::Rng rng(run.seed);
        run.survive(c.name, [&] { one_layer(run, m, c, rng); });
      }
    }
    run.save();
  }
}

}  // namespace

void run_gradients(Run& run) {
  Memory memory;
  for (const Written written : {Written::kX, Written::kW}) random_problems(run, memory, written);
  Guarded to, from, with;
  rig::Rng rng(run.seed);
  for (int round = 0; round < 60 && run.slice == 0 && run.choice("pass"); ++round) {
    run.survive("pass " + std::to_string(round), [&] { one_pass(run, to, from, with, rng, round); });
  }
  for (const Layer& layer : run.layers) {
    if (layer.id != (run.only.empty() ? "dcgan.512" : run.only) || run.quick || run.slice != 0 ||
        !run.choice("streams"))
      continue;
    for (const Written written : {Written::kX, Written::kW}) {
      const LayerCase c = case_of(layer, CTCONV_CUDA_F32, false, written);
      for (const char* kernel : {static_cast<const char*>(nullptr), written == Written::kW ? "weights-gemm" : "gemm"}) {
        run.survive(c.name + ": streams", [&] { on_streams(run, c, kernel); });
      }
    }
  }
  for (const Written written : {Written::kX, Written::kW}) layers(run, memory, written);
  std::printf("%7.2f s  gradients, %d failures so far\n", run.seconds(), run.failures);
}

}  // namespace ctconv::cuda::testing
