// SPDX-License-Identifier: Apache-2.0
// See hostile_records.h.
#include "tests/fuzz/hostile_records.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "capi/first_sizes.h"

namespace hostile {
namespace {

constexpr size_t kLargest = 64 * 1024;

// What a record of these bytes, claimed and laid behind each other, must be answered.
enum class Expected { kRead, kWrongSize, kUnknownField };

// Memory of exactly as many bytes as may be looked at.
class Claimed {
 public:
  // claim: the struct_size written; garbage: the place of a byte that is not zero, 0: none
  Claimed(const void* record, size_t own, size_t first, size_t claim, size_t garbage) : own_(own) {
    legal_ = claim >= first && claim <= kLargest;
    bytes_ = legal_ ? claim : sizeof claim;
    memory_.reset(static_cast<unsigned char*>(std::calloc(1, bytes_)));
    std::memcpy(memory_.get(), record, std::min(own, bytes_));
    std::memcpy(memory_.get(), &claim, sizeof claim);
    garbage_ = legal_ && garbage >= own && garbage < bytes_;
    if (garbage_) memory_.get()[garbage] = 0x5A;
    before_.assign(memory_.get(), memory_.get() + bytes_);
  }
  Expected expected() const {
    if (!legal_) return Expected::kWrongSize;
    return garbage_ ? Expected::kUnknownField : Expected::kRead;
  }
  template <class Record>
  Record* as() const {
    return reinterpret_cast<Record*>(memory_.get());
  }
  bool unchanged(size_t from) const {
    return std::equal(before_.begin() + static_cast<int64_t>(std::min(from, bytes_)), before_.end(),
                      memory_.get() + std::min(from, bytes_));
  }
  size_t own() const { return own_; }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  size_t own_, bytes_ = 0;
  bool legal_ = false, garbage_ = false;
  std::unique_ptr<unsigned char, Free> memory_;
  std::vector<unsigned char> before_;
};

void in_turn(void*, int64_t count, void (*task)(void*, int64_t, int32_t), void* data) {
  for (int64_t n = 0; n < count; ++n) task(data, n, 0);
}
void* take(void*, size_t bytes, size_t alignment) {
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
void give(void*, void* p, size_t, size_t) { std::free(p); }

class Life : private Draws {
 public:
  Life(Source& source, std::string* said, RecordCounts* counts) : Draws(source), said_(*said), counts_(*counts) {
    ctconv_desc_create("ctconv", &desc_, nullptr);
    const int64_t taps = 2;
    ctconv_desc_set_int(desc_, "in_channels", 1);
    ctconv_desc_set_int(desc_, "out_channels", 1);
    ctconv_desc_set_ints(desc_, "kernel_size", &taps, 1);
    fill(&x_, x_data_, x_shape_);
    fill(&w_, w_data_, w_shape_);
    fill(&y_, y_data_, y_shape_);
  }
  ~Life() {
    ctconv_stream_destroy(stream_);
    ctconv_destroy(op_);
    ctconv_desc_destroy(desc_);
  }
  std::string run();

 private:
  template <class Record>
  Claimed claimed(const Record& record, const char* name, size_t first) {
    const uint64_t how = s_.below(4);
    const size_t near = sizeof(Record) + s_.below(40);
    const size_t claim = how == 0   ? static_cast<size_t>(kExtremes[s_.below(std::size(kExtremes))])
                         : how == 1 ? s_.below(first + 8)
                         : how == 2 ? kLargest - 4 + s_.below(8)
                                    : near;
    const size_t garbage = s_.below(2) == 0 ? 0 : sizeof(Record) + s_.below(kLargest - sizeof(Record));
    const size_t nearby = s_.below(3) == 0 ? garbage : sizeof(Record) + s_.below(40);
    said_ = std::string(name) + " of " + std::to_string(claim) + " bytes, garbage at " +
            std::to_string(garbage == 0 ? 0 : nearby);
    return Claimed(&record, sizeof(Record), first, claim, garbage == 0 ? 0 : nearby);
  }
  static void fill(ctconv_tensor* t, float* data, int64_t* shape) {
    t->data = data;
    t->device_type = CTCONV_DEVICE_CPU;
    t->ndim = 3;
    t->dtype_code = CTCONV_DTYPE_FLOAT;
    t->dtype_bits = 32;
    t->dtype_lanes = 1;
    t->shape = shape;
  }
  void create(const ctconv_options* options, ctconv_status* got) {
    *got = ctconv_create(desc_, &w_, nullptr, options, &op_, nullptr);
  }
  std::string judged(const Claimed& record, ctconv_status got);
  std::string options(uint64_t which);
  std::string error();
  std::string of_call();
  std::string of_grads();
  std::string of_stream();
  std::string of_argument();

  std::string& said_;
  RecordCounts& counts_;
  ctconv_desc* desc_ = nullptr;
  ctconv_op* op_ = nullptr;
  ctconv_stream* stream_ = nullptr;
  float x_data_[3] = {1, 2, 3}, w_data_[2] = {1, 1}, y_data_[4] = {};
  int64_t x_shape_[3] = {1, 1, 3}, w_shape_[3] = {1, 1, 2}, y_shape_[3] = {1, 1, 4};
  ctconv_tensor x_ = {}, w_ = {}, y_ = {};
};

std::string Life::judged(const Claimed& record, ctconv_status got) {
  said_ += std::string(" -> ") + ctconv_status_name(got);
  switch (record.expected()) {
    case Expected::kRead:
      ++counts_.read;
      return got == CTCONV_OK ? "" : "a record that can be read is refused";
    case Expected::kWrongSize:
      ++counts_.wrong_size;
      return got == CTCONV_ERR_MISUSE_STRUCT_SIZE ? "" : "a struct_size out of range is not refused as one";
    case Expected::kUnknownField:
      ++counts_.garbage;
      return got == CTCONV_ERR_MISUSE_UNKNOWN_FIELD ? "" : "a tail that is not zero is not refused as one";
  }
  return "";
}

// The options themselves, or one of the hooks inside them.
std::string Life::options(uint64_t which) {
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.threads = 1;
  ctconv_runner runner = CTCONV_RUNNER_INIT;
  runner.parallel_for = in_turn;
  ctconv_allocator allocator = CTCONV_ALLOCATOR_INIT;
  allocator.alloc = take;
  allocator.release = give;
  ctconv_status got = CTCONV_OK;
  if (which == 0) {
    const Claimed record = claimed(options, "options", ctconv::kFirstOptions);
    create(record.as<ctconv_options>(), &got);
    return judged(record, got);
  }
  if (which == 1) {
    const Claimed record = claimed(runner, "runner", ctconv::kFirstRunner);
    options.runner = record.as<ctconv_runner>();
    create(&options, &got);
    return judged(record, got);
  }
  const Claimed record = claimed(allocator, "allocator", ctconv::kFirstAllocator);
  options.allocator = record.as<ctconv_allocator>();
  create(&options, &got);
  return judged(record, got);
}

// A failure, reported into a record of any size: nothing but what fits, and its tail left alone.
std::string Life::error() {
  const ctconv_error empty = CTCONV_ERROR_INIT;
  const Claimed record = claimed(empty, "error", ctconv::kFirstError);
  ctconv_desc* none = nullptr;
  const ctconv_status got = ctconv_desc_create("no.such.dialect", &none, record.as<ctconv_error>());
  said_ += std::string(" -> ") + ctconv_status_name(got);
  if (none != nullptr) return "a failure left a pointer";
  const size_t size = record.as<ctconv_error>()->struct_size;
  if (size == 0)
    return got == CTCONV_ERR_MISUSE_DIALECT ? "" : "struct_size 0 asks for no detail, and changes no answer";
  if (record.expected() == Expected::kWrongSize) {
    ++counts_.wrong_size;
    if (!record.unchanged(0)) return "a record of a wrong size was written";
    return got == CTCONV_ERR_MISUSE_STRUCT_SIZE ? "" : "a struct_size out of range is not refused as one";
  }
  ++counts_.read;
  if (got != CTCONV_ERR_MISUSE_DIALECT || record.as<ctconv_error>()->status != got) return "another status";
  return record.unchanged(record.own()) ? "" : "the tail of an error was written";
}

std::string Life::of_call() {
  ctconv_status got = CTCONV_OK;
  create(nullptr, &got);
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x_;
  call.y = &y_;
  const Claimed record = claimed(call, "call", ctconv::kFirstCall);
  return judged(record, ctconv_execute(op_, record.as<ctconv_call>(), nullptr));
}

std::string Life::of_grads() {
  ctconv_status got = CTCONV_OK;
  create(nullptr, &got);
  float dx_data[3] = {};
  ctconv_tensor dx = {};
  fill(&dx, dx_data, x_shape_);
  ctconv_grads grads = CTCONV_GRADS_INIT;
  grads.dy = &y_;
  grads.dx = &dx;
  const Claimed record = claimed(grads, "grads", ctconv::kFirstGrads);
  return judged(record, ctconv_backward(op_, record.as<ctconv_grads>(), nullptr));
}

std::string Life::of_stream() {
  ctconv_status got = CTCONV_OK;
  create(nullptr, &got);
  const ctconv_stream_options options = CTCONV_STREAM_OPTIONS_INIT;
  const Claimed record = claimed(options, "stream options", ctconv::kFirstStreamOptions);
  return judged(record, ctconv_stream_create(op_, 1, record.as<ctconv_stream_options>(), &stream_, nullptr));
}

std::string Life::of_argument() {
  const ctconv_argument argument = CTCONV_ARGUMENT_INIT;
  const Claimed record = claimed(argument, "argument", ctconv::kFirstArgument);
  const std::string fault = judged(record, ctconv_dialect_argument("ctconv", 0, record.as<ctconv_argument>()));
  if (!fault.empty()) return fault;
  return record.unchanged(record.own()) ? "" : "the tail of an argument was written";
}

std::string Life::run() {
  const uint64_t which = s_.below(8);
  if (which < 3) return options(which);
  if (which == 3) return error();
  if (which == 4) return of_call();
  if (which == 5) return of_grads();
  return which == 6 ? of_stream() : of_argument();
}

}  // namespace

std::string one_record(Source& source, std::string* said, RecordCounts* counts) {
  return Life(source, said, counts).run();
}

}  // namespace hostile
