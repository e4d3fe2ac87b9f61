/* SPDX-License-Identifier: Apache-2.0 */
// Streams for C++17: a 1-D op over signals that never end, on top of ctconv_stream.h (which is the manual).
//
//   in:  an Op with its weight, which outlives the stream; inputs in any portions;   out: the outputs known by them
//   A failed call throws ctconv::error.
//
//   ctconv::Stream stream(op, 1);
//   std::int64_t count = stream.coming(x);                 // outputs that this x makes known
//   stream.push(x, ctconv::view(out.data(), {1, 8, count}));
//   stream.flush(ctconv::view(rest.data(), {1, 8, stream.left()}));
//
// One thread at a time per stream.
#ifndef CTCONV_STREAM_HPP_
#define CTCONV_STREAM_HPP_

#include "ctconv.hpp"

namespace ctconv {
inline namespace cxx {

// ctconv_stream_options with every default.
struct StreamOptions : ctconv_stream_options {
  StreamOptions() : ctconv_stream_options(CTCONV_STREAM_OPTIONS_INIT) {}
};

class Stream {
 public:
  explicit Stream(const Op& op, std::int64_t n = 1, const StreamOptions& options = StreamOptions()) {
    ctconv_error e = CTCONV_ERROR_INIT;
    ctconv_stream* made = nullptr;
    check(ctconv_stream_create(op.get(), n, &options, &made, &e), e);
    stream_.reset(made);
  }

  // Outputs that x makes known; nothing is appended.
  std::int64_t coming(const ConstTensor& x) const { return push(x, nullptr); }
  // Appends x, writes those outputs to the first positions of y, and says how many they are.
  std::int64_t push(const ConstTensor& x, const Tensor& y) { return push(x, &y); }
  // Outputs a flush would write.
  std::int64_t left() const { return flush(nullptr); }
  // Writes them; the stream is then as new.
  std::int64_t flush(const Tensor& y) { return flush(&y); }
  void reset() {
    ctconv_error e = CTCONV_ERROR_INIT;
    check(ctconv_stream_reset(get(), &e), e);
  }
  // A second stream that goes on from here.
  Stream clone() const {
    ctconv_error e = CTCONV_ERROR_INIT;
    ctconv_stream* made = nullptr;
    check(ctconv_stream_clone(get(), &made, &e), e);
    return Stream(made);
  }
  // By how many outputs y lags behind inputs * stride.
  std::int64_t delay() const {
    ctconv_error e = CTCONV_ERROR_INIT;
    std::int64_t outputs = 0;
    check(ctconv_stream_delay(get(), &outputs, &e), e);
    return outputs;
  }
  // `key: value` lines: inputs, outputs, delay, history, chunk, bytes held.
  std::string describe() const {
    ctconv_error e = CTCONV_ERROR_INIT;
    std::size_t needed = 0;
    check(ctconv_stream_describe(get(), nullptr, 0, &needed, &e), e);
    std::string text(needed, '\0');
    check(ctconv_stream_describe(get(), text.data(), text.size(), &needed, &e), e);
    text.resize(needed - 1);
    return text;
  }
  ctconv_stream* get() const { return stream_.get(); }

 private:
  struct Destroy {
    void operator()(ctconv_stream* p) const { ctconv_stream_destroy(p); }
  };
  explicit Stream(ctconv_stream* stream) : stream_(stream) {}
  std::int64_t push(const ConstTensor& x, const Tensor* y) const {
    const ctconv_tensor tx = x.c(), ty = y ? y->c() : ctconv_tensor{};
    ctconv_error e = CTCONV_ERROR_INIT;
    std::int64_t written = 0;
    check(ctconv_stream_push(get(), &tx, y ? &ty : nullptr, &written, &e), e);
    return written;
  }
  std::int64_t flush(const Tensor* y) const {
    const ctconv_tensor ty = y ? y->c() : ctconv_tensor{};
    ctconv_error e = CTCONV_ERROR_INIT;
    std::int64_t written = 0;
    check(ctconv_stream_flush(get(), y ? &ty : nullptr, &written, &e), e);
    return written;
  }

  std::unique_ptr<ctconv_stream, Destroy> stream_;
};

}  // namespace cxx
}  // namespace ctconv

#endif  // CTCONV_STREAM_HPP_
