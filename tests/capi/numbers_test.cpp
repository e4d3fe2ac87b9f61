// SPDX-License-Identifier: Apache-2.0
// What engines may differ in and what not: non-finite weights, reproducible, activations, forced engines, fork; and
// the info functions.
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "src/base/activation.h"
#include "tests/capi/support.h"

using namespace capi;

namespace {

std::vector<unsigned char> bits_of(const Desc& desc, const Conv& conv, Tensor& x, Tensor& w, Tensor* b,
                                   ctconv_options options, bool per_call) {
  Op op = create(desc, per_call ? nullptr : &w, per_call ? nullptr : b, &options);
  Tensor y(conv.y_shape(), x.type());
  run(op, call_of(&x, &y, per_call ? &w : nullptr, per_call ? b : nullptr));
  REQUIRE(y.guarded());
  return y.bits();
}

}  // namespace

TEST_CASE("numbers: auto with non-finite weights gives the reference's bits", "[capi][numbers][cpu]") {
  const double inf = std::numeric_limits<double>::infinity();
  for (double bad : {inf, -inf, std::nan("")}) {
    for (const Shape& at : {Shape{0, 0, 0, 0}, Shape{1, 2, 1, 1}, Shape{3, 5, 2, 2}}) {
      for (Dtype type : {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16}) {
        for (bool per_call : {false, true}) {
          Conv conv;
          Desc desc = conv.desc();
          Tensor x(conv.x_shape(), type), w(conv.w_shape(), type), b({conv.co}, type);
          x.integers(1);
          w.integers(2);
          b.integers(3);
          w.set(at, bad);
          ctconv_options options = options_init();
          options.reproducible = 1;
          const auto chosen = bits_of(desc, conv, x, w, &b, options, per_call);
          options.engine = "reference";
          CHECK(chosen == bits_of(desc, conv, x, w, &b, options, per_call));
        }
      }
    }
  }
}

TEST_CASE("numbers: per-call weights may be finite now and not the next time", "[capi][numbers][cpu]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), good(conv.w_shape()), bad(conv.w_shape());
  x.reals(1);
  good.reals(2);
  bad.reals(2);
  bad.set({2, 3, 0, 1}, std::numeric_limits<double>::infinity());
  ctconv_options options = options_init(), reference = options_init();
  options.reproducible = 1;
  reference.engine = "reference";
  Op op = create(desc, nullptr, nullptr, &options);
  for (Tensor* w : {&good, &bad, &good, &bad}) {
    Tensor y(conv.y_shape());
    run(op, call_of(&x, &y, w));
    CHECK(y.bits() == bits_of(desc, conv, x, *w, nullptr, reference, true));
  }
}

namespace {

// Not-a-numbers with payloads: signalling and quiet, both signs, lowest and highest payload.
std::vector<uint64_t> payloads(Dtype type) {
  const int mantissa = type == Dtype::kF64 ? 52 : type == Dtype::kF32 ? 23 : type == Dtype::kF16 ? 10 : 7;
  const uint64_t sign = uint64_t{1} << (8 * ctconv::size_of(type) - 1);
  const uint64_t infinity = sign - (uint64_t{1} << mantissa), quiet = uint64_t{1} << (mantissa - 1);
  return {infinity | 1, sign | infinity | 1, infinity | (quiet - 1), infinity | quiet,
          sign | infinity | quiet | (quiet - 1)};
}

}  // namespace

TEST_CASE("numbers: a NaN of any payload comes out as NaN where it is met and nowhere else", "[capi][numbers]") {
  enum Place { kX, kWeight, kBias };
  for (const Dtype type : {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16}) {
    for (const uint64_t pattern : payloads(type)) {
      for (const Place place : {kX, kWeight, kBias}) {
        for (const bool last : {false, true}) {
          Conv conv;
          conv.last = last;
          Desc desc = conv.desc();
          Tensor x(conv.x_shape(), type), w(conv.w_shape(), type), b({conv.co}, type);
          x.integers(1);
          w.integers(2);
          b.integers(3);
          Tensor& bad = place == kX ? x : place == kWeight ? w : b;
          const int64_t element = place == kBias ? 2 : 17;
          std::memcpy(static_cast<char*>(bad.data()) + element * static_cast<int64_t>(ctconv::size_of(type)), &pattern,
                      ctconv::size_of(type));
          const std::vector<double> want = conv.scatter(x, w, &b);
          for (const char* engine : test_device().engines) {
            ctconv_options options = options_init();
            options.engine = engine;
            ctconv_op* made = nullptr;
            if (ctconv_create(desc.get(), w.get(), b.get(), &options, &made, nullptr) != CTCONV_OK)
              continue;  // not in this build
            Op op(made);
            Tensor y(conv.y_shape(), type);
            const ctconv_call call = call_of(&x, &y);
            Error error;
            const ctconv_status status = ctconv_execute(op.get(), &call, &error);
            if (status == CTCONV_ERR_UNSUPPORTED_ENGINE) continue;
            INFO(engine << " " << ctconv::name_of(type) << " place " << place << " last " << last << " pattern "
                        << std::hex << pattern << ": " << error.text());
            REQUIRE(status == CTCONV_OK);
            const std::vector<double> got = y.values();
            int64_t wrong = 0;
            for (size_t at = 0; at < want.size(); ++at) wrong += std::isnan(want[at]) != std::isnan(got[at]);
            CHECK(wrong == 0);
          }
        }
      }
    }
  }
}

TEST_CASE("numbers: non-finite inputs and biases travel like in the reference", "[capi][numbers][cpu]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
  x.reals(1);
  w.reals(2);
  b.reals(3);
  x.set({0, 1, 2, 3}, std::numeric_limits<double>::infinity());
  x.set({1, 3, 4, 6}, std::nan(""));
  b.set({1}, -std::numeric_limits<double>::infinity());
  ctconv_options options = options_init();
  options.reproducible = 1;
  const auto chosen = bits_of(desc, conv, x, w, &b, options, false);
  options.engine = "reference";
  CHECK(chosen == bits_of(desc, conv, x, w, &b, options, false));
}

TEST_CASE("numbers: reproducible gives the same bits for any threads, batch split and layout", "[capi][numbers][cpu]") {
  const uint64_t seed = test_seed();
  INFO("seed " << seed);
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 30; ++round) {
    Conv conv = random_conv(rng);
    conv.n = 2;
    Desc desc = conv.desc();
    Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
    x.reals(rng());
    w.reals(rng());
    b.reals(rng());
    Tensor* bias = conv.bias ? &b : nullptr;
    ctconv_options options = options_init();
    options.engine = "reference";
    const auto want = bits_of(desc, conv, x, w, bias, options, false);
    options.engine = "auto";
    options.reproducible = 1;
    for (int32_t threads : {1, 2, 5}) {
      options.threads = threads;
      REQUIRE(bits_of(desc, conv, x, w, bias, options, threads == 2) == want);
    }
    // One image at a time.
    Conv one = conv;
    one.n = 1;
    std::vector<unsigned char> parts;
    Op op = create(desc, &w, bias, &options);
    for (int64_t image = 0; image < 2; ++image) {
      ctconv_tensor view = *x.get();
      const Shape shape = one.x_shape();
      view.shape = shape.data();
      view.byte_offset = static_cast<uint64_t>(image * Tensor(conv.x_shape()).strides()[0]) * 4;
      Tensor y(one.y_shape());
      ctconv_call call = call_of(&x, &y);
      call.x = &view;
      run(op, call);
      const auto bits = y.bits();
      parts.insert(parts.end(), bits.begin(), bits.end());
    }
    REQUIRE(parts == want);
    REQUIRE(engine_of(op, call_of(&x, nullptr)) != "onednn");
  }
}

TEST_CASE("numbers: activations after the bias, once, in every engine that takes them", "[capi][numbers]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co});
  x.integers(1);
  w.integers(2);
  b.integers(3);
  const auto linear = conv.scatter(x, w, &b);
  struct Row {
    int32_t kind;
    double alpha, beta;
    float (*f)(float);
  };
  const Row rows[] = {{CTCONV_ACTIVATION_NONE, 9, 9, [](float v) { return v; }},
                      {CTCONV_ACTIVATION_RELU, NAN, 9, [](float v) { return v < 0 ? 0 : v; }},
                      {CTCONV_ACTIVATION_LEAKY_RELU, 0.25, NAN, [](float v) { return v < 0 ? 0.25f * v : v; }},
                      {CTCONV_ACTIVATION_TANH, 0, 0, [](float v) { return ctconv::tanh_exact_steps(v); }},
                      {CTCONV_ACTIVATION_SIGMOID, 0, 0, [](float v) { return ctconv::sigmoid_exact_steps(v); }},
                      {CTCONV_ACTIVATION_CLIP, -2, 5, [](float v) { return v < -2  ? -2
                                                                           : v > 5 ? 5
                                                                                   : v; }}};
  for (const char* engine : test_device().engines) {
    for (const Row& row : rows) {
      INFO(engine << ", activation " << row.kind);
      ctconv_options options = options_init();
      options.engine = engine;
      options.activation = row.kind;
      options.activation_alpha = row.alpha;
      options.activation_beta = row.beta;
      ctconv_op* made = nullptr;
      if (ctconv_create(desc.get(), w.get(), b.get(), &options, &made, nullptr) != CTCONV_OK) continue;
      Op op(made);
      Tensor y(conv.y_shape());
      const ctconv_call call = call_of(&x, &y);
      const ctconv_status status = ctconv_execute(made, &call, nullptr);
      if (status == CTCONV_ERR_UNSUPPORTED_ENGINE) continue;
      REQUIRE(status == CTCONV_OK);
      const bool exact = value_of(describe(op, &call), "bits") == "reference";
      const auto got = y.values();
      for (size_t i = 0; i < got.size(); ++i) {
        const double want = row.f(static_cast<float>(linear[i]));
        if (exact)
          REQUIRE(got[i] == want);
        else
          REQUIRE(std::fabs(got[i] - want) <= 1e-5 * std::max(1.0, std::fabs(want)));
      }
      CHECK(ctconv_execute(made, &call, nullptr) == CTCONV_OK);
      size_t bytes;
      REQUIRE(ctconv_prepare(made, &call, &bytes, nullptr) == CTCONV_OK);
      CHECK(describe(op, nullptr).find("plans: 1\n") != std::string::npos);  // unused parameters tell no plans apart
    }
  }
}

TEST_CASE("numbers: a forced engine is the one that runs, or refuses with a reason", "[capi][numbers][cpu]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  const ctconv_call call = call_of(&x, &y);
  for (int32_t i = 0; i < ctconv_engine_count(); ++i) {
    const char* engine = ctconv_engine_name(i);
    ctconv_options options = options_init();
    options.engine = engine;
    Error error;
    ctconv_op* made = nullptr;
    const ctconv_status status = ctconv_create(desc.get(), w.get(), nullptr, &options, &made, &error);
    if (std::string(engine) == "cuda") {
      refused(status, error, CTCONV_ERR_MISUSE_ENGINE, "engine");
      continue;
    }
    REQUIRE(status == CTCONV_OK);  // the list holds what this build has
    Op op(made);
    const bool always = std::string(engine) == "native" || std::string(engine) == "reference";
    const ctconv_status ran = ctconv_execute(op.get(), &call, &error);
    if (ran != CTCONV_OK && !always) {  // the type, the size, or this CPU
      refused(ran, error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
      continue;
    }
    CHECK(engine_of(op, call) == engine);
    const std::string bits = value_of(describe(op, &call), "bits");
    CHECK((always ? bits == "reference" : bits == "reference" || bits == "stable" || bits == "machine"));
    // reproducible: only engines with the reference's bits, or with stable ones.
    for (const int32_t reproducible : {1, 2}) {
      options.reproducible = reproducible;
      Op strict = create(desc, &w, nullptr, &options);
      if (bits == "machine" || (bits == "stable" && reproducible == 1))
        refused(ctconv_execute(strict.get(), &call, &error), error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
      else
        run(strict, call);
    }
  }
  // Forced and non-finite: a reason, and y untouched.
  w.set({0, 0, 0, 0}, std::numeric_limits<double>::infinity());
  ctconv_options options = options_init();
  options.engine = "native";
  Op op = create(desc, &w, nullptr, &options);
  Error error;
  Tensor clean(conv.y_shape());
  const ctconv_call fresh = call_of(&x, &clean);
  refused(ctconv_execute(op.get(), &fresh, &error), error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
  CHECK(clean.untouched());
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // see tests/base/pool_test.cpp
TEST_CASE("numbers: an op made and used before fork works in the child", "[capi][numbers][cpu]") {
  Conv conv;
  conv.n = 4;
  conv.in = {16, 16};
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  const auto want = conv.scatter(x, w, nullptr);
  ctconv_options options = options_init();
  options.threads = 3;
  Op op = create(desc, &w, nullptr, &options);
  run(op, call_of(&x, &y));
  for (int generation = 0; generation < 3; ++generation) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      Tensor own(conv.y_shape());
      const ctconv_call call = call_of(&x, &own);
      bool good = true;
      for (int n = 0; n < 5; ++n)
        good = good && ctconv_execute(op.get(), &call, nullptr) == CTCONV_OK && own.values() == want;
      _exit(good ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    run(op, call_of(&x, &y));
    CHECK(y.values() == want);
  }
}
#endif

TEST_CASE("info: what this library is", "[capi][info][cpu]") {
  CHECK(ctconv_version() == CTCONV_VERSION_MAJOR * 10000 + CTCONV_VERSION_MINOR * 100 + CTCONV_VERSION_PATCH);
  CHECK(std::string(ctconv_version_string()) == std::to_string(CTCONV_VERSION_MAJOR) + "." +
                                                    std::to_string(CTCONV_VERSION_MINOR) + "." +
                                                    std::to_string(CTCONV_VERSION_PATCH));
  CHECK(std::string(ctconv_build_info()).find("version: ") == 0);
  CHECK(ctconv_build_info() == ctconv_build_info());
  CHECK(std::string(ctconv_status_name(CTCONV_OK)) == "CTCONV_OK");
  CHECK(std::string(ctconv_status_name(CTCONV_ERR_VALUE_STRIDE)) == "CTCONV_ERR_VALUE_STRIDE");
  CHECK(ctconv_status_kind(CTCONV_ERR_VALUE_STRIDE) == 2);
  for (int32_t unknown : {-1, 1, 1000, 8000, 99999, INT32_MAX, INT32_MIN}) {
    CHECK(std::string(ctconv_status_name(unknown)) == "CTCONV_ERR_UNKNOWN");
    CHECK(ctconv_status_text(unknown) != nullptr);
    (void)ctconv_status_kind(unknown);
  }
  std::set<std::string> names;
  for (int32_t i = 0; i < ctconv_dialect_count(); ++i) names.insert(ctconv_dialect_name(i));
  CHECK(static_cast<int32_t>(names.size()) == ctconv_dialect_count());
  CHECK(names.count("ctconv") == 1);
  CHECK(names.count("torch.nn.ConvTranspose3d") == 1);
  for (int32_t past : {-1, ctconv_dialect_count(), INT32_MAX, INT32_MIN})
    CHECK(std::string(ctconv_dialect_name(past)).empty());
  for (int32_t past : {-1, ctconv_engine_count(), INT32_MAX, INT32_MIN})
    CHECK(std::string(ctconv_engine_name(past)).empty());
  CHECK(std::string(ctconv_engine_name(ctconv_engine_count() - 2)) == "reference");
}

TEST_CASE("info: every argument of every dialect", "[capi][info][cpu]") {
  for (int32_t d = 0; d < ctconv_dialect_count(); ++d) {
    const char* dialect = ctconv_dialect_name(d);
    INFO(dialect);
    int32_t required = 0, i = 0;
    std::set<std::string> names;
    for (;; ++i) {
      ctconv_argument a = CTCONV_ARGUMENT_INIT;
      const ctconv_status status = ctconv_dialect_argument(dialect, i, &a);
      if (status == CTCONV_ERR_MISUSE_OPTION) break;
      REQUIRE(status == CTCONV_OK);
      REQUIRE(a.name != nullptr);
      REQUIRE(a.default_text != nullptr);
      CHECK(names.insert(a.name).second);
      CHECK((a.position == -1 || a.position == i));
      CHECK((a.required == 0 || a.required == 1));
      CHECK((std::strlen(a.default_text) == 0) == (a.required == 1));
      required += a.required;
    }
    CHECK(i > 0);
    Desc desc(dialect);
    Error error;
    const ctconv_status empty = ctconv_desc_validate(desc.get(), &error);
    if (required > 0)
      refused(empty, error, CTCONV_ERR_TYPE_ARGUMENT_MISSING);
    else
      CHECK(empty == CTCONV_OK);
    desc.set("no_such_argument", 1);
    refused(ctconv_desc_validate(desc.get(), &error), error, CTCONV_ERR_TYPE_ARGUMENT_NAME);
    ctconv_argument small = CTCONV_ARGUMENT_INIT;
    small.struct_size = 8;
    CHECK(ctconv_dialect_argument(dialect, 0, &small) == CTCONV_ERR_MISUSE_STRUCT_SIZE);
    ctconv_argument a = CTCONV_ARGUMENT_INIT;
    CHECK(ctconv_dialect_argument(dialect, -1, &a) == CTCONV_ERR_MISUSE_OPTION);
  }
  ctconv_argument a = CTCONV_ARGUMENT_INIT;
  CHECK(ctconv_dialect_argument("nonsense", 0, &a) == CTCONV_ERR_MISUSE_DIALECT);
}
