// SPDX-License-Identifier: Apache-2.0
// The kernels of dw, db and the passes, their own source on the CPU, block by block: equal bits to the definition, and
// to the passes of the CPU's backend.
//
//   Random problems of all types and views (gaps, negative strides, broadcasts), chains one after the other and side by
//   side, every tile.   What this cannot show: races and the hardware's own units.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>

#include "cuda/pass_form.h"
#include "cuda/weights_forms.h"
#include "src/backend/cpu/gradient_steps.h"
#include "src/backend/cuda/cuda_module.h"
#include "tests/rig/cuda_record.h"
#include "tests/rig/problems.h"

namespace ctconv::cuda::testing {
namespace {

template <class T>
using Acc = Accumulator<T>;

rig::Limits weight_limits(double products) {
  rig::Limits limits;
  limits.written = {Written::kW};
  limits.types.insert(limits.types.end(), std::begin(kWideWeights), std::end(kWideWeights));
  limits.extents = {60, 12, 6};
  limits.far = 10;
  limits.products = products;
  limits.empty = true;
  return limits;
}

// What one call writes: w between untouched neighbours, the bias dense.
struct Written {
  rig::Memory w;
  std::vector<uint8_t> bias;

  explicit Written(const Problem& p) {
    const rig::Span span = rig::span_of(p, ctconv::Written::kW);
    w.bytes.assign(static_cast<size_t>(span.elements()) * size_of(p.types.w), 0xA5);
    w.origin = -span.low;
    bias.assign(static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator), 0xA5);
  }
};

// Beyond the definition's elements nothing may be written.
void check(const Problem& p, const Written& got, const rig::Numbers& want, const char* kernel) {
  INFO(kernel);
  std::vector<uint8_t> rest = got.w.bytes;
  size_t at = 0;
  int64_t wrong = 0;
  const size_t size = size_of(p.types.w);
  rig::each_element(p, ctconv::Written::kW, [&](const rig::Element& e) {
    const int64_t place = rig::place_of(p, ctconv::Written::kW, e);
    wrong += rig::bits_of(got.w.data(p.types.w), p.types.w, place) != want.bits[at++];
    std::memset(rest.data() + static_cast<size_t>(got.w.origin + place) * size, 0xA5, size);
  });
  REQUIRE(wrong == 0);
  for (const uint8_t byte : rest) wrong += byte != 0xA5;
  REQUIRE(wrong == 0);
}

// The launches of a call over a workspace of its own: `launch` does what the blocks of one launch do.
template <class T, class Launch>
Written run_chains(const Problem& p, const rig::Case& c, WeightsParams* params, int64_t together, Launch&& launch) {
  Written out(p);
  const size_t bytes = chains_workspace(*params, together, sizeof(Acc<T>));
  std::vector<Acc<T>> workspace(bytes / sizeof(Acc<T>), std::numeric_limits<Acc<T>>::quiet_NaN());
  params->x = c.x.data(p.types.x);
  params->y = c.y.data(p.types.y);
  params->w = out.w.data(p.types.w);
  params->sums = nullptr;
  chains_place(together, sizeof(Acc<T>), workspace.data(), params);
  each_launch(params, together, launch, [&] {
    for (int64_t e = 0; e < params->weights; ++e) weights_add<T>(*params, e);
  });
  return out;
}

template <class T>
Written run_direct(const Problem& p, const rig::Case& c, WeightsParams params, int64_t together) {
  return run_chains<T>(p, c, &params, together, [&] {
    for (int64_t chain = 0; chain < params.count; ++chain) {
      for (int64_t e = 0; e < params.weights; ++e) weights_element<T>(params, e, params.first + chain);
    }
  });
}

template <class Kernel>
void run_block(const WeightsGemmParams& p, int32_t block, int64_t chain) {
  std::vector<typename Kernel::Registers> r(Kernel::kThreads);
  auto shared = std::make_unique<typename Kernel::Shared>();
  std::memset(static_cast<void*>(shared.get()), 0xff, sizeof *shared);
  const typename Kernel::Tile tile = Kernel::tile(p, block, chain);
  const auto all = [&](auto&& body) {
    for (int32_t t = 0; t < Kernel::kThreads; ++t) body(t, r[static_cast<size_t>(t)]);
  };
  all([&](int32_t, auto& mine) { Kernel::start(mine); });
  all([&](int32_t t, auto&) { Kernel::plan(p, tile, 0, t, *shared); });
  all([&](int32_t t, auto& mine) { Kernel::fetch(p, tile, 0, t, *shared, mine); });
  all([&](int32_t t, auto& mine) { Kernel::stash(p, 0, t, *shared, mine); });
  for (int32_t step = 0; step < tile.steps; ++step) {
    const bool more = step + 1 < tile.steps;
    if (step % Kernel::kSteps == 0) {
      all([&](int32_t t, auto&) { Kernel::plan(p, tile, step / Kernel::kSteps + 1, t, *shared); });
    }
    if (more) all([&](int32_t t, auto& mine) { Kernel::fetch(p, tile, step + 1, t, *shared, mine); });
    all([&](int32_t t, auto& mine) { Kernel::multiply(step, t, *shared, mine); });
    all([&](int32_t, auto& mine) { Kernel::close(tile, step, mine); });
    if (more) all([&](int32_t t, auto& mine) { Kernel::stash(p, step + 1, t, *shared, mine); });
  }
  all([&](int32_t t, auto& mine) { Kernel::write(p, tile, t, mine); });
}

template <class T>
void run_block_of(size_t config, const WeightsGemmParams& p, int32_t block, int64_t chain) {
  switch (config) {
    case 0:
      return run_block<WeightsGemm<T, 128, 64, 8, 4>>(p, block, chain);
    case 1:
      return run_block<WeightsGemm<T, 64, 64, 4, 4>>(p, block, chain);
    case 2:
      return run_block<WeightsGemm<T, 32, 32, 4, 4>>(p, block, chain);
    case 3:
      return run_block<WeightsGemm<T, 64, 16, 4, 4>>(p, block, chain);
    case 4:
      return run_block<WeightsGemm<T, 16, 64, 4, 4>>(p, block, chain);
    default:
      return run_block<WeightsGemm<T, 16, 16, 2, 2>>(p, block, chain);
  }
}

template <class T>
Written run_gemm(const Problem& p, const rig::Case& c, WeightsGemmParams params, size_t config, int64_t together) {
  weights_tile(weights_configs()[config], &params);
  return run_chains<T>(p, c, &params.w, together, [&] {
    for (int64_t chain = 0; chain < params.w.count; ++chain) {
      for (int32_t b = 0; b < weights_blocks(params); ++b) run_block_of<T>(config, params, b, params.w.first + chain);
    }
  });
}

template <class T>
void run_bias(const ctconv_cuda_problem& record, const void* y, bool wide, void* out) {
  BiasParams p;
  WeightsParams add;
  bias_form(record, &p, &add);
  if (wide) p.wide = 1;  // as for 2^31 places and more
  std::vector<Acc<T>> sums(static_cast<size_t>(p.rows), std::numeric_limits<Acc<T>>::quiet_NaN());
  p.y = y;
  p.sums = sums.data();
  using Kernel = BiasSums<T>;
  std::vector<typename Kernel::Registers> r(Kernel::kThreads);
  auto s = std::make_unique<typename Kernel::Shared>();
  const auto all = [&](auto&& body) {
    for (int32_t t = 0; t < Kernel::kThreads; ++t) body(t, r[static_cast<size_t>(t)]);
  };
  for (int64_t row0 = 0; row0 < p.rows; row0 += Kernel::kRows) {
    all([&](int32_t, auto& mine) { Kernel::start(mine); });
    all([&](int32_t t, auto& mine) { Kernel::fetch(p, row0, 0, t, mine); });
    for (int32_t at = 0; at < kChain && at < p.places; at += Kernel::kPlaces) {
      all([&](int32_t t, auto& mine) { Kernel::stash(p, t, *s, mine); });
      if (at + Kernel::kPlaces < kChain) {
        all([&](int32_t t, auto& mine) { Kernel::fetch(p, row0, at + Kernel::kPlaces, t, mine); });
      }
      all([&](int32_t t, auto& mine) { Kernel::add(p, row0, at, t, *s, mine); });
    }
    all([&](int32_t t, auto& mine) { Kernel::write(p, row0, t, mine); });
  }
  add.sums = sums.data();
  add.w = out;
  for (int64_t e = 0; e < add.weights; ++e) weights_add<T>(add, e);
}

struct Counts {
  int direct = 0, gemm = 0, side = 0, chains = 0, bias = 0;
};

template <class T>
void agree(const Problem& p, rig::Rng& rng, Counts* counts) {
  rig::Case c = rig::make_case(p, rng, rig::Values::kReal);
  const rig::Numbers want = rig::defined(p, c.operand());
  const ctconv_cuda_problem record =
      cuda_problem(p, p.epilogue.bias ? CTCONV_CUDA_BIAS_ACCUMULATOR : CTCONV_CUDA_BIAS_NONE, 1);
  REQUIRE(rig::problem_of(record) == p);
  WeightsParams params;
  weights_form(record, &params);
  const int64_t together = chains_together(params, rig::pick(rng, 1, 3), sizeof(Acc<T>), SIZE_MAX);
  counts->chains += params.chains > 1;
  counts->side += together > 0;
  check(p, run_direct<T>(p, c, params, 0), want, "weights-direct");
  params.taps_fastest = !params.taps_fastest;
  if (together > 0) check(p, run_direct<T>(p, c, params, together), want, "weights-direct, side by side");
  ++counts->direct;
  WeightsGemmParams gemm;
  if (weights_gemm_form(record, &gemm).empty()) {
    // small tiles for long sums: on the CPU a tile costs all its products
    const auto config = static_cast<size_t>(rig::pick(rng, params.chains > 1 ? 3 : 0, 5));
    INFO("tile " << config);
    check(p, run_gemm<T>(p, c, gemm, config, together), want, "weights-gemm");
    ++counts->gemm;
  }
  if (!p.epilogue.bias) return;
  std::vector<uint8_t> bias(static_cast<size_t>(p.groups * p.co) * sizeof(Acc<T>), 0xA5);
  run_bias<T>(record, c.y.data(p.types.y), rng() % 4 == 0, bias.data());
  const size_t first = want.bits.size() - static_cast<size_t>(p.groups * p.co);
  for (size_t k = 0; k < static_cast<size_t>(p.groups * p.co); ++k) {
    REQUIRE(rig::bits_of(bias.data(), p.types.accumulator, static_cast<int64_t>(k)) == want.bits[first + k]);
  }
  ++counts->bias;
}

void agree_any(const Problem& p, rig::Rng& rng, Counts* counts) {
  if (p.types.x == Dtype::kF32) agree<float>(p, rng, counts);
  if (p.types.x == Dtype::kF16) agree<F16>(p, rng, counts);
  if (p.types.x == Dtype::kBf16) agree<Bf16>(p, rng, counts);
  if (p.types.x == Dtype::kF64) agree<double>(p, rng, counts);
}

}  // namespace

TEST_CASE("dw and db on the CPU give the definition's bits", "[cuda][kernels][gradient]") {
  Counts counts;
  rig::Rng rng(31);
  const rig::Limits limits = weight_limits(2e4);
  for (int round = 0; round < 300; ++round) {
    const Problem p = rig::random_problem(rng, limits);
    INFO("round " << round);
    agree_any(p, rng, &counts);
  }
  CHECK(counts.direct == 300);
  CHECK(counts.gemm > 180);
  CHECK(counts.bias > 90);
}

TEST_CASE("dw and db on the CPU: many chains", "[cuda][kernels][gradient]") {
  Counts counts;
  rig::Rng rng(32);
  rig::Limits limits = weight_limits(3e5);
  limits.layouts = rig::Layouts::kSlices;
  limits.channels = 3;
  limits.groups = 2;
  limits.extents = {9000, 150, 24};
  limits.empty = false;
  for (int round = 0; round < 24; ++round) {
    Problem p = rig::random_problem(rng, limits);
    INFO("round " << round);
    agree_any(p, rng, &counts);
  }
  CHECK(counts.chains > 5);
  CHECK(counts.side > 2);
}

TEST_CASE("how chains are shared out: within the limit, never a chain lost", "[cuda][gradient]") {
  WeightsParams p{};
  rig::Rng rng(33);
  for (int round = 0; round < 2000; ++round) {
    p.weights = rig::pick(rng, 1, 100);
    p.chains = rig::pick(rng, 1, 40);
    const auto limit = static_cast<size_t>(rig::pick(rng, 0, 10000));
    const int64_t together = chains_together(p, rig::pick(rng, 1, 50), 4, limit);
    REQUIRE(together != 1);
    REQUIRE(chains_workspace(p, together, 4) <= limit);
    int64_t next = 0, launches = 0;
    bool ended = false;
    each_launch(
        &p, together,
        [&] {
          REQUIRE((together == 0 || p.first == next));
          ++launches;
        },
        [&] {
          next += p.count;
          ended = p.last;
        });
    REQUIRE((together == 0 ? launches == 1 : next == p.chains && ended));
  }
  p.weights = 10;
  p.chains = 5;
  CHECK(chains_together(p, 100, 4, SIZE_MAX) == 5);
  CHECK(chains_together(p, 3, 4, SIZE_MAX) == 3);
  CHECK(chains_together(p, 100, 4, 5 * 40) == 5);
  CHECK(chains_together(p, 100, 4, 5 * 40 - 1) == 3);  // three rows, and one for the sum so far
  CHECK(chains_together(p, 100, 4, 80) == 0);
}

namespace {

TensorView random_view(rig::Rng& rng, const TensorView& shape, bool written) {
  TensorView t = shape;
  int64_t step = 1;
  std::vector<int> order;
  for (int a = 0; a < t.ndim; ++a) order.push_back(a);
  std::shuffle(order.begin(), order.end(), rng);
  for (const int a : order) {
    const auto k = static_cast<size_t>(a);
    t.strides[k] = !written && rng() % 8 == 0 ? 0 : step;
    step *= t.shape[k] + static_cast<int64_t>(rng() % 2);
  }
  return t;
}

template <class T>
void run_pass(const ctconv_cuda_pass& pass) {
  PassParams p;
  pass_form(pass, &p);
  REQUIRE(p.rank <= pass.rank);
  for (int64_t e = 0; e < p.elements; ++e) pass_element<T>(p, e);
}

void run_pass(Dtype type, const ctconv_cuda_pass& pass) {
  if (type == Dtype::kF32) run_pass<float>(pass);
  if (type == Dtype::kF16) run_pass<F16>(pass);
  if (type == Dtype::kBf16) run_pass<Bf16>(pass);
  if (type == Dtype::kF64) run_pass<double>(pass);
}

struct Buffer {
  std::vector<uint8_t> bytes;
  Buffer(rig::Rng& rng, Dtype type, int64_t elements) : bytes(static_cast<size_t>(elements) * size_of(type)) {
    for (int64_t e = 0; e < elements; ++e) {
      double v = static_cast<double>(rig::pick(rng, -3000, 3000)) / 1000;
      if (rng() % 16 == 0) v = rng() % 2 ? 0.0 : -0.0;
      if (rng() % 32 == 0) v = rng() % 2 ? std::numeric_limits<double>::infinity() : std::nan("");
      rig::store(bytes.data(), type, e, v);
    }
  }
};

constexpr int64_t kRoom = 4096;

ctconv_cuda_pass pass_of(const TensorView& to, const Strides& from, int32_t kind, Dtype type) {
  ctconv_cuda_pass pass{};
  pass.kind = kind;
  pass.dtype = static_cast<int32_t>(type);
  pass.rank = to.ndim;
  for (int a = 0; a < to.ndim; ++a) {
    const auto k = static_cast<size_t>(a);
    pass.extent[a] = to.shape[k];
    pass.to_stride[a] = to.strides[k];
    pass.from_stride[a] = from[k];
  }
  pass.to = to.data;
  return pass;
}

}  // namespace

TEST_CASE("passes give the bits of the CPU's backend", "[cuda][kernels][gradient]") {
  rig::Rng rng(34);
  int folded = 0;
  for (int round = 0; round < 1500; ++round) {
    INFO("round " << round);
    const Dtype type = rig::one_of(rng, kFloatTypes).x;
    TensorView shape;
    shape.type = element_type(type);
    shape.ndim = static_cast<int>(rig::pick(rng, 0, 5));
    for (int a = 0; a < shape.ndim; ++a) shape.shape[static_cast<size_t>(a)] = rig::pick(rng, rng() % 40 ? 1 : 0, 4);
    shape.strides = dense_strides(shape.dims());
    const bool slope = rng() % 2, sums = !slope && rng() % 2, add = rng() % 2;
    const Dtype from_type = sums ? accumulator_of(type) : type;
    Buffer from(rng, from_type, kRoom), with(rng, type, kRoom), to(rng, type, kRoom);
    Buffer wanted = to;
    if (slope) {
      TensorView dy = random_view(rng, shape, false), y = random_view(rng, shape, false), g = shape;
      dy.data = from.bytes.data();
      y.data = with.bytes.data();
      g.data = to.bytes.data();
      Activation act{static_cast<Activation::Kind>(rig::pick(rng, 1, 5)), 0.3, 0};
      if (act.kind == Activation::kClip) act.alpha = -0.7, act.beta = 1.1;
      REQUIRE(activation_gradient(act, dy, y, wanted.bytes.data(), Runner()).ok());
      ctconv_cuda_pass pass = pass_of(g, dy.strides, CTCONV_CUDA_PASS_SLOPE, type);
      for (int a = 0; a < g.ndim; ++a) pass.with_stride[a] = y.strides[static_cast<size_t>(a)];
      pass.activation = static_cast<int32_t>(act.kind);
      pass.alpha = act.alpha;
      pass.beta = act.beta;
      pass.from = dy.data;
      pass.with = y.data;
      run_pass(type, pass);
    } else {
      TensorView out = random_view(rng, shape, true);
      out.data = wanted.bytes.data();
      REQUIRE(store_gradient(from.bytes.data(), sums, add, out, Runner()).ok());
      out.data = to.bytes.data();
      ctconv_cuda_pass pass =
          pass_of(out, dense_strides(out.dims()), add ? CTCONV_CUDA_PASS_ADD : CTCONV_CUDA_PASS_STORE, type);
      pass.from = from.bytes.data();
      pass.from_sums = sums;
      run_pass(type, pass);
      PassParams p;
      pass_form(pass, &p);
      folded += p.rank < pass.rank;
    }
    int64_t wrong = 0;
    for (int64_t e = 0; e < kRoom; ++e) {
      wrong += rig::bits_of(to.bytes.data(), type, e) != rig::bits_of(wanted.bytes.data(), type, e);
    }
    REQUIRE(wrong == 0);
  }
  CHECK(folded > 300);
}

}  // namespace ctconv::cuda::testing
