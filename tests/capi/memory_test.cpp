// SPDX-License-Identifier: Apache-2.0
// Memory that runs out is a normal test input: the n-th allocation fails, for every n, wherever it is made.
//
//   Each call then answers OK or NO_MEMORY; nothing is lost, a failed set is remembered, y is right whenever execute
//   says OK.
//   And the promise the other way round: with plan held, weights at create and workspace given, execute allocates
//   nothing.
#include <cstdlib>
#include <map>
#include <mutex>

#include "tests/capi/counting.h"
#include "tests/capi/support.h"

using namespace capi;
using counting::Watch;

namespace {

// The allocator hook, with a ledger: release must get what alloc got.
class Ledger {
 public:
  ctconv_allocator hook() {
    ctconv_allocator a = CTCONV_ALLOCATOR_INIT;
    a.user = this;
    a.alloc = [](void* user, size_t bytes, size_t alignment) {
      return static_cast<Ledger*>(user)->alloc(bytes, alignment);
    };
    a.release = [](void* user, void* p, size_t bytes, size_t alignment) {
      static_cast<Ledger*>(user)->release(p, bytes, alignment);
    };
    return a;
  }
  size_t held() const { return blocks_; }
  size_t calls() const { return calls_; }
  bool honest() const { return honest_; }

 private:
  // Each block is preceded by its size and alignment: the ledger itself takes no memory.
  struct Head {
    size_t bytes, alignment;
  };
  void* alloc(size_t bytes, size_t alignment) {
    const std::lock_guard lock(mutex_);
    ++calls_;
    honest_ = honest_ && bytes > 0 && alignment > 0 && (alignment & (alignment - 1)) == 0;
    if (counting::fails_now()) return nullptr;
    const size_t lead = std::max(alignment, sizeof(Head));
    auto* p = static_cast<char*>(std::aligned_alloc(alignment, (bytes + lead + alignment - 1) / alignment * alignment));
    if (p == nullptr) return nullptr;
    ++blocks_;
    *reinterpret_cast<Head*>(p + lead - sizeof(Head)) = {bytes, alignment};
    return p + lead;
  }
  void release(void* p, size_t bytes, size_t alignment) {
    const std::lock_guard lock(mutex_);
    const size_t lead = std::max(alignment, sizeof(Head));
    const Head head = *reinterpret_cast<Head*>(static_cast<char*>(p) - sizeof(Head));
    honest_ = honest_ && head.bytes == bytes && head.alignment == alignment;
    --blocks_;
    std::free(static_cast<char*>(p) - lead);
  }
  std::mutex mutex_;
  size_t blocks_ = 0, calls_ = 0;
  bool honest_ = true;
};

struct Fixture {
  Conv conv;
  Tensor x{conv.x_shape()}, w{conv.w_shape()}, b{{conv.co}}, y{conv.y_shape()};
  std::vector<double> want;
  Fixture() {
    x.integers(1);
    w.integers(2);
    b.integers(3);
    want = conv.scatter(x, w, &b);
  }
};

// What a backward call of the fixture reads besides x and the weight, and what it writes.
struct GradientTensors {
  Tensor y, dy, dx, dw, db;
  explicit GradientTensors(const Conv& c)
      : y(c.y_shape()), dy(c.y_shape()), dx(c.x_shape()), dw(c.w_shape()), db({c.co}) {
    y.integers(4);
    dy.integers(5);
  }
  void clear() {
    for (Tensor* t : {&dx, &dw, &db}) t->constant(1);
  }
  // All three are added to, so that every temporary is there.
  ctconv_grads record(Fixture& f) {
    ctconv_grads g = CTCONV_GRADS_INIT;
    g.dy = dy.get();
    g.x = f.x.get();
    g.y = y.get();
    g.dx = dx.get();
    g.dw = dw.get();
    g.db = db.get();
    g.accumulate = 1;
    return g;
  }
  std::vector<std::vector<double>> values() const { return {dx.values(), dw.values(), db.values()}; }
  bool guarded() const { return dx.guarded() && dw.guarded() && db.guarded(); }
};

// One whole life. Counts statuses instead of judging them, so that nothing but the library allocates meanwhile.
struct Outcome {
  int ok = 0, no_memory = 0, other = 0;
  bool forgotten = false;    // a failed set that validate did not return
  bool out_pointer = false;  // a failure that left an out-pointer
  bool executed = false;
  ctconv_status last_other = 0;
  void count(ctconv_status s) {
    if (s == CTCONV_OK)
      ++ok;
    else if (s == CTCONV_ERR_NO_MEMORY)
      ++no_memory;
    else {
      ++other;
      last_other = s;
    }
  }
};

Outcome life(Fixture& f, const ctconv_options& options, bool per_call) {
  Outcome out;
  Error error;
  ctconv_desc* desc = nullptr;
  out.count(ctconv_desc_create("ctconv", &desc, &error));
  if (desc == nullptr) return out;
  ctconv_status set = CTCONV_OK;
  const auto keep = [&](ctconv_status s) {
    out.count(s);
    if (set == CTCONV_OK) set = s;
  };
  keep(ctconv_desc_set_int(desc, "in_channels", f.conv.ci));
  keep(ctconv_desc_set_int(desc, "out_channels", f.conv.co));
  keep(ctconv_desc_set_ints(desc, "kernel_size", f.conv.k.data(), 2));
  keep(ctconv_desc_set_ints(desc, "stride", f.conv.s.data(), 2));
  keep(ctconv_desc_set_ints(desc, "pad_begin", f.conv.lo.data(), 2));
  keep(ctconv_desc_set_ints(desc, "pad_end", f.conv.hi.data(), 2));
  keep(ctconv_desc_set_string(desc, "data_format", "channels_first"));
  keep(ctconv_desc_set_bool(desc, "bias", 1));
  const ctconv_status valid = ctconv_desc_validate(desc, &error);
  out.count(valid);
  out.forgotten = set != CTCONV_OK && valid != set;
  ctconv_spec spec;
  out.count(ctconv_desc_weight_spec(desc, nullptr, &spec, nullptr, &error));
  ctconv_op* op = reinterpret_cast<ctconv_op*>(&out);
  const ctconv_status created =
      ctconv_create(desc, per_call ? nullptr : f.w.get(), per_call ? nullptr : f.b.get(), &options, &op, &error);
  out.count(created);
  ctconv_desc_destroy(desc);
  if (created != CTCONV_OK) {
    out.out_pointer = op != nullptr;
    return out;
  }
  ctconv_call call = call_of(&f.x, &f.y, per_call ? &f.w : nullptr, per_call ? &f.b : nullptr);
  size_t bytes = 0;
  char text[512];
  out.count(ctconv_output_spec(op, &call, &spec, &error));
  out.count(ctconv_prepare(op, &call, &bytes, &error));
  out.count(ctconv_describe(op, &call, text, sizeof text, &bytes, &error));
  out.count(ctconv_describe(op, nullptr, text, sizeof text, &bytes, &error));
  const ctconv_status ran = ctconv_execute(op, &call, &error);
  out.count(ran);
  out.executed = ran == CTCONV_OK;
  ctconv_destroy(op);
  return out;
}

// An op, and gradients of all that is there through its activation: prepared, described, computed.
Outcome backward_life(Fixture& f, GradientTensors& g, const Desc& desc, const ctconv_options& options, bool per_call) {
  Outcome out;
  Error error;
  ctconv_op* op = reinterpret_cast<ctconv_op*>(&out);
  const ctconv_status created =
      ctconv_create(desc.get(), per_call ? nullptr : f.w.get(), nullptr, &options, &op, &error);
  out.count(created);
  if (created != CTCONV_OK) {
    out.out_pointer = op != nullptr;
    return out;
  }
  ctconv_grads grads = g.record(f);
  if (per_call) grads.weight = f.w.get();
  size_t bytes = 0;
  char text[512];
  const ctconv_status prepared = ctconv_backward_prepare(op, &grads, &bytes, &error);
  out.count(prepared);
  out.out_pointer = prepared != CTCONV_OK && bytes != 0;
  out.count(ctconv_backward_describe(op, &grads, text, sizeof text, &bytes, &error));
  const ctconv_status ran = ctconv_backward(op, &grads, &error);
  out.count(ran);
  out.executed = ran == CTCONV_OK;
  ctconv_destroy(op);
  return out;
}

}  // namespace

TEST_CASE("memory: in a backward call the n-th allocation fails, for every n", "[capi][memory]") {
  Fixture f;
  GradientTensors g(f.conv);
  const Desc desc = f.conv.desc();
  for (const char* engine : {"reference", "auto"}) {
    for (bool per_call : {false, true}) {
      Ledger ledger;
      const ctconv_allocator allocator = ledger.hook();
      ctconv_options options = CTCONV_OPTIONS_INIT;
      options.allocator = &allocator;
      options.engine = engine;
      options.threads = 1;
      options.activation = CTCONV_ACTIVATION_RELU;
      g.clear();
      REQUIRE(backward_life(f, g, desc, options, per_call).executed);  // warms up what is made once per process
      const std::vector<std::vector<double>> want = g.values();
      int64_t n = 0;
      for (bool more = true; more; ++n) {
        REQUIRE(n < 20000);
        INFO(engine << (per_call ? ", weight per call" : ", weight at create") << ", allocation " << n << " fails");
        g.clear();
        Outcome out;
        int64_t alive;
        {
          Watch watch(n);
          out = backward_life(f, g, desc, options, per_call);
          more = watch.failed();
          alive = watch.alive();
        }
        INFO("other status: " << out.last_other);
        REQUIRE(out.other == 0);
        REQUIRE_FALSE(out.out_pointer);
        if (std::string(engine) != "auto") REQUIRE(alive == 0);  // oneDNN keeps what it made once per process
        REQUIRE(ledger.held() == 0);
        REQUIRE(ledger.honest());
        if (out.executed) REQUIRE(g.values() == want);
        REQUIRE(g.guarded());
        if (!more) REQUIRE(out.no_memory == 0);
      }
      INFO(engine << ": " << n << " allocations");
      CHECK(n > 5);
    }
  }
}

TEST_CASE("memory: the n-th allocation fails, for every n", "[capi][memory]") {
  Fixture f;
  for (const char* engine : {"reference", "native", "auto"}) {
    for (bool per_call : {false, true}) {
      Ledger ledger;
      const ctconv_allocator allocator = ledger.hook();
      ctconv_options options = CTCONV_OPTIONS_INIT;
      options.allocator = &allocator;
      options.engine = engine;
      options.threads = 1;
      REQUIRE(life(f, options, per_call).executed);  // warms up what is made once per process
      int64_t n = 0;
      for (bool more = true; more; ++n) {
        REQUIRE(n < 20000);
        INFO(engine << (per_call ? ", weights per call" : ", weights at create") << ", allocation " << n << " fails");
        f.y.constant(-77);
        Outcome out;
        int64_t alive;
        {
          Watch watch(n);
          out = life(f, options, per_call);
          more = watch.failed();
          alive = watch.alive();
        }
        INFO("other status: " << out.last_other);
        REQUIRE(out.other == 0);
        REQUIRE_FALSE(out.forgotten);
        REQUIRE_FALSE(out.out_pointer);
        // `auto` asks oneDNN too, which keeps what it made once per process when one of its own allocations failed.
        if (std::string(engine) != "auto") REQUIRE(alive == 0);
        REQUIRE(ledger.held() == 0);
        REQUIRE(ledger.honest());
        if (out.executed) REQUIRE(f.y.values() == f.want);
        REQUIRE(f.y.guarded());
        if (!more) REQUIRE(out.no_memory == 0);
      }
      INFO(engine << ": " << n << " allocations");
      CHECK(n > 10);
    }
  }
}

TEST_CASE("memory: the hook serves an op's memory, balanced, also under eviction", "[capi][memory]") {
  Ledger ledger;
  const ctconv_allocator allocator = ledger.hook();
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.allocator = &allocator;
  options.plan_limit = 2;
  Conv conv;
  Desc desc = conv.desc();
  Tensor w(conv.w_shape()), b({conv.co});
  w.integers(2);
  b.integers(3);
  for (bool per_call : {false, true}) {
    Op op = create(desc, per_call ? nullptr : &w, per_call ? nullptr : &b, &options);
    for (int64_t width = 3; width < 12; ++width) {
      conv.in = {5, width};
      Tensor x(conv.x_shape()), y(conv.y_shape());
      x.integers(1);
      run(op, call_of(&x, &y, per_call ? &w : nullptr, per_call ? &b : nullptr));
      REQUIRE(y.values() == conv.scatter(x, w, &b));
    }
  }
  CHECK(ledger.calls() > 0);
  CHECK(ledger.held() == 0);
  CHECK(ledger.honest());
}

TEST_CASE("memory: a misaligned block is refused, not used", "[capi][memory]") {
  alignas(64) static char store[1 << 20];
  static size_t released;
  released = 0;
  ctconv_allocator allocator = CTCONV_ALLOCATOR_INIT;
  allocator.alloc = [](void*, size_t, size_t) -> void* { return store + 4; };
  allocator.release = [](void*, void* p, size_t, size_t) { released += p == store + 4; };
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.allocator = &allocator;
  Fixture f;
  Desc desc = f.conv.desc();
  Error error;
  ctconv_op* op = nullptr;
  refused(ctconv_create(desc.get(), f.w.get(), f.b.get(), &options, &op, &error), error, CTCONV_ERR_NO_MEMORY);
  CHECK(op == nullptr);
  CHECK(released == 1);
}

TEST_CASE("memory: with plan held, weights at create and workspace given, execute allocates nothing",
          "[capi][memory]") {
  const uint64_t seed = test_seed();
  INFO("seed " << seed);
  std::mt19937_64 rng(seed);
  for (const char* engine : {"auto", "native", "reference"}) {
    for (int round = 0; round < 30; ++round) {
      Conv conv = random_conv(rng);
      Ledger ledger;
      const ctconv_allocator allocator = ledger.hook();
      ctconv_options options = CTCONV_OPTIONS_INIT;
      options.allocator = &allocator;
      options.engine = engine;
      options.threads = round % 2 ? 1 : 2;
      Desc desc = conv.desc();
      Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co}), y(conv.y_shape());
      x.integers(1);
      w.integers(2);
      b.integers(3);
      Op op = create(desc, &w, conv.bias ? &b : nullptr, &options);
      ctconv_call call = call_of(&x, &y);
      size_t bytes = 0;
      REQUIRE(ctconv_prepare(op.get(), &call, &bytes, nullptr) == CTCONV_OK);
      if (std::string(engine) == "auto" && engine_of(op, call) == "onednn") continue;  // takes memory of its own
      std::vector<unsigned char> workspace(bytes + 1);
      call.workspace = workspace.data();
      call.workspace_bytes = bytes;
      run(op, call);  // the pool's threads start with the first parallel call
      const size_t hooked = ledger.calls();
      int64_t allocations;
      ctconv_status status;
      Error error;
      {
        Watch watch;
        status = ctconv_execute(op.get(), &call, &error);
        allocations = watch.allocations();
      }
      REQUIRE(status == CTCONV_OK);
      REQUIRE(allocations == 0);
      REQUIRE(ledger.calls() == hooked);
    }
  }
}

TEST_CASE("memory: execute with an output_size of the call allocates nothing either", "[capi][memory]") {
  Desc desc("torch.nn.ConvTranspose2d");
  desc.set("in_channels", 4).set("out_channels", 6).set("kernel_size", 3).set("stride", 2).set("padding", 1);
  Conv conv;
  conv.extra = {1, 1};
  Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.engine = "reference";
  Op op = create(desc, &w, nullptr, &options);
  ctconv_value items[4] = {}, size = {};
  for (auto& item : items) item.tag = CTCONV_VALUE_INT;
  items[2].i = conv.out(0);
  items[3].i = conv.out(1);
  for (int64_t leading : {2, 0}) {
    size.tag = CTCONV_VALUE_TUPLE;
    size.i = 2 + leading;
    size.items = items + 2 - leading;
    ctconv_call call = call_of(&x, &y);
    call.output_size = &size;
    run(op, call);
    int64_t allocations;
    {
      Watch watch;
      (void)ctconv_execute(op.get(), &call, nullptr);
      allocations = watch.allocations();
    }
    CHECK(allocations == 0);
    CHECK(y.values() == conv.scatter(x, w, nullptr));
  }
}
