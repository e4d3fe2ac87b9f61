// SPDX-License-Identifier: Apache-2.0
// oneDNN's domain: what crashed is refused with its reason, `auto` computes it; the published layers lie inside.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>

#include "capi/engines.h"
#include "src/base/pool.h"
#include "src/engine/onednn/domain.h"
#include "src/engine/onednn/implementation.h"
#include "src/engine/onednn/onednn.h"
#include "src/engine/onednn/values.h"
#include "src/engine/reference/reference.h"
#include "tests/rig/checked.h"
#include "tests/rig/layers.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Problem line_problem(Dtype dtype, int64_t channels, int64_t inputs, int64_t kernel, int64_t stride) {
  Problem p;
  p.types = uniform_types(dtype);
  p.ci = p.co = channels;
  p.axis[2] = {.i = inputs, .o = (inputs - 1) * stride + kernel, .k = kernel, .s = stride};
  return p;
}

// y of a plan that picks its engine by `name`, and that engine's name.
std::vector<double> planned(const Case& c, const char* name, std::string* engine) {
  PlanTrial trial;
  trial.engines = cpu_engines();
  trial.reference = reference_engine();
  trial.engine = name;
  const Outcome out = checked(trial, c);
  REQUIRE(out.status.ok());
  *engine = out.engine;
  return out.written.values;
}

// The same numbers, and NaN in the same places.
bool alike(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [=](double u, double v) {
    return u == v || (std::isnan(u) && std::isnan(v)) || std::fabs(u - v) <= tolerance;
  });
}

}  // namespace

TEST_CASE("onednn domain: strides beyond it crashed inside oneDNN; auto is right, onednn says why not", "[onednn]") {
  Rng rng(21);
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
    for (const bool last : {false, true}) {
      for (const auto& [channels, stride] : {std::pair<int64_t, int64_t>{16, 32768}, {1, 65536}}) {
        Problem p = line_problem(dtype, channels, 3, 1, stride);
        lay_out(&p, last, last);
        INFO(to_text(p));
        const Case c = make_case(p, rng, Values::kSmallInteger);
        const auto refused = kOnednnEngine.plan(p, {});
        REQUIRE(refused.status().code() == Code::UNSUPPORTED_ENGINE);
        const std::string why = refused.status().detail().message;
        CHECK(has(why, "stride of axis w " + std::to_string(stride) + " is outside the range it was fuzzed in, 1 to "));
        std::string engine, plain;
        const std::vector<double> got = planned(c, "auto", &engine);
        CHECK(engine != "onednn");
        CHECK(got == planned(c, "reference", &plain));
      }
    }
  }
}

TEST_CASE("onednn domain: each limit names its argument, its value and its range", "[onednn]") {
  Problem good = line_problem(Dtype::kF32, 16, 10, 3, 2);
  lay_out(&good, true, true);
  REQUIRE(onednn::domain_refusal(good).empty());
  const auto refusal = [&](auto change) {
    Problem p = good;
    change(p);
    return onednn::domain_refusal(p);
  };
  constexpr int64_t kHuge = int64_t{1} << 40;
  CHECK(has(refusal([](Problem& p) { p.axis[2].s = kHuge; }), "stride of axis w 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2].k = kHuge; }), "kernel of axis w 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2].d = kHuge; }), "dilation of axis w 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2].i = kHuge; }), "input extent of axis w 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2].o = kHuge; }), "output extent of axis w 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2].lo = kHuge; }), "pad in front of axis w 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2].lo = -1; }), "pad in front of axis w -1 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2].o += 2; }), "output_padding reaches the stride"));
  // each took more than a second of processor time in the campaign
  CHECK(has(refusal([](Problem& p) { p.axis[2] = {.i = 8, .o = 2295, .k = 510, .s = 255}; }),
            "kernel of axis w 510 is outside"));
  CHECK(has(refusal([](Problem& p) { p.ci = p.co = 1, p.axis[2] = {.i = 27, .o = 3556, .k = 255, .s = 127}; }),
            "stride with one channel in and out 127 is outside"));
  CHECK(has(refusal([](Problem& p) { p.axis[2] = {.i = 923090, .o = 1846179, .k = 1, .s = 2}; }),
            "input extent of axis w 923090 is outside"));
  CHECK(has(refusal([](Problem& p) { p.rank = 2, p.axis[2] = {.i = 64, .o = 4094, .k = 32, .s = 64, .lo = 1}; }),
            "extent of axis w 4094 is outside"));
  CHECK(has(
      refusal([](Problem& p) { p.groups = 613, p.ci = p.co = 1, p.axis[2] = {.i = 60, .o = 187, .k = 128, .s = 1}; }),
      "groups times taps 78464 is outside"));
  CHECK(has(refusal([](Problem& p) { p.n = kHuge; }), "batch 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.groups = kHuge; }), "groups 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.ci = kHuge; }), "input channels 1099511627776 is outside"));
  CHECK(has(refusal([](Problem& p) { p.co = kHuge; }), "output channels 1099511627776 is outside"));
}

TEST_CASE("onednn domain: every layer of bench/layers.json lies inside, in both types", "[onednn]") {
  const auto layers = bench_layers();
  REQUIRE(layers.size() >= 101);
  for (const Layer& layer : layers) {
    Problem p = layer.p;
    INFO(layer.id);
    for (const Dtype dtype : {Dtype::kF32, Dtype::kBf16, Dtype::kF16}) {
      p.types = uniform_types(dtype);
      for (const bool last : {false, true}) {
        lay_out(&p, last, last);
        CHECK(onednn::domain_refusal(p).empty());
      }
    }
  }
}

TEST_CASE("onednn: the names of its implementations, as versions 3.6 and 3.7 give them", "[onednn]") {
  using Method = onednn::Implementation::Method;
  struct Row {
    const char* name;
    Method method;
    bool backward;
    bool wrong = false;
  };
  const Row rows[] = {
      {"ref:any", Method::kReference, false},
      {"conv:any+ref:any", Method::kReference, true},
      {"conv:any+x64:gemm:jit", Method::kGemm, true},
      {"conv:any+gemm:jit", Method::kGemm, true},
      {"brg_deconv:brgconv_strided:avx512_core", Method::kBrgemm, false},
      {"conv:any+brgconv_strided:avx512_core_bf16", Method::kBrgemm, true},
      {"conv:any+jit:avx512_core", Method::kDirect, true},
      {"conv:any+jit_1x1:avx2", Method::kDirect, true},
      {"conv:any+jit_dw:avx512_core", Method::kDepthwise, true},
      {"conv:any+jit_bf16_1x1:avx512_core", Method::kDirect, true, true},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const auto got = onednn::implementation_of(row.name);
    CHECK(got.method == row.method);
    CHECK(got.backward_convolution == row.backward);
    CHECK(got.wrong == row.wrong);
  }
}

TEST_CASE("onednn: bf16 subnormal numbers keep their value, through auto and by name", "[onednn]") {
  Rng rng(22);
  const double tiny = 0x1p-130, large = 0x1p20;
  Problem p;
  p.types = uniform_types(Dtype::kBf16);
  p.rank = 2;
  p.ci = 16;
  p.co = 48;
  p.axis[1] = p.axis[2] = {.i = 8, .o = 18, .k = 4, .s = 2};
  for (const bool last : {false, true}) {
    lay_out(&p, last, last);
    Case c = make_case(p, rng, Values::kSmallInteger);
    for (const bool tiny_weight : {false, true}) {
      const auto fill = [&](Memory* m, double value) {
        const auto count = static_cast<int64_t>(m->bytes.size() / 2);
        for (int64_t k = 0; k < count; ++k) store(m->bytes.data(), p.types.x, k, k % 17 == 0 ? value : 0);
      };
      fill(&c.x, tiny_weight ? large : tiny);
      fill(&c.w, tiny_weight ? tiny : large);
      std::string engine;
      const std::vector<double> want = planned(c, "reference", &engine);
      CHECK(std::count(want.begin(), want.end(), 0x1p-110) > 0);
      CHECK(planned(c, "auto", &engine) == want);
      if (tiny_weight) {
        CHECK(checked(kOnednnEngine, c).status.code() == Code::UNSUPPORTED_ENGINE);
      } else if (kOnednnEngine.plan(p, {}).ok()) {
        CHECK(planned(c, "onednn", &engine) == want);
        CHECK(engine == "onednn");
      }
    }
  }
}

TEST_CASE("onednn: a subnormal x is found wherever it lies", "[onednn]") {
  PoolHold hold;
  Rng rng(23);
  for (int round = 0; round < 300; ++round) {
    Problem p = random_of(rng, Dtype::kBf16, round % 2 ? Layouts::kDense : Layouts::kViews);
    if (round % 10 == 0) {
      p = line_problem(Dtype::kBf16, pick(rng, 1, 3), pick(rng, 60000, 140000), 1, 1);
      lay_out(&p, round % 20 == 0, true);
    }
    Case c = make_case(p, rng, Values::kReal);
    for (int64_t* stride : {&c.p.x.n, &c.p.x.c, &c.p.x.axis[0], &c.p.x.axis[1], &c.p.x.axis[2]}) {
      if (*stride < 0) *stride = -*stride;
    }
    c.x.origin = 0;
    bool broken = false;
    const Runner runner = pool_runner(1 + round % 3);
    REQUIRE(onednn::honours_input(c.p, c.x.data(p.types.x), nullptr, runner, &broken));
    const auto& a = c.p.axis;
    const int64_t at = pick(rng, 0, p.n - 1) * c.p.x.n + pick(rng, 0, p.groups * p.ci - 1) * c.p.x.c +
                       pick(rng, 0, a[0].i - 1) * c.p.x.axis[0] + pick(rng, 0, a[1].i - 1) * c.p.x.axis[1] +
                       pick(rng, 0, a[2].i - 1) * c.p.x.axis[2];
    store(c.x.data(p.types.x), p.types.x, at, round % 3 ? -0x1p-133 : 0x1.fcp-127);
    REQUIRE_FALSE(onednn::honours_input(c.p, c.x.data(p.types.x), nullptr, runner, &broken));
    REQUIRE_FALSE(broken);
  }
}

TEST_CASE("onednn: an Inf or NaN reaches the outputs of its own taps alone, whatever the activation", "[onednn]") {
  Rng rng(24);
  struct Shape {
    int64_t n, ci, co, i, k, s;
  };
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const Shape& shape : {Shape{2, 1, 64, 32, 3, 1}, Shape{2, 7, 64, 30, 3, 1}, Shape{1, 40, 48, 8, 4, 2}}) {
    for (const Dtype dtype : {Dtype::kBf16, Dtype::kF16, Dtype::kF32}) {
      for (const auto kind :
           {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu, Activation::kClip, Activation::kSigmoid}) {
        Problem p;
        p.types = uniform_types(dtype);
        p.rank = 2;
        p.n = shape.n;
        p.ci = shape.ci;
        p.co = shape.co;
        p.epilogue.bias = true;
        p.epilogue.activation = {kind, kind == Activation::kClip ? -1.0 : 0.0, kind == Activation::kClip ? 1.0 : 0.0};
        const int64_t o = (shape.i - 1) * shape.s + shape.k;
        p.axis[1] = p.axis[2] = {.i = shape.i, .o = o, .k = shape.k, .s = shape.s};
        const bool last = shape.ci == 7;
        lay_out(&p, last, last);
        for (const double value : {inf, nan}) {
          for (const bool in_bias : {false, true}) {
            if (in_bias && kind == Activation::kNone) continue;
            for (const double sign : {1.0, -1.0}) {
              INFO(to_text(p) << (in_bias ? " bias " : " x ") << value);
              Case c = make_case(p, rng, Values::kSmallInteger);
              if (in_bias) {
                store(c.bias.data(), Dtype::kF32, 1, sign * value);
              } else {
                store(c.x.data(dtype), dtype, pick(rng, 0, p.in_elements() - 1), sign * value);
              }
              std::string engine;
              const std::vector<double> want = planned(c, "reference", &engine);
              const double tolerance = kind == Activation::kSigmoid ? 0.01 : 0;  // of its own steps
              CHECK(alike(planned(c, "auto", &engine), want, tolerance));
              if (kOnednnEngine.plan(p, {}).ok()) {
                CHECK(alike(planned(c, "onednn", &engine), want, tolerance));
              }
            }
          }
        }
      }
    }
  }
}
