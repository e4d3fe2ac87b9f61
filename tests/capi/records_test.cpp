// SPDX-License-Identifier: Apache-2.0
// struct_size rules: what is read of a record, what is written to a ctconv_error, and what neither ever touches.
#include <cstring>

#include "capi/first_sizes.h"
#include "capi/growth.h"
#include "tests/capi/support.h"

using namespace capi;

namespace {

// A record followed by a tail a future release might have added.
template <class T>
struct Grown {
  T record;
  unsigned char tail[64] = {};
};

template <class T>
ctconv_status create_with(T* options, ctconv_error* error) {
  Conv conv;
  Desc desc = conv.desc();
  ctconv_op* op = reinterpret_cast<ctconv_op*>(&conv);
  const ctconv_status status =
      ctconv_create(desc.get(), nullptr, nullptr, reinterpret_cast<const ctconv_options*>(options), &op, error);
  if (status != CTCONV_OK) CHECK(op == nullptr);
  ctconv_destroy(op);
  return status;
}

}  // namespace

TEST_CASE("records: options of every size", "[capi][records]") {
  Error error;
  Grown<ctconv_options> grown{options_init()};
  CHECK(create_with(&grown, &error) == CTCONV_OK);

  SECTION("the first release's, and all between it and this one's") {
    for (size_t size = ctconv::kFirstOptions; size <= sizeof(ctconv_options); ++size) {
      grown.record.struct_size = size;
      CHECK(create_with(&grown, &error) == CTCONV_OK);
    }
    grown.record.math = 77;  // behind the record of an older caller: not read
    grown.record.struct_size = ctconv::kFirstOptions;
    CHECK(create_with(&grown, &error) == CTCONV_OK);
    grown.record.struct_size = sizeof(ctconv_options);
    refused(create_with(&grown, &error), error, CTCONV_ERR_MISUSE_OPTION, "math");
  }
  SECTION("smaller than the first release") {
    for (size_t size : {size_t{0}, size_t{1}, size_t{8}, ctconv::kFirstOptions - 1}) {
      grown.record.struct_size = size;
      const ctconv_status got = create_with(&grown, &error);
      refused(got, error, CTCONV_ERR_MISUSE_STRUCT_SIZE, "ctconv_options");
      CHECK(std::string(error.value) == std::to_string(size));
    }
  }
  SECTION("larger, the tail zero") {
    for (size_t more : {size_t{1}, size_t{8}, size_t{64}}) {
      grown.record.struct_size = sizeof(ctconv_options) + more;
      CHECK(create_with(&grown, &error) == CTCONV_OK);
    }
  }
  SECTION("larger, the tail not zero: never ignored") {
    grown.tail[63] = 1;
    grown.record.struct_size = sizeof(ctconv_options) + 63;  // the byte lies beyond: not read
    CHECK(create_with(&grown, &error) == CTCONV_OK);
    grown.record.struct_size = sizeof(ctconv_options) + 64;
    const ctconv_status got = create_with(&grown, &error);
    refused(got, error, CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  }
  SECTION("64 KiB is the most") {
    std::vector<unsigned char> big(64 * 1024 + 1, 0);
    grown.record.struct_size = 64 * 1024;
    std::memcpy(big.data(), &grown.record, sizeof grown.record);
    CHECK(create_with(big.data(), &error) == CTCONV_OK);
    grown.record.struct_size = 64 * 1024 + 1;
    std::memcpy(big.data(), &grown.record, sizeof grown.record);
    refused(create_with(big.data(), &error), error, CTCONV_ERR_MISUSE_STRUCT_SIZE, "ctconv_options");
    grown.record.struct_size = SIZE_MAX;
    refused(create_with(&grown, &error), error, CTCONV_ERR_MISUSE_STRUCT_SIZE, "ctconv_options");
  }
  SECTION("reserved") {
    grown.record.reserved = 1;
    refused(create_with(&grown, &error), error, CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
    grown.record.reserved = 0;
    grown.record.reserved2 = 1;
    refused(create_with(&grown, &error), error, CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  }
}

TEST_CASE("records: hooks inside options", "[capi][records]") {
  Error error;
  ctconv_options options = options_init();
  ctconv_runner runner = CTCONV_RUNNER_INIT;
  ctconv_allocator allocator = CTCONV_ALLOCATOR_INIT;
  runner.parallel_for = [](void*, int64_t count, void (*task)(void*, int64_t, int32_t), void* data) {
    for (int64_t i = 0; i < count; ++i) task(data, i, 0);
  };
  allocator.alloc = [](void*, size_t, size_t) -> void* { return nullptr; };
  allocator.release = [](void*, void*, size_t, size_t) {};
  SECTION("runner") {
    options.runner = &runner;
    CHECK(create_with(&options, &error) == CTCONV_OK);
    runner.struct_size = sizeof runner - 1;
    refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_STRUCT_SIZE, "ctconv_runner");
    runner.struct_size = sizeof runner;
    runner.reserved = 7;
    refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
    runner.reserved = 0;
    for (int32_t workers : {0, -1, INT32_MIN}) {
      runner.workers = workers;
      refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_RUNNER, "runner");
    }
    runner.workers = 2;
    runner.parallel_for = nullptr;
    refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_RUNNER, "runner");
  }
  SECTION("allocator") {
    options.allocator = &allocator;
    CHECK(create_with(&options, &error) == CTCONV_OK);
    allocator.struct_size = 0;
    refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_STRUCT_SIZE, "ctconv_allocator");
    allocator.struct_size = sizeof allocator;
    allocator.release = nullptr;
    refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_ALLOCATOR, "allocator");
    allocator.release = [](void*, void*, size_t, size_t) {};
    allocator.alloc = nullptr;
    refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_ALLOCATOR, "allocator");
  }
}

TEST_CASE("records: calls of every size", "[capi][records]") {
  Conv conv;
  Desc desc = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  Op op = create(desc, &w, nullptr);
  Error error;
  Grown<ctconv_call> grown{call_of(&x, &y)};
  grown.record.struct_size = ctconv::kFirstCall - 8;
  refused(ctconv_execute(op.get(), &grown.record, &error), error, CTCONV_ERR_MISUSE_STRUCT_SIZE, "ctconv_call");
  grown.record.struct_size = sizeof grown;
  grown.tail[0] = 1;
  refused(ctconv_execute(op.get(), &grown.record, &error), error, CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  CHECK(y.untouched());
  grown.tail[0] = 0;
  CHECK(ctconv_execute(op.get(), &grown.record, &error) == CTCONV_OK);
  CHECK(y.values() == conv.scatter(x, w, nullptr));
}

TEST_CASE("records: a ctconv_error of wrong size is not touched at all", "[capi][records][cpu]") {
  for (size_t size : {size_t{1}, size_t{4}, sizeof(ctconv_error) - 1, size_t{64 * 1024 + 1}, SIZE_MAX}) {
    ctconv_error error;
    std::memset(&error, 0x5A, sizeof error);
    error.struct_size = size;
    const ctconv_error before = error;
    ctconv_desc* desc = reinterpret_cast<ctconv_desc*>(&error);
    CHECK(ctconv_desc_create("ctconv", &desc, &error) == CTCONV_ERR_MISUSE_STRUCT_SIZE);
    CHECK(desc == nullptr);
    CHECK(std::memcmp(&error, &before, sizeof error) == 0);
  }
}

TEST_CASE("records: a ctconv_error of struct_size 0 asks for no detail", "[capi][records]") {
  ctconv_error error = {};
  error.message[0] = 'm';  // stands in for what the caller had there
  const ctconv_error before = error;
  ctconv_desc* desc = nullptr;
  CHECK(ctconv_desc_create("nonsense", &desc, &error) == CTCONV_ERR_MISUSE_DIALECT);
  CHECK(desc == nullptr);
  CHECK(std::memcmp(&error, &before, sizeof error) == 0);

  Conv conv;
  Desc words = conv.desc();
  Tensor x(conv.x_shape()), w(conv.w_shape()), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  ctconv_op* raw = nullptr;
  REQUIRE(ctconv_create(words.get(), w.get(), nullptr, default_options(), &raw, &error) == CTCONV_OK);
  Op op(raw);
  const ctconv_call call = call_of(&x, &y);
  CHECK(ctconv_execute(op.get(), nullptr, &error) == CTCONV_ERR_MISUSE_NULL);
  CHECK(ctconv_execute(op.get(), &call, &error) == CTCONV_OK);
  CHECK(y.values() == conv.scatter(x, w, nullptr));
  CHECK(std::memcmp(&error, &before, sizeof error) == 0);
}

TEST_CASE("records: a larger ctconv_error keeps its tail, success writes the status alone", "[capi][records][cpu]") {
  Grown<ctconv_error> grown{CTCONV_ERROR_INIT};
  std::memset(grown.tail, 0x5A, sizeof grown.tail);
  grown.record.struct_size = sizeof grown;
  ctconv_desc* desc = nullptr;
  CHECK(ctconv_desc_create("nonsense", &desc, &grown.record) == CTCONV_ERR_MISUSE_DIALECT);
  refused(CTCONV_ERR_MISUSE_DIALECT, grown.record, CTCONV_ERR_MISUSE_DIALECT, "dialect");
  CHECK(grown.record.struct_size == sizeof grown);
  for (unsigned char b : grown.tail) CHECK(b == 0x5A);

  ctconv_error before = grown.record;
  CHECK(ctconv_desc_create("ctconv", &desc, &grown.record) == CTCONV_OK);
  ctconv_desc_destroy(desc);
  CHECK(grown.record.status == CTCONV_OK);
  before.status = CTCONV_OK;
  CHECK(std::memcmp(&before, &grown.record, sizeof before) == 0);
}

TEST_CASE("records: error strings end in NUL and are not cut inside a character", "[capi][records][cpu]") {
  // Two, three and four bytes a character; one leading byte more moves every cut.
  for (const char* character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "a"}) {
    for (size_t lead = 0; lead < 4; ++lead) {
      std::string name(lead, 'x');
      for (int n = 0; n < 400; ++n) name += character;
      Error error;
      ctconv_desc* none = nullptr;
      refused(ctconv_desc_create(name.c_str(), &none, &error), error, CTCONV_ERR_MISUSE_DIALECT);
      for (const char* text : {error.argument, error.value, error.range, error.message}) CHECK(valid_utf8(text));

      Desc unknown("ctconv");
      unknown.set(name.c_str(), 1);
      refused(ctconv_desc_validate(unknown.get(), &error), error, CTCONV_ERR_TYPE_ARGUMENT_NAME);
      for (const char* text : {error.argument, error.value, error.range, error.message}) CHECK(valid_utf8(text));

      Desc valued = Conv().desc();
      valued.set("data_format", name.c_str());
      refused(ctconv_desc_validate(valued.get(), &error), error, CTCONV_ERR_VALUE_DATA_FORMAT, "data_format");
      for (const char* text : {error.argument, error.value, error.range, error.message}) CHECK(valid_utf8(text));

      ctconv_value other = {};
      other.tag = CTCONV_VALUE_OTHER;
      other.text = name.data();
      other.i = static_cast<int64_t>(name.size());
      Desc typed = Conv().desc();
      REQUIRE(ctconv_desc_set(typed.get(), "kernel_size", &other) == CTCONV_OK);
      refused(ctconv_desc_validate(typed.get(), &error), error, CTCONV_ERR_TYPE_KERNEL_SIZE, "kernel_size");
      for (const char* text : {error.argument, error.value, error.range, error.message}) CHECK(valid_utf8(text));

      ctconv_options options = options_init();
      options.device = name.c_str();
      refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_DEVICE, "device");
      for (const char* text : {error.argument, error.value, error.range, error.message}) CHECK(valid_utf8(text));
      options.device = nullptr;
      options.engine = name.c_str();
      refused(create_with(&options, &error), error, CTCONV_ERR_MISUSE_ENGINE, "engine");
      for (const char* text : {error.argument, error.value, error.range, error.message}) CHECK(valid_utf8(text));
    }
  }
}
