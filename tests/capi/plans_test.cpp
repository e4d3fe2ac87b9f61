// SPDX-License-Identifier: Apache-2.0
// Plans and workspaces: any address, too small, none, limits; plans held, counted and evicted; describe.
#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "tests/capi/support.h"

using namespace capi;

namespace {

size_t prepared(const Op& op, const ctconv_call& call) {
  Error error;
  size_t bytes = SIZE_MAX;
  const ctconv_status status = ctconv_prepare(op.get(), &call, &bytes, &error);
  INFO(error.text());
  REQUIRE(status == CTCONV_OK);
  return bytes;
}

struct Fixture {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x{conv.x_shape()}, w{conv.w_shape()}, b{{conv.co}}, y{conv.y_shape()};
  Fixture() {
    x.integers(1);
    w.integers(2);
    b.integers(3);
  }
};

}  // namespace

TEST_CASE("workspace: any address will do, nothing beyond it is written", "[capi][workspace]") {
  Fixture f;
  for (const char* engine : test_device().engines) {
    for (int per_call : {0, 1}) {
      ctconv_options options = options_init();
      options.engine = engine;
      ctconv_op* made = nullptr;
      if (ctconv_create(f.desc.get(), per_call ? nullptr : f.w.get(), per_call ? nullptr : f.b.get(), &options, &made,
                        nullptr) != CTCONV_OK)
        continue;
      Op op(made);
      ctconv_call call = call_of(&f.x, &f.y, per_call ? &f.w : nullptr, per_call ? &f.b : nullptr);
      const size_t bytes = prepared(op, call);
      INFO(engine << ", " << bytes << " bytes, weight " << (per_call ? "per call" : "at create"));
      for (size_t offset = 0; offset < 64; ++offset) {
        std::vector<unsigned char> memory(bytes + 128, 0xC3);
        call.workspace = memory.data() + offset;
        call.workspace_bytes = bytes;
        Tensor y(f.conv.y_shape());
        call.y = y.get();
        run(op, call);
        REQUIRE(y.values() == f.conv.scatter(f.x, f.w, &f.b));
        for (size_t n = 0; n < memory.size(); ++n) {
          if (n < offset || n >= offset + bytes) REQUIRE(memory[n] == 0xC3);
        }
      }
      if (bytes > 0) {
        Error error;
        Tensor y(f.conv.y_shape());
        std::vector<unsigned char> memory(bytes);
        call.workspace = memory.data();
        call.workspace_bytes = bytes - 1;
        call.y = y.get();
        refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_WORKSPACE_SIZE, "workspace_bytes");
        CHECK(std::string(error.range).find(std::to_string(bytes)) != std::string::npos);
        CHECK(y.untouched());
        call.workspace_bytes = 0;
        refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_WORKSPACE_SIZE, "workspace_bytes");
      }
    }
  }
}

TEST_CASE("workspace: a limit holds for every plan, 1 byte asks for none", "[capi][workspace]") {
  const uint64_t seed = test_seed();
  INFO("seed " << seed);
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 40; ++round) {
    const Conv conv = random_conv(rng);
    Desc desc = conv.desc();
    Tensor x(conv.x_shape()), w(conv.w_shape());
    x.integers(1);
    w.integers(2);
    for (size_t limit : {size_t{1}, size_t{4096}, size_t{65536}}) {
      ctconv_options options = options_init();
      options.workspace_limit = limit;
      Op op = create(desc, &w, nullptr, &options);
      Tensor y(conv.y_shape());
      ctconv_call call = call_of(&x, &y);
      const size_t bytes = prepared(op, call);
      CHECK(bytes <= limit);
      if (limit == 1) CHECK(bytes == 0);
      std::vector<unsigned char> memory(limit);
      call.workspace = memory.data();
      call.workspace_bytes = limit;
      run(op, call);
      REQUIRE(y.values() == conv.scatter(x, w, nullptr));
    }
  }
}

TEST_CASE("workspace: a forced engine that needs more than the limit refuses, with the number",
          "[capi][workspace][cpu]") {
  Conv conv;
  conv.in = {40, 40};
  Fixture f;
  ctconv_options options = options_init();
  options.engine = "native";
  Tensor x(conv.x_shape()), y(conv.y_shape());
  x.integers(1);
  ctconv_call call = call_of(&x, &y);
  if (prepared(create(f.desc, &f.w, nullptr, &options), call) == 0) SKIP("this kernel needs no workspace");
  options.workspace_limit = 1;
  Op op = create(f.desc, &f.w, nullptr, &options);
  Error error;
  size_t bytes = 5;
  refused(ctconv_prepare(op.get(), &call, &bytes, &error), error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
  CHECK(bytes == 0);
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_UNSUPPORTED_ENGINE, "engine");
  CHECK(y.untouched());
}

TEST_CASE("plans: prepare and execute share them, an absent y counts as dense", "[capi][plans]") {
  Fixture f;
  Op op = create(f.desc, &f.w, &f.b);
  ctconv_call call = call_of(&f.x, nullptr);
  ctconv_tensor shape_only = *f.x.get();
  shape_only.data = nullptr;
  call.x = &shape_only;
  CHECK(value_of(describe(op, nullptr), "plans") == "0");
  prepared(op, call);
  CHECK(value_of(describe(op, nullptr), "plans") == "1");
  run(op, call_of(&f.x, &f.y));
  CHECK(value_of(describe(op, nullptr), "plans") == "1");
  // An absent weight counts as weight_spec's.
  Op late = create(f.desc, nullptr, nullptr);
  prepared(late, call);
  run(late, call_of(&f.x, &f.y, &f.w));
  CHECK(value_of(describe(late, nullptr), "plans") == "1");
  run(late, call_of(&f.x, &f.y, &f.w, &f.b));
  CHECK(value_of(describe(late, nullptr), "plans") == "2");
}

TEST_CASE("plans: at most plan_limit are held, the least recently used goes, every answer stays right",
          "[capi][plans]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor w(conv.w_shape());
  w.integers(2);
  ctconv_options options = options_init();
  for (int32_t limit : {1, 2, 3}) {
    options.plan_limit = limit;
    Op op = create(desc, &w, nullptr, &options);
    for (int round = 0; round < 3; ++round) {
      for (int64_t width = 3; width < 9; ++width) {
        conv.in = {4, width};
        Tensor x(conv.x_shape()), y(conv.y_shape());
        x.integers(static_cast<uint64_t>(width));
        run(op, call_of(&x, &y));
        REQUIRE(y.values() == conv.scatter(x, w, nullptr));
        CHECK(std::stoi(value_of(describe(op, nullptr), "plans")) <= limit);
      }
    }
    CHECK(value_of(describe(op, nullptr), "plan_limit") == std::to_string(limit));
  }
}

TEST_CASE("plans: one shape under many strides of x and y; each is a plan of its own, the oldest goes",
          "[capi][plans]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor w(conv.w_shape()), b({conv.co});
  w.integers(4);
  b.integers(5);
  const Shape xs = conv.x_shape(), ys = conv.y_shape();
  // Gaps after each axis, channels innermost or not, every axis of x backwards or broadcast: the extents never change.
  const auto gapped = [](const Shape& shape, int64_t gap, bool last) {
    Shape strides(4);
    int64_t step = 1 + gap;
    for (const size_t axis : last ? std::array<size_t, 4>{1, 3, 2, 0} : std::array<size_t, 4>{3, 2, 1, 0}) {
      strides[axis] = step;
      step = step * shape[axis] + gap;
    }
    return strides;
  };
  std::vector<std::pair<Shape, Shape>> views;
  for (int64_t gap = 0; gap < 3; ++gap) {
    for (const bool x_last : {false, true}) {
      for (const bool y_last : {false, true}) views.emplace_back(gapped(xs, gap, x_last), gapped(ys, 2 - gap, y_last));
    }
  }
  for (size_t axis = 0; axis < 4; ++axis) {
    for (const int64_t factor : {-1, 0}) {
      Shape strides = gapped(xs, 0, false);
      strides[axis] *= factor;
      views.emplace_back(strides, gapped(ys, 0, false));
    }
  }
  ctconv_options options = options_init();
  for (const int32_t limit : {1, 3, 8}) {
    options.plan_limit = limit;
    Op op = create(desc, &w, &b, &options);
    for (int round = 0; round < 3; ++round) {
      for (size_t at = 0; at < views.size(); ++at) {
        // Every other round backwards, and some view again at once: hits and misses in turn.
        const auto& [x_strides, y_strides] = views[round % 2 ? views.size() - 1 - at : at];
        Tensor x(xs, x_strides), y(ys, y_strides);
        x.integers(at);
        for (int again = 0; again < 2; ++again) {
          run(op, call_of(&x, &y));
          REQUIRE(y.values() == conv.scatter(x, w, &b));
          REQUIRE(y.guarded());
        }
        REQUIRE(std::stoi(value_of(describe(op, nullptr), "plans")) <= limit);
      }
    }
    CHECK(value_of(describe(op, nullptr), "plans") == std::to_string(limit));
  }
}

TEST_CASE("plans: eight threads, one op, different shapes; plans come and go while they run",
          "[capi][plans][threads]") {
  for (int32_t limit : {1, 32}) {
    Conv base;
    Desc desc = base.desc();
    Tensor w(base.w_shape()), b({base.co});
    w.integers(2);
    b.integers(3);
    ctconv_options options = options_init();
    options.plan_limit = limit;
    options.threads = 2;
    Op op = create(desc, &w, &b, &options);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int round = 0; round < 25; ++round) {
          Conv conv = base;
          conv.in = {3 + (t + round) % 4, 5 + t % 3};
          Tensor x(conv.x_shape()), y(conv.y_shape());
          x.integers(static_cast<uint64_t>(t * 100 + round));
          const ctconv_call call = call_of(&x, &y);
          Error error;
          size_t bytes = 0;
          char text[256];
          if (ctconv_execute(op.get(), &call, &error) != CTCONV_OK || y.values() != conv.scatter(x, w, &b) ||
              !y.guarded())
            ++wrong;
          if (round % 5 == 0 && ctconv_prepare(op.get(), &call, &bytes, &error) != CTCONV_OK) ++wrong;
          if (round % 7 == 0 && ctconv_describe(op.get(), &call, text, sizeof text, nullptr, &error) != CTCONV_OK)
            ++wrong;
          if (round % 7 == 1 && ctconv_describe(op.get(), nullptr, text, sizeof text, nullptr, &error) != CTCONV_OK)
            ++wrong;
        }
      });
    }
    for (auto& t : threads) t.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("plans: threads that create, use and destroy ops of one descriptor", "[capi][plans][threads]") {
  Fixture f;
  const auto want = f.conv.scatter(f.x, f.w, &f.b);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        ctconv_op* op = nullptr;
        Tensor y(f.conv.y_shape());
        const ctconv_call call = call_of(&f.x, &y);
        if (ctconv_create(f.desc.get(), f.w.get(), f.b.get(), default_options(), &op, nullptr) != CTCONV_OK) ++wrong;
        if (ctconv_execute(op, &call, nullptr) != CTCONV_OK || y.values() != want) ++wrong;
        ctconv_destroy(op);
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("describe: the workspace an op holds between calls is told", "[capi][describe][workspace]") {
  Fixture f;
  const Op op = create(f.desc, &f.w, nullptr);
  Tensor y(f.conv.y_shape());
  const ctconv_call call = call_of(&f.x, &y);
  CHECK(value_of(describe(op, nullptr), "workspace_held_bytes") == "0");
  run(op, call);
  CHECK(std::stoull(value_of(describe(op, nullptr), "workspace_held_bytes")) == prepared(op, call));
}

TEST_CASE("describe: the keys, cut like snprintf", "[capi][describe]") {
  Fixture f;
  Op op = create(f.desc, &f.w, &f.b);
  ctconv_call call = call_of(&f.x, nullptr);
  const std::string whole = describe(op, &call);
  CHECK(whole.rfind("engine: ", 0) == 0);
  for (const char* key :
       {"form", "why", "problem", "flop", "bytes", "estimated_ms", "workspace_bytes", "packed_bytes", "bits"}) {
    CHECK_FALSE(value_of(whole, key).empty());
  }
  CHECK(std::stoull(value_of(whole, "workspace_bytes")) == prepared(op, call));
  CHECK(value_of(describe(op, nullptr), "dialect") == "ctconv");
  CHECK(value_of(describe(op, nullptr), "device") == (test_device().cpu() ? "cpu" : test_device().name));
  for (const char* key : {"threads", "runner", "cores", "cpu_quota"}) {  // of the host: no part in work on a device
    CHECK((describe(op, nullptr).find("\n" + std::string(key) + ": ") != std::string::npos) == test_device().cpu());
  }
  CHECK((whole.find("\nthreads: ") != std::string::npos) == test_device().cpu());
  CHECK(value_of(describe(op, nullptr), "mirrors") == "libctconv docs/semantics.md, section 1");
  for (const char* key : {"machine.source", "machine.hertz", "machine.fma", "machine.memory_all"}) {
    CHECK((describe(op, nullptr).find("\n" + std::string(key) + ": ") != std::string::npos) == test_device().cpu());
  }
  for (size_t cap : {size_t{0}, size_t{1}, size_t{2}, size_t{10}, whole.size(), whole.size() + 1, whole.size() + 50}) {
    std::vector<char> text(cap + 8, '?');
    size_t needed = 0;
    REQUIRE(ctconv_describe(op.get(), &call, cap ? text.data() : nullptr, cap, &needed, nullptr) == CTCONV_OK);
    CHECK(needed == whole.size() + 1);
    for (size_t n = cap; n < text.size(); ++n) CHECK(text[n] == '?');
    if (cap > 0) CHECK(std::string(text.data()) == whole.substr(0, cap - 1));
  }
  // A failure: nothing needed, an empty text.
  Error error;
  char text[4] = "abc";
  size_t needed = 9;
  call.x = nullptr;
  refused(ctconv_describe(op.get(), &call, text, sizeof text, &needed, &error), error, CTCONV_ERR_MISUSE_NULL,
          "call.x");
  CHECK(needed == 0);
  CHECK(text[0] == '\0');
}
