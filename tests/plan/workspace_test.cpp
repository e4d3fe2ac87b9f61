// SPDX-License-Identifier: Apache-2.0
// The promise on memory: what `auto` borrows for a call is the padded input and megabytes, in every type and layout.
//
//   in:  the layers of bench/layers.json and some whose copies would grow with an axis or the batch
//   out: plan->workspace.scratch within scratch_budget (workspace.h); weights and bias of the call are not in it
//        beyond it only an engine that promises half the time, and no more than copies of x and y
#include "src/plan/workspace.h"

#include <catch2/catch_test_macros.hpp>

#include "capi/engines.h"
#include "src/plan/pieces.h"
#include "src/plan/plan.h"
#include "tests/rig/layers.h"
#include "tests/rig/layouts.h"

using namespace ctconv;

namespace {

using rig::Layer;

Axis axis(int64_t i, int64_t k, int64_t s, int64_t d, int64_t lo, int64_t hi, int64_t extra) {
  return {.i = i, .o = (i - 1) * s + d * (k - 1) + 1 - lo - hi + extra, .k = k, .s = s, .d = d, .lo = lo};
}

Layer layer(const char* id, int64_t n, int64_t groups, int64_t ci, int64_t co, std::vector<Axis> axes) {
  Problem p;
  p.rank = static_cast<int>(axes.size());
  p.n = n;
  p.groups = groups;
  p.ci = ci;
  p.co = co;
  std::copy(axes.begin(), axes.end(), p.axis.end() - p.rank);
  return {id, p};
}

// Copies in proportion to an axis or to the batch would show here.
std::vector<Layer> growing() {
  const Axis wide = axis(79, 3, 2, 1, 1, 1, 1);
  return {
      layer("depthwise along 10^5", 1, 192, 1, 1, {axis(100000, 12, 2, 1, 5, 5, 0)}),
      layer("depthwise along 10^6", 1, 192, 1, 1, {axis(1000000, 12, 2, 1, 5, 5, 0)}),
      layer("one channel along 10^7", 1, 1, 1, 1, {axis(10000000, 4, 2, 1, 1, 1, 0)}),
      layer("65536 rows of 3", 65536, 1, 1, 1, {axis(3, 5, 2, 1, 2, 2, 1)}),
      layer("10^6 rows of 3", 1000000, 1, 1, 1, {axis(3, 5, 2, 1, 2, 2, 1)}),
      layer("10^5 maps of 2 x 2", 100000, 1, 16, 8, {axis(2, 4, 2, 1, 1, 1, 0), axis(2, 4, 2, 1, 1, 1, 0)}),
      layer("20000 depthwise maps", 20000, 64, 1, 1, {axis(4, 4, 2, 1, 1, 1, 0), axis(4, 4, 2, 1, 1, 1, 0)}),
      layer("60 MiB of 16 bits", 1, 1, 64, 32, {wide, wide, wide}),
      layer("inverse STFT", 1, 1, 2050, 1, {axis(340, 2048, 512, 1, 0, 0, 0)}),
  };
}

std::shared_ptr<const Plan> planned(const Problem& p, int32_t threads, const char* engine) {
  static const Allocator heap;
  PlanRequest request;
  request.engines = cpu_engines();
  request.engine = engine;
  request.reference = reference_engine();
  request.context.threads = threads;
  request.context.weights_per_call = true;
  request.allocator = &heap;
  auto plan = make_plan(p, request);
  return plan.ok() ? *plan : nullptr;
}

// One problem of a layer: the budget, or for `auto` what may go beyond it.
void check(const Layer& l, Dtype type, bool x_last, bool y_last, int32_t threads, const char* engine) {
  Problem p = l.p;
  p.types = uniform_types(type);
  rig::lay_out(&p, x_last, y_last);
  const auto plan = planned(p, threads, engine);
  INFO(l.id << ", " << name_of(type) << ", " << threads << " threads");
  REQUIRE(plan != nullptr);
  const auto order = [](bool last) { return last ? "last" : "first"; };
  INFO("x channels " << order(x_last) << ", y " << order(y_last) << ": " << plan->engine->name << ", "
                     << plan->kernel->form());
  const double budget = scratch_budget(p, threads), scratch = static_cast<double>(plan->workspace.scratch);
  if (std::string(engine) == "auto" && scratch > budget) {
    const auto native = planned(p, threads, "native");
    REQUIRE(native != nullptr);
    CHECK(2 * plan->kernel->estimated_seconds() <= native->kernel->estimated_seconds());
    CHECK(scratch <= budget + copied_bytes(p));
  } else {
    CHECK(scratch <= budget);
  }
}

// y of an image is x of it and 1: an engine whose scratch grows with the batch.
constexpr size_t kImageScratch = size_t{3} << 20;
class CopyingKernel final : public Kernel {
 public:
  explicit CopyingKernel(const Problem& p) : p_(p) {}
  std::string form() const override { return "copies"; }
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return static_cast<double>(p_.n) * 1e-3; }
  size_t scratch_bytes() const override { return static_cast<size_t>(p_.n) * kImageScratch; }
  // An x below zero is not honoured.
  bool looks_at_input() const override { return true; }
  Result<bool> honours_input(const Operands& m, const Runner&) const override {
    bool honoured = true;
    for (int64_t n = 0; n < p_.n; ++n) honoured = honoured && static_cast<const float*>(m.x)[n * p_.x.n] >= 0;
    return honoured;
  }
  const char* weights_not_honoured() const override { return "its own reason"; }
  Status run(const Operands& m, const Runner&) const override {
    for (int64_t n = 0; n < p_.n; ++n) {
      static_cast<float*>(m.y)[n * p_.y.n] = static_cast<const float*>(m.x)[n * p_.x.n] + 1;
    }
    return {};
  }

 private:
  Problem p_;
};
Result<std::unique_ptr<Kernel>> plan_copying(const Problem& p, const PlanContext&) {
  return std::unique_ptr<Kernel>(new CopyingKernel(p));
}
const Engine kCopying{"copying", Bits::kReference, kForwardFloats, &plan_copying};

}  // namespace

TEST_CASE("workspace: a batch whose copies are large runs in pieces", "[plan]") {
  for (int64_t n : {1, 2, 3, 5, 7, 16, 31, 100}) {
    for (int32_t threads : {1, 2, 4}) {
      INFO("batch " << n << ", " << threads << " threads");
      Problem p = layer("", n, 1, 1, 1, {axis(1, 1, 1, 1, 0, 0, 0)}).p;
      p.x.n = 3;
      p.y.n = -2;
      PlanContext context;
      context.threads = threads;
      const auto kernel = in_pieces(p, kCopying, context, std::make_unique<CopyingKernel>(p));
      std::vector<float> x(static_cast<size_t>(3 * n)), y(static_cast<size_t>(2 * n), -1);
      for (size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k);
      Operands m;
      m.x = x.data();
      m.y = y.data() + 2 * (n - 1);
      REQUIRE(kernel->run(m, Runner()).ok());
      for (int64_t i = 0; i < n; ++i) {
        CHECK(y[static_cast<size_t>(2 * (n - 1 - i))] == static_cast<float>(3 * i + 1));
        CHECK(y[static_cast<size_t>(2 * (n - 1 - i) + 1)] == -1);
      }
      const bool split = kernel->form().find("pieces") != std::string::npos;
      CHECK(split == (static_cast<double>(n * kImageScratch) > scratch_budget(p, threads) && n > threads));
      if (split) CHECK(static_cast<double>(kernel->scratch_bytes()) <= scratch_budget(p, threads));
    }
  }
}

TEST_CASE("workspace: a batch in pieces looks at every image of x, as its kernel does", "[plan]") {
  Problem p = layer("", 31, 1, 1, 1, {axis(1, 1, 1, 1, 0, 0, 0)}).p;
  p.x.n = 3;
  const auto kernel = in_pieces(p, kCopying, PlanContext(), std::make_unique<CopyingKernel>(p));
  REQUIRE(kernel->form().find("pieces") != std::string::npos);
  REQUIRE(kernel->looks_at_input());
  CHECK(std::string(kernel->weights_not_honoured()) == "its own reason");
  std::vector<float> x(93, 1);
  const auto honoured = [&] {
    Operands m;
    m.x = x.data();
    const auto answer = kernel->honours_input(m, Runner());
    REQUIRE(answer.ok());
    return *answer;
  };
  CHECK(honoured());
  for (size_t n = 0; n < 31; ++n) {
    INFO("image " << n);
    x[3 * n] = -1;
    CHECK_FALSE(honoured());
    x[3 * n] = 1;
  }
}

TEST_CASE("workspace: of the native engine, the padded input and megabytes", "[plan]") {
  std::vector<Layer> layers = rig::bench_layers();
  for (Layer& l : growing()) layers.push_back(std::move(l));
  for (const Layer& l : layers) {
    for (Dtype type : {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16}) {
      for (int layouts = 0; layouts < 4; ++layouts) {
        for (int32_t threads : {1, 2, 16}) check(l, type, (layouts & 1) != 0, (layouts & 2) != 0, threads, "native");
      }
    }
  }
}

TEST_CASE("workspace: of auto, the padded input and megabytes", "[plan]") {
  const std::vector<Layer> bench = rig::bench_layers();
  std::vector<Layer> layers = growing();
  for (size_t n = 0; n < bench.size(); n += 8) layers.push_back(bench[n]);  // code is generated for each
  for (const Layer& l : layers) {
    for (Dtype type : {Dtype::kF32, Dtype::kF16, Dtype::kBf16}) {
      for (bool last : {false, true}) check(l, type, last, last, 2, "auto");
    }
  }
}
