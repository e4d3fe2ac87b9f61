// SPDX-License-Identifier: Apache-2.0
// Sizes up to 2^63 - 1 in every place that takes a number: refused by the right kind, or computed by checked
// arithmetic.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>

#include "tests/capi/support.h"

using namespace capi;

namespace {

constexpr int64_t kHuge[] = {(int64_t{1} << 31) - 1, int64_t{1} << 31, int64_t{1} << 32, int64_t{1} << 34,
                             int64_t{1} << 35,       int64_t{1} << 53, int64_t{1} << 61, int64_t{1} << 62,
                             INT64_MAX - 1,          INT64_MAX};

// A shape without memory behind it.
ctconv_tensor shape_only(Shape&&) = delete;
ctconv_tensor shape_only(const Shape& shape, Dtype type = Dtype::kF32) {
  const auto e = ctconv::element_type(type);
  return {nullptr,      CTCONV_DEVICE_CPU, 0, static_cast<int32_t>(shape.size()), e.code, e.bits, e.lanes,
          shape.data(), nullptr,           0};
}

// The whole of a call up to the plan: any status of kind 1 to 5, or success; and quick.
void judged(const Desc& desc, const Shape& x_shape) {
  const auto start = std::chrono::steady_clock::now();
  Error error;
  ctconv_op* made = nullptr;
  const ctconv_status created = ctconv_create(desc.get(), nullptr, nullptr, default_options(), &made, &error);
  if (created != CTCONV_OK) {
    CHECK(created / 1000 <= 3);
    return refused(created, error, created);
  }
  Op op(made);
  ctconv_spec spec;
  const ctconv_tensor x = shape_only(x_shape);
  const ctconv_status weight = ctconv_desc_weight_spec(desc.get(), &x, &spec, nullptr, &error);
  if (weight != CTCONV_OK) refused(weight, error, weight);
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x;
  const ctconv_status shaped = ctconv_output_spec(made, &call, &spec, &error);
  if (shaped != CTCONV_OK) refused(shaped, error, shaped);
  size_t bytes = 0;
  const ctconv_status prepared = ctconv_prepare(made, &call, &bytes, &error);
  INFO(error.text());
  if (prepared != CTCONV_OK) refused(prepared, error, prepared);
  CHECK((prepared == CTCONV_OK || prepared == shaped || prepared == CTCONV_ERR_NO_MEMORY));
  if (shaped == CTCONV_ERR_SHAPE_OUTPUT_OVERFLOW)
    CHECK(prepared == CTCONV_ERR_SHAPE_OUTPUT_OVERFLOW);  // never NO_MEMORY
  const ctconv_status described = ctconv_describe(made, &call, nullptr, 0, &bytes, &error);
  CHECK(described == prepared);
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 2);
}

Desc torch() {
  Desc desc("torch.nn.ConvTranspose2d");
  desc.set("in_channels", 2).set("out_channels", 2).set("kernel_size", 3);
  return desc;
}
Desc canonical() {
  Desc desc("ctconv");
  desc.set("in_channels", 2).set("out_channels", 2).set("kernel_size", Shape{3, 3});
  return desc;
}

}  // namespace

TEST_CASE("huge: in every argument of two dialects", "[capi][huge]") {
  for (int64_t huge : kHuge) {
    for (const char* name :
         {"in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "groups", "dilation"}) {
      INFO("torch " << name << " = " << huge);
      Desc desc = torch();
      desc.set(name, huge);
      judged(desc, {2, 2, 5, 6});
    }
    for (const char* name : {"in_channels", "out_channels", "groups", "stride", "dilation", "pad_begin", "pad_end",
                             "output_padding", "zero_tail"}) {
      INFO("ctconv " << name << " = " << huge);
      Desc desc = canonical();
      desc.set(name, huge);
      judged(desc, {2, 2, 5, 6});
    }
    for (const Shape& kernel : {Shape{huge, 1}, Shape{3, huge}, Shape{huge, huge}}) {
      INFO("ctconv kernel " << kernel[0] << " x " << kernel[1]);
      Desc desc = canonical();
      desc.set("kernel_size", kernel);
      judged(desc, {2, 2, 5, 6});
    }
  }
}

TEST_CASE("huge: pairs of arguments that meet in a product or a difference", "[capi][huge]") {
  const char* names[] = {"stride", "dilation", "pad_begin", "pad_end", "output_padding", "zero_tail"};
  for (int64_t a : {int64_t{1} << 31, int64_t{1} << 62, INT64_MAX}) {
    for (int64_t b : {int64_t{1} << 31, int64_t{1} << 62, INT64_MAX}) {
      for (const char* first : names) {
        for (const char* second : names) {
          if (first == second) continue;
          INFO(first << " = " << a << ", " << second << " = " << b);
          Desc desc = canonical();
          desc.set(first, a).set(second, b);
          judged(desc, {2, 2, 5, 6});
        }
      }
    }
  }
}

TEST_CASE("huge: in every extent of x", "[capi][huge]") {
  for (int64_t huge : kHuge) {
    for (size_t axis = 0; axis < 4; ++axis) {
      Shape shape = {2, 2, 5, 6};
      shape[axis] = huge;
      INFO("axis " << axis << " = " << huge);
      judged(torch(), shape);
      judged(canonical(), shape);
    }
    judged(canonical(), {huge, 2, huge, 5});
    Desc deep("torch.nn.ConvTranspose3d");
    deep.set("in_channels", 2).set("out_channels", 2).set("kernel_size", Shape{3, 2, 3});
    judged(deep, {1, 2, huge, 3, 5});
    judged(canonical(), {0, 2, huge, huge});
  }
}

TEST_CASE("huge: an extent that does not fit is SHAPE_OUTPUT_OVERFLOW", "[capi][huge]") {
  const auto overflows = [](const Desc& desc, const Shape& x_shape) {
    Op op = create(desc, nullptr, nullptr);
    const ctconv_tensor x = shape_only(x_shape);
    ctconv_call call = CTCONV_CALL_INIT;
    call.x = &x;
    ctconv_spec spec;
    Error error;
    refused(ctconv_output_spec(op.get(), &call, &spec, &error), error, CTCONV_ERR_SHAPE_OUTPUT_OVERFLOW);
    CHECK(spec.ndim == 0);
  };
  Desc stride = torch();
  stride.set("stride", INT64_MAX);
  overflows(stride, {1, 2, 3, 3});
  Desc dilation = torch();
  dilation.set("dilation", INT64_MAX);
  overflows(dilation, {1, 2, 3, 3});
  overflows(torch(), {1, 2, INT64_MAX, 3});
  overflows(torch(), {int64_t{1} << 40, 2, int64_t{1} << 20, 1});  // 2^61 elements of y and more, 4 bytes each
  overflows(torch(), {0, 2, int64_t{1} << 40, int64_t{1} << 40});  // no image, but the extents still multiply
}

// The weight alone tells how many channels there are: those of one group.
TEST_CASE("huge: channels of all groups", "[capi][huge]") {
  Desc desc("paddle.nn.functional.conv3d_transpose");
  desc.set("groups", 2);
  Op op = create(desc, nullptr, nullptr);
  const Shape x_shape = {1, 4, 3, 3, 3};
  const ctconv_tensor x = shape_only(x_shape);
  for (const int64_t channels : {int64_t{1} << 60, int64_t{1} << 62, INT64_MAX - 1, INT64_MAX}) {
    const Shape w_shape = {4, channels, 1, 1, 1};
    const ctconv_tensor w = shape_only(w_shape);
    ctconv_call call = CTCONV_CALL_INIT;
    call.x = &x;
    call.weight = &w;
    ctconv_spec spec;
    Error error;
    refused(ctconv_output_spec(op.get(), &call, &spec, &error), error, CTCONV_ERR_SHAPE_OUTPUT_OVERFLOW);
  }
}

TEST_CASE("huge: in the call's output_size", "[capi][huge]") {
  Desc desc = torch();
  Op op = create(desc, nullptr, nullptr);
  const Shape x_shape = {1, 2, 4, 4};
  const ctconv_tensor x = shape_only(x_shape);
  for (int64_t huge : {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{1} << 62, INT64_MAX}) {
    ctconv_value items[2] = {}, size = {};
    items[0].tag = items[1].tag = CTCONV_VALUE_INT;
    items[0].i = huge;
    items[1].i = 6;
    size.tag = CTCONV_VALUE_TUPLE;
    size.i = 2;
    size.items = items;
    ctconv_call call = CTCONV_CALL_INIT;
    call.x = &x;
    call.output_size = &size;
    ctconv_spec spec;
    Error error;
    const ctconv_status got = ctconv_output_spec(op.get(), &call, &spec, &error);
    CHECK((got == CTCONV_ERR_VALUE_OUTPUT_SIZE_RANGE || got == CTCONV_ERR_SHAPE_OUTPUT_OVERFLOW));
    refused(got, error, got);
  }
}

TEST_CASE("huge: strides that leave 63 bits, in x, weight and y", "[capi][huge]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  Op op = create(desc, &w, nullptr), late = create(desc, nullptr, nullptr);
  Error error;
  for (int64_t step : {int64_t{1} << 62, INT64_MAX, INT64_MIN, INT64_MIN + 1}) {
    for (size_t axis = 0; axis < 4; ++axis) {
      ctconv_tensor bad = *y.get();
      Shape strides = y.strides();
      strides[axis] = step;
      bad.strides = strides.data();
      ctconv_call call = call_of(&x, &y);
      call.y = &bad;
      refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_MISUSE_TENSOR, "y");
      bad = *x.get();
      strides = x.strides();
      strides[axis] = step;
      bad.strides = strides.data();
      call = call_of(&x, &y);
      call.x = &bad;
      refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_MISUSE_TENSOR, "x");
      bad = *w.get();
      strides = w.strides();
      strides[axis] = step;
      bad.strides = strides.data();
      call = call_of(&x, &y);
      call.weight = &bad;
      refused(ctconv_execute(late.get(), &call, &error), error, CTCONV_ERR_MISUSE_TENSOR, "weight");
      ctconv_op* made = nullptr;
      refused(ctconv_create(desc.get(), &bad, nullptr, default_options(), &made, &error), error,
              CTCONV_ERR_MISUSE_TENSOR, "weight");
    }
  }
  CHECK(y.untouched());
}

TEST_CASE("huge: a stride of an axis of one element means nothing", "[capi][huge]") {
  Conv conv;
  conv.n = 1;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  for (const char* engine : test_device().engines) {
    ctconv_options options = options_init();
    options.engine = engine;
    ctconv_op* made = nullptr;
    if (ctconv_create(desc.get(), w.get(), nullptr, &options, &made, nullptr) != CTCONV_OK) continue;
    Op op(made);
    for (int64_t step : {int64_t{0}, int64_t{-7}, INT64_MAX, INT64_MIN}) {
      ctconv_tensor xv = *x.get(), yv = *y.get();
      Shape xs = x.strides(), ys = y.strides();
      xs[0] = ys[0] = step;
      xv.strides = xs.data();
      yv.strides = ys.data();
      ctconv_call call = call_of(&x, &y);
      call.x = &xv;
      call.y = &yv;
      INFO(engine << ", stride " << step);
      y.constant(0);
      run(op, call);
      CHECK(y.values() == conv.scatter(x, w, nullptr));
    }
  }
}

namespace {

// More than any plan holds: shapes alone never cost memory in proportion to channels times phases.
constexpr size_t kPlanBytes = size_t{160} << 20;
constexpr rlim_t kSeconds = 60;  // of the child's processor: far more than it needs, so that it ends

// The child's exit status, or the signal that ended it; its address space grows by no more than a plan.
std::string in_child(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    long pages = 0;
    if (FILE* statm = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(statm, "%ld", &pages) != 1) pages = 0;
      std::fclose(statm);
    }
    const rlim_t space = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + kPlanBytes;
    const rlimit memory = {space, space}, time = {kSeconds, kSeconds};
    setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_CPU, &time);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit " + std::to_string(WEXITSTATUS(status));
}

// `auto` asks an engine that generates code over the taps, and whose domain has tests of its own.
constexpr int64_t kGenerated = 256;

// Prepares shapes without memory behind them by every engine: 0, or 1 where memory or the program ran out.
int prepared(const Desc& desc, int64_t kernel, const Shape& x_shape, int32_t threads, int64_t* planned) {
  for (const char* engine : test_device().exact_engines) {
    if (kernel > kGenerated && std::string(engine) == "auto") continue;
    ctconv_options options = options_init();
    options.engine = engine;
    options.threads = threads;
    ctconv_op* made = nullptr;
    if (ctconv_create(desc.get(), nullptr, nullptr, &options, &made, nullptr) != CTCONV_OK) return 0;
    Op op(made);
    const ctconv_tensor x = shape_only(x_shape);
    ctconv_call call = CTCONV_CALL_INIT;
    call.x = &x;
    size_t bytes = 0;
    const ctconv_status status = ctconv_prepare(made, &call, &bytes, nullptr);
    if (status == CTCONV_ERR_NO_MEMORY || status == CTCONV_ERR_INTERNAL) return 1;
    *planned += status == CTCONV_OK;
  }
  return 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimited = false;  // a sanitizer's own memory has no bounds
#else
constexpr bool kLimited = true;
#endif

}  // namespace

TEST_CASE("huge: channels times phases cost a plan no memory", "[capi][huge][cpu]") {
  if (!kLimited) SKIP("address space cannot be limited under a sanitizer");
  struct Layer {
    int64_t ci, co, groups, k, s, d;
    Shape x;
  };
  const int64_t many = int64_t{1} << 24;
  const std::vector<Layer> layers = {
      {1, many, 1, 256, 256, 1, {1, 1, 1, 1}},
      {1, many, 1, 256, 256, 1, {1, 1, 5, 5}},
      {1, many, 1, 1, 65536, 1, {1, 1, 3}},
      {64, 1 << 20, 1, 65536, 65536, 1, {1, 64, 3}},
      {many, many, many, 256, 256, 1, {1, many, 2, 2}},
      {1, 1, 1, 65536, 65536, 65537, {1, 1, 3}},
      {1, 1 << 20, 1, 256, 255, 254, {1, 1, 9, 9}},
      {1, 4096, 1, 40, 40, 1, {1, 1, 1, 1, 1}},
      {1, 1, 1, 1 << 22, 1, 1, {1, 1, 1 << 22}},
      {1, 1, 1, 1 << 24, 1 << 12, 1, {1, 1, 1 << 14}},
      {many, 1, 1, 16, 16, 1, {1, many, 2, 2}},
      {4098, 1, 1, 4096, 1024, 1, {1, 4098, 340}},
  };
  for (const Layer& l : layers) {
    for (const char* order : {"channels_first", "channels_last"}) {
      INFO("channels " << l.ci << " to " << l.co << ", groups " << l.groups << ", kernel " << l.k << ", stride " << l.s
                       << ", dilation " << l.d << ", " << order);
      Shape x = l.x;
      if (std::string(order) == "channels_last") {
        x.erase(x.begin() + 1);
        x.push_back(l.ci);
      }
      const auto all = [&](int64_t v) { return Shape(x.size() - 2, v); };
      Desc desc("ctconv");
      desc.set("in_channels", l.ci).set("out_channels", l.co).set("groups", l.groups).set("kernel_size", all(l.k));
      desc.set("stride", all(l.s)).set("dilation", all(l.d)).set("data_format", order);
      CHECK(in_child([&] {
              int64_t planned = 0;
              const int ran_out = prepared(desc, l.k, x, 2, &planned);
              return ran_out != 0 ? ran_out : planned < 1 ? 2 : 0;  // native may refuse
            }) == "exit 0");
    }
  }
}

TEST_CASE("huge: random shapes cost a plan no memory", "[capi][huge][cpu]") {
  if (!kLimited) SKIP("address space cannot be limited under a sanitizer");
  const uint64_t seed = test_seed();
  INFO("seed " << seed);
  CHECK(in_child([&] {
          std::mt19937_64 rng(seed);
          int64_t planned = 0;
          for (int round = 0; round < 1500; ++round) {
            const auto upto = [&](int bits) {
              return static_cast<int64_t>(std::exp2(std::uniform_real_distribution<double>(0, bits)(rng)));
            };
            const size_t rank = static_cast<size_t>(pick(rng, 1, 3));
            const int channels = static_cast<int>(pick(rng, 1, 25)), extents = static_cast<int>(pick(rng, 1, 24));
            const int kernels = static_cast<int>(pick(rng, 1, 20 / static_cast<int64_t>(rank)));
            const int64_t groups = pick(rng, 0, 2) == 0 ? upto(channels) : 1;
            const int64_t ci = groups * upto(groups > 1 ? 3 : channels), co = groups * upto(groups > 1 ? 3 : channels);
            Shape k, s, d, lo, x = {upto(pick(rng, 0, 3) == 0 ? 20 : 1)};
            for (size_t a = 0; a < rank; ++a) {
              k.push_back(upto(kernels));
              s.push_back(pick(rng, 0, 2) == 0 ? k[a] : upto(kernels));
              d.push_back(pick(rng, 0, 2) == 0 ? upto(kernels) : 1);
              lo.push_back(pick(rng, 0, 1) ? 0 : upto(kernels) - 1);
              x.push_back(upto(extents));
            }
            const bool last = pick(rng, 0, 1) == 1;
            x.insert(last ? x.end() : x.begin() + 1, ci);
            Desc desc("ctconv");
            desc.set("in_channels", ci).set("out_channels", co).set("groups", groups).set("kernel_size", k);
            desc.set("stride", s).set("dilation", d).set("pad_begin", lo);
            desc.set("data_format", last ? "channels_last" : "channels_first");
            if (prepared(desc, kGenerated + 1, x, static_cast<int32_t>(pick(rng, 1, 4)), &planned) != 0) {
              std::fprintf(stderr, "round %d: %ld channels to %ld, groups %ld\n", round, ci, co, groups);
              return 1;
            }
          }
          return planned > 500 ? 0 : 2;
        }) == "exit 0");
}
