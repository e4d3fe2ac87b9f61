// SPDX-License-Identifier: Apache-2.0
// The border seen from inside: what is thrown inside becomes a number, and an error record is filled as far as it goes.
#include "capi/boundary.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#include "capi/describe.h"
#include "capi/op.h"
#include "tests/capi/support.h"

using namespace capi;
using ctconv::Code;
using ctconv::Status;

TEST_CASE("boundary: whatever is thrown inside becomes a number", "[capi][records][cpu]") {
  Error e;
  const auto throws = [&](auto what) { return ctconv::guarded(&e, [&]() -> Status { throw what; }); };
  refused(throws(std::bad_alloc()), e, CTCONV_ERR_NO_MEMORY);
  refused(throws(std::logic_error("a fault")), e, CTCONV_ERR_INTERNAL);
  CHECK(e.text().find("report") != std::string::npos);
  refused(throws(7), e, CTCONV_ERR_INTERNAL);
  CHECK(ctconv::guarded(nullptr, []() -> Status { throw 7; }) == CTCONV_ERR_INTERNAL);
  CHECK(ctconv::guarded(nullptr, [] { return Status(); }) == CTCONV_OK);
}

TEST_CASE("boundary: an error record is filled with the whole fields that lie inside it", "[capi][records][cpu]") {
  const Status status = ctconv::argument_error(Code::VALUE_STRIDE, "stride", "0", ">= 1", "is too small", 2);
  const struct {
    size_t offset, bytes;
  } texts[] = {{offsetof(ctconv_error, argument), sizeof(ctconv_error::argument)},
               {offsetof(ctconv_error, value), sizeof(ctconv_error::value)},
               {offsetof(ctconv_error, range), sizeof(ctconv_error::range)},
               {offsetof(ctconv_error, message), sizeof(ctconv_error::message)}};
  for (const auto& field : texts) {
    for (const size_t size :
         {field.offset, field.offset + 1, field.offset + field.bytes - 1, field.offset + field.bytes}) {
      ctconv_error e;
      std::memset(&e, 0x5A, sizeof e);
      e.struct_size = size;
      CHECK(ctconv::report(status, &e) == CTCONV_ERR_VALUE_STRIDE);
      const auto* bytes = reinterpret_cast<const unsigned char*>(&e);
      for (size_t n = size; n < sizeof e; ++n) REQUIRE(bytes[n] == 0x5A);
      const bool whole = size == field.offset + field.bytes;
      CHECK((bytes[field.offset] != 0x5A) == whole);
      CHECK(e.element == 2);
    }
  }
}

TEST_CASE("boundary: a known family's dialects are listed, else the families", "[capi][misuse][cpu]") {
  ctconv_desc* none = nullptr;
  Error e;
  refused(ctconv_desc_create("torch.nn.ConvTranspose9d", &none, &e), e, CTCONV_ERR_MISUSE_DIALECT, "dialect");
  CHECK(std::string(e.range) == "torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d");
  refused(ctconv_desc_create("jax.lax.conv_transpose", &none, &e), e, CTCONV_ERR_MISUSE_DIALECT, "dialect");
  const std::string families = e.range;
  CHECK(families.rfind("names that begin with mindspore, megengine, paddle, torch, onnx, keras, ctconv", 0) == 0);
}

TEST_CASE("boundary: a tensor's data is aligned to its element, where elements have a power of two of bytes",
          "[capi][misuse][cpu]") {
  Desc d("torch.nn.ConvTranspose1d");
  d.set("in_channels", 1).set("out_channels", 1).set("kernel_size", 1).set("bias", false);
  Tensor w({1, 1, 1}), x({1, 1, 1}), y({1, 1, 1});
  const Op op = create(d, &w.reals(1), nullptr);
  ctconv_tensor odd = *x.get();
  odd.data = static_cast<char*>(odd.data) + 1;
  ctconv_call call = call_of(&x, &y);
  call.x = &odd;
  Error e;
  refused(ctconv_execute(op.get(), &call, &e), e, CTCONV_ERR_MISUSE_ALIGNMENT, "x");
  CHECK(std::string(e.range) == "a multiple of 4 bytes");
  odd.dtype_bits = 24;  // three bytes: nobody knows their alignment, nobody computes them
  refused(ctconv_execute(op.get(), &call, &e), e, CTCONV_ERR_TYPE_INPUT_DTYPE, "input");
  CHECK(y.untouched());
}

TEST_CASE("boundary: a tensor of few bytes that repeats too often is no value", "[capi][misuse][cpu]") {
  Tensor one({1, 1});
  const int64_t shape[] = {int64_t{1} << 40, int64_t{1} << 30}, still[] = {0, 0};
  ctconv_tensor t = *one.get();
  t.shape = shape;
  t.strides = still;
  Desc d("torch.nn.ConvTranspose1d");
  CHECK(ctconv_desc_set_tensor(d.get(), "bias", &t) == CTCONV_ERR_MISUSE_VALUE);
  Error e;
  refused(ctconv_desc_validate(d.get(), &e), e, CTCONV_ERR_MISUSE_VALUE, "bias");
  CHECK(std::string(e.range) == "below 2^63 bytes");
}

TEST_CASE("boundary: a workspace limit and a plan limit of the caller, or the library's own", "[capi][records][cpu]") {
  ctconv_options in = options_init();
  ctconv::Options out, plain;
  in.plan_limit = 3;
  in.workspace_limit = 12345;
  REQUIRE(ctconv::read_options(&in, &out).ok());
  CHECK((out.plan_limit == 3 && out.workspace_limit == 12345));
  in.plan_limit = 0;
  in.workspace_limit = 0;
  REQUIRE(ctconv::read_options(&in, &plain).ok());
  CHECK((plain.plan_limit == ctconv::Options().plan_limit && plain.workspace_limit == SIZE_MAX));
}

TEST_CASE("boundary: describe names its missing buffer, and says what a plan refuses", "[capi][describe][cpu]") {
  Conv conv;
  const Desc desc = conv.desc();
  Tensor x(conv.x_shape());
  const Op op = create(desc, nullptr, nullptr);
  Error e;
  size_t needed = 9;
  refused(ctconv_describe(op.get(), nullptr, nullptr, 4, &needed, &e), e, CTCONV_ERR_MISUSE_NULL, "buf");
  CHECK(needed == 0);
  refused(ctconv_describe(nullptr, nullptr, nullptr, 0, nullptr, &e), e, CTCONV_ERR_MISUSE_NULL, "op");
  CHECK(ctconv_describe(op.get(), nullptr, nullptr, 0, nullptr, &e) == CTCONV_OK);
  ctconv_options options = options_init();
  options.engine = "winograd";
  options.reproducible = 1;  // its sums have an order of their own
  const Op stable = create(desc, nullptr, nullptr, &options);
  const ctconv_call call = call_of(&x, nullptr);
  char text[8] = "before";
  refused(ctconv_describe(stable.get(), &call, text, sizeof text, &needed, &e), e, CTCONV_ERR_UNSUPPORTED_ENGINE,
          "engine");
  CHECK((needed == 0 && text[0] == '\0'));
  text[0] = '?';
  CHECK(ctconv_describe(op.get(), nullptr, text, 0, &needed, &e) == CTCONV_OK);
  CHECK((needed > sizeof text && text[0] == '?'));
  // Of facts that a plan does not tell there is no line.
  const std::string said = ctconv::describe_plan({});
  for (const char* key : {"threads: ", "bits: ", "device.", "refused."}) CHECK(said.find(key) == std::string::npos);
  Desc last("ctconv");
  last.set("in_channels", 1).set("out_channels", 1).set("kernel_size", 1).set("data_format", "channels_last");
  CHECK(value_of(describe(create(last, nullptr, nullptr), nullptr), "layout") == "channels last");
  CHECK(value_of(describe(op, nullptr), "layout") == "channels first");
}

TEST_CASE("boundary: a record of the machine that cannot be read is told by describe", "[capi][describe][cpu]") {
  const char* told = std::getenv("CTCONV_MACHINE");
  if (told == nullptr || std::string(told) != "nonsense") {  // the machine is read once a process: in one of its own
    const pid_t child = fork();
    if (child == 0) {
      setenv("CTCONV_MACHINE", "nonsense", 1);
      execl("/proc/self/exe", "capi_tests", "boundary: a record of the machine*", nullptr);
      _exit(127);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return;
  }
  const Op op = create(Conv().desc(), nullptr, nullptr);
  CHECK_FALSE(value_of(describe(op, nullptr), "machine.ignored").empty());
}
