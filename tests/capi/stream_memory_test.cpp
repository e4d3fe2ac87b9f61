// SPDX-License-Identifier: Apache-2.0
// Streams and memory: every allocation failing once; and, once made, pushes that take no memory, no lock and no system
// call. For the last two the process locks itself in: only read, write and exit are left (seccomp's strict mode).
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "tests/capi/counting.h"
#include "tests/capi/support.h"

#if __has_include(<linux/seccomp.h>)
#include <linux/seccomp.h>
#endif

using namespace capi;
using counting::Watch;

namespace {

// A vocoder's upsampling layer, small: 16 to 8 channels, kernel 16, stride 8.
struct Vocoder {
  Tensor w{{16, 8, 16}}, b{{8}}, x{{1, 16, 3}}, y{{1, 8, 64}};
  Desc desc{"torch.nn.ConvTranspose1d"};
  Vocoder() {
    desc.set("in_channels", 16).set("out_channels", 8).set("kernel_size", 16).set("stride", 8).set("padding", 4);
    w.reals(1);
    b.reals(2);
    x.reals(3);
  }
};

struct Life {
  ctconv_status first_failure = CTCONV_OK;
  bool left_pointer = false, pushed = false;
};

// A stream's whole life; statuses are only remembered, so that nothing but the library allocates.
Life life(Vocoder& v, const ctconv_op* op) {
  Life out;
  Error error;
  auto* stream = reinterpret_cast<ctconv_stream*>(&out);
  const auto count = [&](ctconv_status s) {
    if (out.first_failure == CTCONV_OK) out.first_failure = s;
    return s == CTCONV_OK;
  };
  if (!count(ctconv_stream_create(op, 1, nullptr, &stream, &error))) {
    out.left_pointer = stream != nullptr;
    return out;
  }
  ctconv_stream* twin = reinterpret_cast<ctconv_stream*>(&out);
  if (!count(ctconv_stream_clone(stream, &twin, &error))) out.left_pointer = twin != nullptr;
  int64_t written = 0;
  bool pushed = count(ctconv_stream_push(stream, v.x.get(), v.y.get(), &written, &error));
  pushed = count(ctconv_stream_flush(stream, v.y.get(), &written, &error)) && pushed;
  out.pushed = pushed;
  if (out.first_failure == CTCONV_OK) ctconv_stream_destroy(twin);
  ctconv_stream_destroy(stream);
  return out;
}

ctconv_options one_thread() {
  ctconv_options o = CTCONV_OPTIONS_INIT;
  o.threads = 1;
  return o;
}

}  // namespace

TEST_CASE("stream memory: the n-th allocation fails, for every n", "[capi][memory][stream]") {
  Vocoder v;
  const ctconv_options options = one_thread();
  const Op op = create(v.desc, &v.w, &v.b, &options);
  REQUIRE(life(v, op.get()).pushed);
  int64_t n = 0;
  for (bool more = true; more; ++n) {
    REQUIRE(n < 20000);
    CAPTURE(n);
    Life out;
    {
      Watch watch(n);
      out = life(v, op.get());
      more = watch.failed();
    }
    REQUIRE_FALSE(out.left_pointer);
    REQUIRE((out.first_failure == CTCONV_OK || out.first_failure == CTCONV_ERR_NO_MEMORY));
  }
  CHECK(n > 20);
  CHECK(life(v, op.get()).pushed);
}

TEST_CASE("stream memory: push and flush take none", "[capi][memory][stream]") {
  Vocoder v;
  const ctconv_options options = one_thread();
  const Op op = create(v.desc, &v.w, &v.b, &options);
  ctconv_stream* stream = nullptr;
  Error error;
  REQUIRE(ctconv_stream_create(op.get(), 1, nullptr, &stream, &error) == CTCONV_OK);
  int64_t written = 0, allocations;
  bool right = true;
  {
    Watch watch;
    for (int round = 0; round < 3; ++round) {
      for (int n = 0; n < 50; ++n) {
        right = ctconv_stream_push(stream, v.x.get(), v.y.get(), &written, &error) == CTCONV_OK && right;
      }
      right = ctconv_stream_flush(stream, v.y.get(), &written, &error) == CTCONV_OK && right;
    }
    allocations = watch.allocations();
  }
  CHECK(right);
  CHECK(allocations == 0);
  ctconv_stream_destroy(stream);
}

#if defined(SECCOMP_MODE_STRICT) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("stream memory: push and flush call nothing of the system, so no lock waits", "[capi][memory][stream]") {
  Vocoder v;
  const ctconv_options options = one_thread();
  const Op op = create(v.desc, &v.w, &v.b, &options);
  ctconv_stream* stream = nullptr;
  REQUIRE(ctconv_stream_create(op.get(), 1, nullptr, &stream, nullptr) == CTCONV_OK);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(77);
    int64_t written = 0;
    bool right = true;
    for (int n = 0; n < 100; ++n) {
      right = ctconv_stream_push(stream, v.x.get(), v.y.get(), &written, nullptr) == CTCONV_OK && right;
    }
    right = ctconv_stream_flush(stream, v.y.get(), &written, nullptr) == CTCONV_OK && right;
    syscall(SYS_exit, right ? 0 : 1);  // exit_group is one of the calls that would end it
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  ctconv_stream_destroy(stream);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) SKIP("the system has no seccomp");
  CAPTURE(status);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));  // SIGKILL: something called the system
}
#endif
