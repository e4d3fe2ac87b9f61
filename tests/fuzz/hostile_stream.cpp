// SPDX-License-Identifier: Apache-2.0
// See hostile_stream.h.
#include "tests/fuzz/hostile_stream.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

namespace hostile {
namespace {

constexpr float kUnwritten = -12345.5f;

// A float32 tensor of three axes and its memory.
struct Array {
  std::vector<int64_t> shape;
  std::vector<float> values;
  ctconv_tensor record = {};

  Array(std::vector<int64_t> extents, float value)
      : shape(std::move(extents)), values(static_cast<size_t>(shape[0] * shape[1] * shape[2]) + 1, value) {
    record.data = values.data();
    record.device_type = CTCONV_DEVICE_CPU;
    record.ndim = 3;
    record.dtype_code = CTCONV_DTYPE_FLOAT;
    record.dtype_bits = 32;
    record.dtype_lanes = 1;
    record.shape = shape.data();
  }
};

class Life : private Draws {
 public:
  Life(Source& source, std::string* said, StreamCounts* counts) : Draws(source), said_(*said), counts_(*counts) {}
  ~Life() {
    ctconv_stream_destroy(stream_);
    ctconv_destroy(op_);
    ctconv_desc_destroy(desc_);
  }
  std::string run();

 private:
  float value() { return static_cast<float>(between(-8, 8)) / 8; }
  bool fine(const char* call, ctconv_status got) {
    said_ +=
        std::string(call) + " -> " + ctconv_status_name(got) + (got ? ": " + std::string(error_.message) : "") + "\n";
    const std::string fault = fault_of(got, error_);
    if (!fault.empty()) fault_ = std::string(call) + ": " + fault;
    return fault.empty();
  }
  std::vector<int64_t> extents(int64_t channels, int64_t length) const {
    return last_ ? std::vector<int64_t>{n_, length, channels} : std::vector<int64_t>{n_, channels, length};
  }
  float& at(Array& a, int64_t n, int64_t c, int64_t i) const {
    const int64_t place = last_ ? (n * a.shape[1] + i) * a.shape[2] + c : (n * a.shape[1] + c) * a.shape[2] + i;
    return a.values[static_cast<size_t>(place)];
  }

  bool make_op();
  bool make_stream();
  std::string described();
  void step();
  void push(int64_t count);
  void flush();
  bool spoil(ctconv_tensor* t, std::vector<int64_t>* shape);
  void keep(Array& y, int64_t count);
  std::string compare(int64_t length);

  std::string& said_;
  StreamCounts& counts_;
  std::string fault_;
  ctconv_error error_ = CTCONV_ERROR_INIT;
  ctconv_desc* desc_ = nullptr;
  ctconv_op* op_ = nullptr;
  ctconv_stream* stream_ = nullptr;
  int64_t n_ = 1, ci_ = 1, co_ = 1, stride_ = 1;
  bool last_ = false;
  std::vector<std::vector<float>> came_, went_;  // by image and channel: inputs, outputs
};

bool Life::make_op() {
  n_ = between(1, 2);
  ci_ = between(1, 3);
  co_ = between(1, 3);
  stride_ = between(1, 4);
  last_ = chance(2);
  const int64_t taps = between(1, 6);
  if (!fine("desc_create", ctconv_desc_create("ctconv", &desc_, &error_))) return false;
  ctconv_desc_set_int(desc_, "in_channels", ci_);
  ctconv_desc_set_int(desc_, "out_channels", co_);
  const auto axis = [&](const char* name, int64_t v) {
    said_ += std::string(name) + " " + std::to_string(v) + "\n";
    ctconv_desc_set_ints(desc_, name, &v, 1);
  };
  axis("kernel_size", taps);
  axis("stride", stride_);
  axis("dilation", between(1, 3));
  axis("pad_begin", chance(20) ? between(60, 70) : between(0, 5));
  axis("pad_end", between(0, 5));
  axis("output_padding", chance(2) ? 0 : between(0, 6));
  if (chance(4)) axis("zero_tail", between(0, 3));
  ctconv_desc_set_string(desc_, "data_format", last_ ? "channels_last" : "channels_first");
  ctconv_desc_set_bool(desc_, "bias", 0);
  Array w({ci_, co_, taps}, 0);
  for (float& v : w.values) v = value();
  if (chance(10)) w.values[s_.below(w.values.size())] = INFINITY;
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.threads = 1;
  options.reproducible = 1;
  if (!fine("create", ctconv_create(desc_, &w.record, nullptr, &options, &op_, &error_))) return false;
  came_.assign(static_cast<size_t>(n_ * ci_), {});
  went_.assign(static_cast<size_t>(n_ * co_), {});
  return op_ != nullptr;
}

bool Life::make_stream() {
  ctconv_stream_options options = CTCONV_STREAM_OPTIONS_INIT;
  if (chance(3)) options.chunk = chance(4) ? extreme() : between(0, 9);
  if (chance(8)) options.parallel = static_cast<int32_t>(extreme());
  if (chance(20)) options.reserved = static_cast<int32_t>(extreme());
  const int64_t n = chance(12) ? extreme() : n_;
  if (n > 64) return false;  // legal, and as much memory as it says
  const ctconv_status made = ctconv_stream_create(op_, n, chance(3) ? nullptr : &options, &stream_, &error_);
  if (!fine("stream_create", made)) return false;
  if ((made == CTCONV_OK) != (stream_ != nullptr)) fault_ = "stream_create: status and pointer disagree";
  n_ = stream_ ? n : n_;
  came_.assign(static_cast<size_t>(n_ * ci_), {});
  went_.assign(static_cast<size_t>(n_ * co_), {});
  counts_.made += stream_ != nullptr;
  return stream_ != nullptr && fault_.empty();
}

std::string Life::described() {
  char text[512];
  return ctconv_stream_describe(stream_, text, sizeof text, nullptr, nullptr) == CTCONV_OK ? text : "none";
}

// True: it may be legal as far as can be told, but is not memory of ours.
bool Life::spoil(ctconv_tensor* t, std::vector<int64_t>* shape) {
  const uint64_t how = s_.below(8);
  if (how == 0) t->data = nullptr;
  if (how == 1) t->data = static_cast<char*>(t->data) + 1;
  if (how == 2) (*shape)[s_.below(3)] = extreme();
  if (how == 3) t->ndim = static_cast<int32_t>(between(-1, 9));
  if (how == 4) t->dtype_bits = static_cast<uint8_t>(s_.below(256));
  if (how == 5) t->device_type = static_cast<int32_t>(between(-1, 14));
  if (how == 6) t->shape = nullptr;
  if (how == 7) t->byte_offset = static_cast<uint64_t>(extreme());
  shape->resize(16, 1);
  if (t->shape != nullptr) t->shape = shape->data();
  return how == 2 || how == 7;
}

void Life::keep(Array& y, int64_t count) {
  for (int64_t n = 0; n < n_; ++n) {
    for (int64_t c = 0; c < co_; ++c) {
      for (int64_t i = 0; i < count; ++i) went_[static_cast<size_t>(n * co_ + c)].push_back(at(y, n, c, i));
    }
  }
}

void Life::push(int64_t count) {
  Array x(extents(ci_, count), 0);
  for (float& v : x.values) v = value();
  int64_t coming = -1;
  if (!fine("query", ctconv_stream_push(stream_, &x.record, nullptr, &coming, &error_))) return;
  if (coming < 0) return void(fault_ = "a query of a legal push was refused");
  Array y(extents(co_, coming + between(0, 2)), kUnwritten);
  ctconv_tensor bad_x = x.record, bad_y = y.record;
  std::vector<int64_t> x_shape = x.shape, y_shape = y.shape;
  if (chance(2)) {
    const std::string before = described();
    const bool of_x = chance(2);
    const bool elsewhere = of_x ? spoil(&bad_x, &x_shape) : spoil(&bad_y, &y_shape);
    int64_t written = -1;
    const ctconv_status got = ctconv_stream_push(stream_, &bad_x, elsewhere ? nullptr : &bad_y, &written, &error_);
    if (!fine("push with a fault", got)) return;
    if (got == CTCONV_OK && !elsewhere) return void(fault_ = "unknown");  // it was no fault: the stream went on
    if (written < 0) fault_ = "push: *written was not set";
    if (described() != before) fault_ = "push: a refusal changed the stream";
    for (float v : y.values) {
      if (v != kUnwritten) fault_ = "push: a refusal wrote to y";
    }
    ++counts_.refused;
    if (!fault_.empty()) return;
  }
  int64_t written = -1;
  if (!fine("push", ctconv_stream_push(stream_, &x.record, &y.record, &written, &error_))) return;
  if (written != coming) return void(fault_ = "push: another number of outputs than the query said");
  if (y.values.back() != kUnwritten) fault_ = "push: wrote beyond y";
  for (int64_t n = 0; n < n_; ++n) {
    for (int64_t c = 0; c < ci_; ++c) {
      for (int64_t i = 0; i < count; ++i) came_[static_cast<size_t>(n * ci_ + c)].push_back(at(x, n, c, i));
    }
  }
  keep(y, written);
  ++counts_.pushed;
}

// What went out is one whole call of what came in.
std::string Life::compare(int64_t length) {
  Array x(extents(ci_, length), 0);
  for (int64_t n = 0; n < n_; ++n) {
    for (int64_t c = 0; c < ci_; ++c) {
      for (int64_t i = 0; i < length; ++i)
        at(x, n, c, i) = came_[static_cast<size_t>(n * ci_ + c)][static_cast<size_t>(i)];
    }
  }
  const auto outputs = static_cast<int64_t>(went_[0].size());
  Array y(extents(co_, outputs), 0);
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x.record;
  call.y = &y.record;
  if (!fine("execute", ctconv_execute(op_, &call, &error_))) return fault_;
  for (int64_t n = 0; n < n_; ++n) {
    for (int64_t c = 0; c < co_; ++c) {
      const std::vector<float>& row = went_[static_cast<size_t>(n * co_ + c)];
      for (int64_t i = 0; i < outputs; ++i) {
        const float a = at(y, n, c, i), b = row[static_cast<size_t>(i)];
        const bool nan = std::isnan(a) && std::isnan(b);  // of any sign: an Inf is among the weights
        if (!nan && std::memcmp(&a, &b, sizeof a) != 0) {
          return "y[" + std::to_string(n) + ", " + std::to_string(c) + ", " + std::to_string(i) + "] is " +
                 std::to_string(b) + ", the call's " + std::to_string(a);
        }
      }
    }
  }
  return error_.status == CTCONV_OK ? "" : "the whole call was refused, the flush was not";
}

void Life::flush() {
  int64_t left = -1, written = -1;
  const ctconv_status asked = ctconv_stream_flush(stream_, nullptr, &left, &error_);
  if (!fine("flush query", asked)) return;
  Array y(extents(co_, asked == CTCONV_OK ? left : 1), kUnwritten);
  const ctconv_status got = ctconv_stream_flush(stream_, &y.record, &written, &error_);
  if (!fine("flush", got)) return;
  if (got != asked || (got == CTCONV_OK && written != left)) return void(fault_ = "flush: not what the query said");
  if (got != CTCONV_OK) return;  // too short for its pads: the stream goes on
  keep(y, written);
  const auto length = static_cast<int64_t>(came_[0].size());
  if (length > 0) fault_ = compare(length);
  for (auto& row : came_) row.clear();
  for (auto& row : went_) row.clear();
  ++counts_.flushed;
}

void Life::step() {
  const uint64_t how = s_.below(12);
  if (how < 8) return push(chance(3) ? between(0, 40) : between(0, 4));
  if (how == 8) {
    ctconv_stream* twin = nullptr;
    if (!fine("clone", ctconv_stream_clone(stream_, &twin, &error_)) || twin == nullptr) return;
    ctconv_stream_destroy(stream_);
    stream_ = twin;
  } else if (how == 9 && chance(3)) {
    fine("reset", ctconv_stream_reset(stream_, &error_));
    for (auto& row : came_) row.clear();
    for (auto& row : went_) row.clear();
  } else {
    flush();
  }
}

std::string Life::run() {
  if (!make_op() || !make_stream()) return fault_;
  for (int64_t n = between(1, 20); n > 0 && fault_.empty(); --n) step();
  if (fault_ == "unknown") fault_.clear();
  return fault_;
}

}  // namespace

std::string one_stream(Source& source, std::string* said, StreamCounts* counts) {
  return Life(source, said, counts).run();
}

}  // namespace hostile
