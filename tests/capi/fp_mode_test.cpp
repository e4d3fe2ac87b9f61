// SPDX-License-Identifier: Apache-2.0
// The caller's floating-point environment decides nothing: the same bytes in every mode, which is the caller's again.
//
//   Modes: the roundings, flush to zero with denormals are zero, every exception unmasked (a trap ends the test), one
//   of them pending on the x87: it traps at that unit's next instruction, which must not be ours.
#include <atomic>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <thread>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "tests/capi/support.h"

using namespace capi;

namespace {

// What the processor does with floating-point numbers, and the x87's sticky flags; those of SSE are left out.
uint64_t control() {
#if defined(__x86_64__)
  uint16_t x87, flags;
  asm volatile("fnstcw %0" : "=m"(x87));
  asm volatile("fnstsw %0" : "=m"(flags));
  return (uint64_t{x87} << 32) | (uint64_t{flags & 0x3fu} << 48) | (_mm_getcsr() & ~0x3fu);
#elif defined(__aarch64__)
  uint64_t fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
#else
  return static_cast<uint64_t>(std::fegetround());
#endif
}

void flush_to_zero() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040u);
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(uint64_t{1} << 24));
#endif
}

struct Mode {
  const char* name;
  void (*enter)();
};
const Mode kModes[] = {
    {"flush to zero", flush_to_zero},
    {"upwards", [] { std::fesetround(FE_UPWARD); }},
    {"downwards", [] { std::fesetround(FE_DOWNWARD); }},
    {"towards zero", [] { std::fesetround(FE_TOWARDZERO); }},
    {"exceptions unmasked",
     [] {
       feclearexcept(FE_ALL_EXCEPT);
       feenableexcept(FE_ALL_EXCEPT);
     }},
    {"exceptions unmasked, one pending",
     [] {
       volatile long double third = 1;
       third = third / 3;  // inexact
       feenableexcept(FE_ALL_EXCEPT);
     }},
    {"towards zero, flush to zero, unmasked",
     [] {
       std::fesetround(FE_TOWARDZERO);
       flush_to_zero();
       feenableexcept(FE_DIVBYZERO | FE_INVALID);
     }},
};

// Runs `body` in a mode; true where the mode is still the same behind it.
bool inside(const Mode& mode, const std::function<void()>& body) {
  std::fenv_t before;
  std::fegetenv(&before);
  mode.enter();
  const uint64_t set = control();
  body();
  const bool kept = control() == set;
  std::fesetenv(&before);
  return kept;
}

// Threads that have a mode of their own, as a host's or another library's have.
struct Threads {
  int32_t workers;
  void (*enter)();
  std::atomic<int64_t> changed{0};  // tasks that left another mode behind
};
void threaded(void* user, int64_t count, void (*task)(void*, int64_t, int32_t), void* data) {
  auto& t = *static_cast<Threads*>(user);
  std::atomic<int64_t> next{0};
  std::vector<std::thread> threads;
  for (int32_t worker = 0; worker < t.workers; ++worker) {
    threads.emplace_back([&, worker] {
      t.enter();
      const uint64_t set = control();
      for (int64_t i; (i = next.fetch_add(1)) < count;) {
        task(data, i, worker);
        if (control() != set) t.changed.fetch_add(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

// Sums near the smallest number of the type, and sums of any reals.
struct Fixture {
  Conv conv;
  Tensor x, w, b, y;
  static Conv sized(bool last) {
    Conv c;
    c.n = 2;
    c.ci = 8;
    c.co = 12;
    c.in = {9, 16};
    c.last = last;
    return c;
  }
  Fixture(Dtype type, bool tiny, bool last)
      : conv(sized(last)),
        x(conv.x_shape(), type),
        w(conv.w_shape(), type),
        b({conv.co}, type),
        y(conv.y_shape(), type) {
    x.reals(1);
    w.reals(2);
    b.reals(3);
    if (!tiny) return;
    const double small = type == Dtype::kF64 ? 0x1p-1040 : type == Dtype::kF16 ? 0x1p-20 : 0x1p-130;
    for (Tensor* t : {&x, &b}) {
      const int64_t count = static_cast<int64_t>(t->values().size());
      for (int64_t i = 0; i < count; ++i) store(t->data(), type, i, load(t->data(), type, i) * small);
    }
  }
  // All of a layer's life: descriptor, weights packed, one execute.
  std::vector<unsigned char> life(const ctconv_options& options, bool per_call) {
    y.constant(0);
    Desc desc = conv.desc();
    Op op(nullptr);
    ctconv_op* made = nullptr;
    status =
        ctconv_create(desc.get(), per_call ? nullptr : w.get(), per_call ? nullptr : b.get(), &options, &made, nullptr);
    op = Op(made);
    ctconv_call call = call_of(&x, &y, per_call ? &w : nullptr, per_call ? &b : nullptr);
    if (status == CTCONV_OK) status = ctconv_execute(op.get(), &call, nullptr);
    return y.bits();
  }
  ctconv_status status = CTCONV_OK;
};

}  // namespace

TEST_CASE("fp mode: the caller's decides no bit, and is unchanged afterwards", "[capi][fp]") {
  for (Dtype type : {Dtype::kF32, Dtype::kF64, Dtype::kF16, Dtype::kBf16}) {
    for (const char* engine : {"auto", "native", "reference", "onednn"}) {
      for (int choice = 0; choice < 16; ++choice) {
        const bool tiny = choice & 1, last = choice & 2, per_call = choice & 4;
        Fixture f(type, tiny, last);
        ctconv_options options = CTCONV_OPTIONS_INIT;
        options.engine = engine;
        options.threads = choice & 8 ? 2 : 1;
        options.reproducible = std::string(engine) == "auto" && per_call;
        options.activation = tiny ? CTCONV_ACTIVATION_NONE : CTCONV_ACTIVATION_TANH;
        const auto want = f.life(options, per_call);
        if (f.status == CTCONV_ERR_UNSUPPORTED_ENGINE) continue;
        REQUIRE(f.status == CTCONV_OK);
        for (const Mode& mode : kModes) {
          INFO(ctconv::name_of(type) << ", " << engine << ", choice " << choice << ", " << mode.name);
          std::vector<unsigned char> got;
          const bool kept = inside(mode, [&] { got = f.life(options, per_call); });
          CHECK(f.status == CTCONV_OK);
          CHECK(kept);
          size_t differ = 0;
          for (size_t i = 0; i < want.size(); ++i) differ += got[i] != want[i];
          CHECK(differ == 0);
        }
      }
    }
  }
}

TEST_CASE("fp mode: that of a runner's threads decides no bit either", "[capi][fp]") {
  for (Dtype type : {Dtype::kF32, Dtype::kF64, Dtype::kF16}) {
    for (bool tiny : {false, true}) {
      Fixture f(type, tiny, false);
      for (const char* engine : {"native", "reference"}) {
        ctconv_options options = CTCONV_OPTIONS_INIT;
        options.engine = engine;
        options.threads = 1;
        const auto want = f.life(options, false);
        for (int32_t limit : {0, 2}) {
          for (const Mode& mode : kModes) {
            INFO(ctconv::name_of(type) << ", " << engine << ", at most " << limit << " threads, " << mode.name);
            Threads threads{3, mode.enter};
            ctconv_runner runner = CTCONV_RUNNER_INIT;
            runner.parallel_for = threaded;
            runner.user = &threads;
            runner.workers = threads.workers;
            options.runner = &runner;
            options.threads = limit;
            CHECK(f.life(options, false) == want);
            CHECK(threads.changed == 0);
          }
        }
        options.runner = nullptr;
      }
    }
  }
}

TEST_CASE("fp mode: hooks see the caller's", "[capi][fp]") {
  struct Seen {
    std::atomic<int64_t> calls{0}, other{0};
    uint64_t mode = 0;
    void look() {
      ++calls;
      other += control() != mode;
    }
  };
  for (const Mode& mode : kModes) {
    INFO(mode.name);
    Seen seen;
    ctconv_runner runner = CTCONV_RUNNER_INIT;
    runner.user = &seen;
    runner.workers = 2;
    runner.parallel_for = [](void* user, int64_t count, void (*task)(void*, int64_t, int32_t), void* data) {
      static_cast<Seen*>(user)->look();
      for (int64_t i = 0; i < count; ++i) task(data, i, 0);
      static_cast<Seen*>(user)->look();
    };
    ctconv_allocator allocator = CTCONV_ALLOCATOR_INIT;
    allocator.user = &seen;
    allocator.alloc = [](void* user, size_t bytes, size_t alignment) {
      static_cast<Seen*>(user)->look();
      return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    };
    allocator.release = [](void* user, void* p, size_t, size_t) {
      static_cast<Seen*>(user)->look();
      std::free(p);
    };
    ctconv_options options = CTCONV_OPTIONS_INIT;
    options.engine = "native";
    options.runner = &runner;
    options.allocator = &allocator;
    Fixture f(Dtype::kF32, false, false);
    CHECK(inside(mode, [&] {
      seen.mode = control();
      f.life(options, true);
    }));
    CHECK(f.status == CTCONV_OK);
    CHECK(seen.calls > 2);
    CHECK(seen.other == 0);
  }
}

TEST_CASE("fp mode: initialisers, texts and descriptions are the same", "[capi][fp]") {
  const auto all = [] {
    std::string out;
    for (const char* dialect :
         {"torch.nn.ConvTranspose2d", "mindspore.nn.Conv2dTranspose", "keras.layers.Conv2DTranspose"}) {
      Desc desc(dialect);
      if (std::string(dialect).starts_with("keras")) {
        desc.set("filters", 6).set("kernel_size", 3);
      } else {
        desc.set("in_channels", 4).set("out_channels", 6).set("kernel_size", 3);
      }
      ctconv_spec weight, bias;
      const int64_t x_shape[] = {1, 4, 4, 4};
      const auto e = ctconv::element_type(Dtype::kF32);
      const ctconv_tensor x = {nullptr, CTCONV_DEVICE_CPU, 0, 4, e.code, e.bits, e.lanes, x_shape, nullptr, 0};
      if (ctconv_desc_weight_spec(desc.get(), &x, &weight, &bias, nullptr) != CTCONV_OK) continue;
      Tensor w(Shape(weight.shape, weight.shape + weight.ndim)), b({6});
      out += std::to_string(ctconv_init_weight(desc.get(), 7, w.get(), nullptr));
      out += std::to_string(ctconv_init_bias(desc.get(), 7, b.get(), nullptr));
      for (Tensor* t : {&w, &b}) {
        for (unsigned char c : t->bits()) out += static_cast<char>(c);
      }
    }
    Conv conv;
    Desc desc = conv.desc();
    Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
    ctconv_options options = CTCONV_OPTIONS_INIT;
    options.threads = 1;
    options.activation = CTCONV_ACTIVATION_LEAKY_RELU;
    options.activation_alpha = 0.1;
    ctconv_op* made = nullptr;
    out += std::to_string(ctconv_create(desc.get(), w.get(), nullptr, &options, &made, nullptr));
    Op op(made);
    const ctconv_call call = call_of(&x, &y);
    char text[8192] = "";
    size_t size = 0;
    ctconv_describe(op.get(), &call, text, sizeof text, &size, nullptr);
    out += text;
    Error error;
    Desc wrong("torch.nn.ConvTranspose2d");
    wrong.set("in_channels", 4).set("out_channels", 6).set("kernel_size", 3).set("stride", 0.1);
    ctconv_desc_validate(wrong.get(), &error);
    return out + error.value + error.message;
  };
  const std::string want = all();
  CHECK(want.size() > 2000);
  for (const Mode& mode : kModes) {
    INFO(mode.name);
    std::string got;
    CHECK(inside(mode, [&] { got = all(); }));
    CHECK(got == want);
  }
}
