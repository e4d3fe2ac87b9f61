// SPDX-License-Identifier: Apache-2.0
// Streams at their edges: every pointer that may be missing, tensors that lie where they must not, layers that have one
// axis only by their weight.
#include <cstdlib>
#include <memory>

#include "tests/capi/support.h"

using namespace capi;

namespace {

struct Destroy {
  void operator()(ctconv_stream* s) const { ctconv_stream_destroy(s); }
};

// torch.nn.ConvTranspose1d(2, 3, 3, stride=2), a stream of one signal.
struct Line {
  Tensor w{{2, 3, 3}};
  Op op;
  std::unique_ptr<ctconv_stream, Destroy> stream;

  Line() {
    Desc d("torch.nn.ConvTranspose1d");
    d.set("in_channels", 2).set("out_channels", 3).set("kernel_size", 3).set("stride", 2).set("bias", false);
    op = create(d, &w.reals(1), nullptr);
    ctconv_stream* made = nullptr;
    Error e;
    REQUIRE(ctconv_stream_create(op.get(), 1, nullptr, &made, &e) == CTCONV_OK);
    stream.reset(made);
  }
  ctconv_stream* get() const { return stream.get(); }
};

}  // namespace

TEST_CASE("stream edges: each pointer that is missing is named", "[capi][stream][cpu]") {
  const Line l;
  Error e;
  ctconv_stream* twin = nullptr;
  int64_t number = -1;
  size_t needed = 7;
  char text[8];
  refused(ctconv_stream_flush(nullptr, nullptr, &number, &e), e, CTCONV_ERR_MISUSE_NULL, "stream");
  refused(ctconv_stream_clone(nullptr, &twin, &e), e, CTCONV_ERR_MISUSE_NULL, "stream");
  refused(ctconv_stream_clone(l.get(), nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "twin");
  refused(ctconv_stream_delay(nullptr, &number, &e), e, CTCONV_ERR_MISUSE_NULL, "stream");
  refused(ctconv_stream_delay(l.get(), nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "delay");
  refused(ctconv_stream_describe(nullptr, text, sizeof text, &needed, &e), e, CTCONV_ERR_MISUSE_NULL, "stream");
  CHECK((needed == 0 && text[0] == '\0'));
  refused(ctconv_stream_describe(l.get(), nullptr, 3, &needed, &e), e, CTCONV_ERR_MISUSE_NULL, "buf");
  CHECK(ctconv_stream_describe(l.get(), nullptr, 0, &needed, &e) == CTCONV_OK);
  CHECK(needed > sizeof text);
  CHECK(ctconv_stream_describe(l.get(), text, sizeof text, nullptr, &e) == CTCONV_OK);
  CHECK(std::string(text) == "inputs:");
  CHECK(ctconv_stream_describe(l.get(), text, 0, nullptr, &e) == CTCONV_OK);
}

TEST_CASE("stream edges: tensors that lie where they must not", "[capi][stream][cpu]") {
  const Line l;
  Error e;
  int64_t written = -1;
  Tensor x({1, 2, 4}), y({1, 3, 8}), flat({2, 4});
  const auto push = [&](const ctconv_tensor* in, const ctconv_tensor* out, ctconv_status want, const char* argument) {
    refused(ctconv_stream_push(l.get(), in, out, &written, &e), e, want, argument);
    CHECK(written == 0);
    CHECK(y.untouched());
  };
  push(flat.get(), y.get(), CTCONV_ERR_SHAPE_INPUT_RANK, "x");
  const auto with = [](const Tensor& t, auto change) {
    ctconv_tensor record = *const_cast<Tensor&>(t).get();
    change(record);
    return record;
  };
  ctconv_tensor t = with(x, [](ctconv_tensor& r) { r.device_type = CTCONV_DEVICE_CUDA; });
  push(&t, y.get(), CTCONV_ERR_MISUSE_TENSOR_DEVICE, "x");
  t = with(x, [](ctconv_tensor& r) { r.data = nullptr; });
  push(&t, y.get(), CTCONV_ERR_MISUSE_NULL, "x.data");
  const int64_t far[] = {1, INT64_MAX, 1};
  t = with(x, [&](ctconv_tensor& r) { r.strides = far; });
  push(&t, y.get(), CTCONV_ERR_MISUSE_TENSOR, "x");
  t = with(y, [](ctconv_tensor& r) { r.device_type = CTCONV_DEVICE_CUDA; });
  push(x.get(), &t, CTCONV_ERR_MISUSE_TENSOR_DEVICE, "y");
  t = with(y, [](ctconv_tensor& r) { r.ndim = 9; });
  push(x.get(), &t, CTCONV_ERR_MISUSE_TENSOR, "y");
  t = with(y, [&](ctconv_tensor& r) { r.strides = far; });
  push(x.get(), &t, CTCONV_ERR_MISUSE_TENSOR, "y");
  push(x.get(), flat.get(), CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  t = with(x, [&](ctconv_tensor& r) { r.data = y.data(); });
  push(&t, y.get(), CTCONV_ERR_MISUSE_Y_OVERLAP, "y");
  // The same at the flush, and a length of which nobody could count the outputs.
  REQUIRE(ctconv_stream_push(l.get(), x.reals(2).get(), y.get(), &written, &e) == CTCONV_OK);
  CHECK(written == 8);
  t = with(y, [](ctconv_tensor& r) { r.ndim = 2; });
  refused(ctconv_stream_flush(l.get(), &t, &written, &e), e, CTCONV_ERR_MISUSE_Y_SHAPE, "y");
  const int64_t endless[] = {1, 2, int64_t{1} << 59}, still[] = {0, 0, 0};
  t = with(x, [&](ctconv_tensor& r) {
    r.shape = endless;
    r.strides = still;
  });
  CHECK(ctconv_stream_push(l.get(), &t, nullptr, &written, &e) != CTCONV_OK);
  CHECK(written == 0);
  Tensor rest({1, 3, 1});
  CHECK(ctconv_stream_flush(l.get(), rest.get(), &written, &e) == CTCONV_OK);
}

TEST_CASE("stream edges: a layer whose weight has two axes does not run along one", "[capi][stream][cpu]") {
  const Desc onnx("onnx.ConvTranspose");
  Tensor plane({2, 3, 3, 3}), line({2, 3, 3});
  ctconv_stream* s = nullptr;
  Error e;
  const Op two = create(onnx, &plane, nullptr);
  refused(ctconv_stream_create(two.get(), 1, nullptr, &s, &e), e, CTCONV_ERR_SHAPE_RANK_MISMATCH, "W");
  CHECK(s == nullptr);
  const Op one = create(onnx, &line, nullptr);
  CHECK(ctconv_stream_create(one.get(), 1, nullptr, &s, &e) == CTCONV_OK);
  ctconv_stream_destroy(s);
}

namespace {

// An allocator whose n-th block from now on is refused; 0: none is.
struct Purse {
  int refuse = 0;
  ctconv_allocator hook() {
    ctconv_allocator a = CTCONV_ALLOCATOR_INIT;
    a.user = this;
    a.alloc = [](void* user, size_t bytes, size_t alignment) -> void* {
      auto* purse = static_cast<Purse*>(user);
      if (purse->refuse > 0 && --purse->refuse == 0) return nullptr;
      return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    };
    a.release = [](void*, void* memory, size_t, size_t) { std::free(memory); };
    return a;
  }
};

}  // namespace

TEST_CASE("stream edges: the n-th block that the allocator refuses is a status, of create and of clone",
          "[capi][stream][cpu]") {
  Purse purse;
  const ctconv_allocator allocator = purse.hook();
  ctconv_options options = options_init();
  options.allocator = &allocator;
  options.threads = 1;
  Desc d("torch.nn.ConvTranspose1d");
  d.set("in_channels", 2).set("out_channels", 3).set("kernel_size", 3).set("stride", 2).set("bias", false);
  Tensor w({2, 3, 3});
  const Op op = create(d, &w.reals(1), nullptr, &options);
  Error e;
  ctconv_stream *stream = nullptr, *twin = nullptr;
  int refusals = 0;
  for (int n = 1;; ++n) {
    purse.refuse = n;
    const ctconv_status status = ctconv_stream_create(op.get(), 1, nullptr, &stream, &e);
    if (status == CTCONV_OK) break;
    refused(status, e, CTCONV_ERR_NO_MEMORY);
    CHECK(stream == nullptr);
    ++refusals;
  }
  CHECK(refusals > 1);
  refusals = 0;
  for (int n = 1;; ++n) {
    purse.refuse = n;
    const ctconv_status status = ctconv_stream_clone(stream, &twin, &e);
    if (status == CTCONV_OK) break;
    refused(status, e, CTCONV_ERR_NO_MEMORY);
    CHECK(twin == nullptr);
    ++refusals;
  }
  CHECK(refusals > 1);
  ctconv_stream_destroy(twin);
  ctconv_stream_destroy(stream);
}

TEST_CASE("stream edges: on a runner that breaks its contract a push says so, after a reset all is well",
          "[capi][stream][cpu]") {
  static bool broken = false;
  ctconv_runner runner = CTCONV_RUNNER_INIT;
  runner.workers = 2;
  runner.parallel_for = [](void*, int64_t count, void (*task)(void*, int64_t, int32_t), void* data) {
    for (int64_t k = 0; k < count && !broken; ++k) task(data, k, 0);
  };
  ctconv_options options = options_init();
  options.runner = &runner;
  options.reproducible = 1;  // the bits of a stream
  ctconv_stream_options parallel = CTCONV_STREAM_OPTIONS_INIT;
  parallel.parallel = 1;
  Desc d("torch.nn.ConvTranspose1d");
  d.set("in_channels", 16).set("out_channels", 16).set("kernel_size", 8).set("stride", 4).set("bias", false);
  Tensor w({16, 16, 8}), x({4, 16, 64}), y({4, 16, 256}), rest({4, 16, 4}), whole({4, 16, 260});
  const Op op = create(d, &w.reals(1), nullptr, &options);
  run(op, call_of(&x.reals(2), &whole));
  Error e;
  ctconv_stream* stream = nullptr;
  REQUIRE(ctconv_stream_create(op.get(), 4, &parallel, &stream, &e) == CTCONV_OK);
  int64_t written = -1;
  broken = true;
  refused(ctconv_stream_push(stream, x.get(), y.get(), &written, &e), e, CTCONV_ERR_MISUSE_RUNNER);
  CHECK(written == 0);
  REQUIRE(ctconv_stream_reset(stream, &e) == CTCONV_OK);
  broken = false;
  REQUIRE(ctconv_stream_push(stream, x.get(), y.get(), &written, &e) == CTCONV_OK);
  CHECK(written == 256);
  REQUIRE(ctconv_stream_flush(stream, rest.get(), &written, &e) == CTCONV_OK);
  CHECK(written == 4);
  bool same = true;
  for (int64_t c = 0; c < 16; ++c) {
    for (int64_t k = 0; k < 256; ++k) same = same && y.at({3, c, k}) == whole.at({3, c, k});
    for (int64_t k = 0; k < 4; ++k) same = same && rest.at({3, c, k}) == whole.at({3, c, 256 + k});
  }
  CHECK(same);
  ctconv_stream_destroy(stream);
}

TEST_CASE("stream edges: y of another batch or of other channels, and an x that is empty", "[capi][stream][cpu]") {
  const Line l;
  Error e;
  int64_t written = -1;
  Tensor x({1, 2, 4}), y({1, 3, 8}), batch({2, 3, 8}), channels({1, 4, 8}), short_y({1, 3, 7}), none({1, 2, 0});
  for (Tensor* wrong : {&batch, &channels, &short_y}) {
    refused(ctconv_stream_push(l.get(), x.get(), wrong->get(), &written, &e), e, CTCONV_ERR_MISUSE_Y_SHAPE, "y");
    CHECK(wrong->untouched());
  }
  ctconv_tensor nowhere = *none.get();
  nowhere.data = nullptr;
  CHECK(ctconv_stream_push(l.get(), &nowhere, y.get(), &written, &e) == CTCONV_OK);
  CHECK(written == 0);
  CHECK(y.untouched());
}
