// SPDX-License-Identifier: Apache-2.0
// Memory that runs out, over random layers: in the life of an op the n-th allocation fails, for every n.
//
//   A life: create, prepare, describe, execute, backward, describe of it, a stream where the layer is one, destroy.
//   Each call answers what it answers with memory, or NO_MEMORY; asked once more it answers what it should; y and the
//   gradients have their bits; nothing is lost. CTCONV_TEST_ROUNDS: how many layers.
#include <array>
#include <cstdlib>

#include "tests/capi/counting.h"
#include "tests/capi/support.h"

using namespace capi;
using counting::Watch;

namespace {

constexpr size_t kSteps = 9;
using Answers = std::array<ctconv_status, kSteps>;

struct Layer {
  Conv conv;
  Desc desc;
  Tensor x, w, b, y, dy, dx, dw, db, streamed, tail;
  ctconv_options options = options_init();

  Layer(const Conv& c, const char* engine)
      : conv(c),
        desc(c.desc()),
        x(c.x_shape()),
        w(c.w_shape()),
        b({c.co}),
        y(c.y_shape()),
        dy(c.y_shape()),
        dx(c.x_shape()),
        dw(c.w_shape()),
        db({c.co}),
        streamed(room(c)),
        tail(room(c)) {
    x.reals(1);
    w.reals(2);
    b.reals(3);
    dy.reals(4);
    options.engine = engine;
    options.threads = 1;
    options.reproducible = 1;
  }
  // More positions than any part of a stream of x gives.
  static Shape room(const Conv& c) {
    Shape shape = c.y_shape();
    shape[c.last ? 1 : 2] += 64 + c.k[0] * c.d[0];
    return shape;
  }
  void clear() {
    for (Tensor* t : {&y, &dx, &dw, &db, &streamed, &tail}) t->constant(-7);
  }
  std::vector<std::vector<unsigned char>> bits() const {
    return {y.bits(), dx.bits(), dw.bits(), db.bits(), streamed.bits(), tail.bits()};
  }
};

class Life {
 public:
  explicit Life(Layer& layer) : l_(layer) {}
  // What each step answered in the end; the first answer of each too.
  Answers first{}, last{};
  void run() {
    step(0, [&] { return create(); });
    if (op_ == nullptr) return;
    ctconv_call call = call_of(&l_.x, &l_.y);
    ctconv_grads grads = CTCONV_GRADS_INIT;
    grads.dy = l_.dy.get();
    grads.x = l_.x.get();
    grads.dx = l_.dx.get();
    grads.dw = l_.dw.get();
    grads.db = l_.conv.bias ? l_.db.get() : nullptr;
    size_t bytes = 0;
    char text[256];
    step(1, [&] { return ctconv_prepare(op_, &call, &bytes, nullptr); });
    step(2, [&] { return ctconv_describe(op_, &call, text, sizeof text, &bytes, nullptr); });
    step(3, [&] { return ctconv_execute(op_, &call, nullptr); });
    step(4, [&] { return ctconv_backward_prepare(op_, &grads, &bytes, nullptr); });
    step(5, [&] { return ctconv_backward(op_, &grads, nullptr); });
    step(6, [&] { return ctconv_stream_create(op_, l_.conv.n, nullptr, &stream_, nullptr); });
    int64_t written = 0;
    if (stream_ != nullptr) {
      step(7, [&] { return ctconv_stream_push(stream_, l_.x.get(), l_.streamed.get(), &written, nullptr); });
      step(8, [&] { return ctconv_stream_flush(stream_, l_.tail.get(), &written, nullptr); });
    }
    ctconv_stream_destroy(stream_);
    ctconv_destroy(op_);
  }

 private:
  ctconv_status create() {
    return ctconv_create(l_.desc.get(), l_.w.get(), l_.conv.bias ? l_.b.get() : nullptr, &l_.options, &op_, nullptr);
  }
  // Once more where memory ran out: the one allocation that fails is behind it then.
  template <class Call>
  void step(size_t n, Call&& call) {
    first[n] = last[n] = call();
    if (first[n] == CTCONV_ERR_NO_MEMORY) last[n] = call();
  }
  Layer& l_;
  ctconv_op* op_ = nullptr;
  ctconv_stream* stream_ = nullptr;
};

// Every n for one layer; how many allocations its life makes.
int64_t fail_each(Layer& layer, bool counts_blocks) {
  layer.clear();
  Life quiet(layer);
  quiet.run();  // makes what is made once a process
  const auto want = layer.bits();
  for (int64_t n = 0;; ++n) {
    REQUIRE(n < 20000);
    layer.clear();
    Life life(layer);
    bool failed;
    int64_t alive;
    {
      Watch watch(n);
      life.run();
      failed = watch.failed();
      alive = watch.alive();
    }
    INFO("allocation " << n << " fails");
    REQUIRE(life.last == quiet.last);
    for (size_t s = 0; s < kSteps; ++s) {
      REQUIRE((life.first[s] == quiet.first[s] || life.first[s] == CTCONV_ERR_NO_MEMORY));
    }
    REQUIRE(layer.bits() == want);
    if (counts_blocks) REQUIRE(alive == 0);
    if (!failed) return n;
  }
}

}  // namespace

TEST_CASE("memory: over random layers the n-th allocation of a life fails, for every n", "[capi][memory]") {
  const char* asked = std::getenv("CTCONV_TEST_ROUNDS");
  const int rounds = asked != nullptr ? std::atoi(asked) : 12;
  std::mt19937_64 rng(test_seed());
  int64_t allocations = 0, streams = 0;
  for (int round = 0; round < rounds; ++round) {
    const char* engine = std::array{"native", "reference", "auto"}[static_cast<size_t>(round) % 3];
    const Conv conv = random_conv(rng);
    INFO("layer " << round << ", seed " << test_seed() << ", " << engine);
    Layer layer(conv, engine);
    allocations += fail_each(layer, std::string(engine) != "auto");  // oneDNN keeps what it made once a process
    streams += conv.rank() == 1;
  }
  INFO(rounds << " layers, " << allocations << " allocations failed");
  CHECK(allocations > rounds * 20);
  if (rounds >= 12) CHECK(streams > 0);
}
