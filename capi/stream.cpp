// SPDX-License-Identifier: Apache-2.0
// ctconv_stream_...: an op's stream is made, pushed to, flushed, cloned and released.
#include "capi/stream.h"

#include <string>

#include "capi/first_sizes.h"
#include "capi/growth.h"
#include "src/base/utf8.h"

using namespace ctconv;

namespace {

constexpr int64_t kMostChunk = 65536;

Status out_of_range(const char* field, int64_t value, const std::string& range) {
  return argument_error(Code::MISUSE_OPTION, field, std::to_string(value), range, "is out of range");
}

Status read_options(const ctconv_stream_options* given, StreamRequest* out) {
  if (given == nullptr) return {};
  ctconv_stream_options in;
  CTCONV_RETURN_IF_ERROR(read_record(given, "ctconv_stream_options", kFirstStreamOptions, &in));
  if (in.reserved != 0) return unknown_field("ctconv_stream_options");
  if (in.chunk < 0 || in.chunk > kMostChunk)
    return out_of_range("chunk", in.chunk, "0 to " + std::to_string(kMostChunk));
  if (in.parallel != 0 && in.parallel != 1) return out_of_range("parallel", in.parallel, "0 or 1");
  out->chunk = in.chunk;
  out->alone = in.parallel == 0;
  return {};
}

Status create(const ctconv_op* op, int64_t n, const ctconv_stream_options* options, ctconv_stream** out) {
  if (op == nullptr) return null_argument("op");
  if (out == nullptr) return null_argument("stream");
  StreamRequest request{.desc = &op->desc, .backend = op->backend.get(), .activation = op->activation, .n = n};
  CTCONV_RETURN_IF_ERROR(read_options(options, &request));
  if (n < 1) return out_of_range("n", n, ">= 1");
  if (op->backend->weight() == nullptr) {
    return argument_error(Code::MISUSE_WEIGHT_MISSING, "weight", "NULL", "a tensor",
                          "was not given at create; a stream has no weights of its own");
  }
  auto plan = StreamPlan::make(request);
  if (!plan.ok()) return plan.take_status();
  auto state = Stream::make(std::move(*plan));
  if (!state.ok()) return state.take_status();
  *out = new ctconv_stream{op, std::move(*state)};
  return {};
}

Status push(ctconv_stream* stream, const ctconv_tensor* x, const ctconv_tensor* y, int64_t* written) {
  if (stream == nullptr) return null_argument("stream");
  if (written == nullptr) return null_argument("written");
  TensorView x_view, y_view;
  CTCONV_RETURN_IF_ERROR(read_pushed(*stream, x, &x_view));
  const int64_t coming = stream->state->coming(at(x_view.shape, stream->state->axis()));
  if (y != nullptr) {
    CTCONV_RETURN_IF_ERROR(read_outputs(*stream, *y, coming, &x_view, &y_view));
    CTCONV_RETURN_IF_ERROR(stream->state->push(x_view, y_view));
  }
  *written = coming;
  return {};
}

Status flush(ctconv_stream* stream, const ctconv_tensor* y, int64_t* written) {
  if (stream == nullptr) return null_argument("stream");
  if (written == nullptr) return null_argument("written");
  auto left = stream->state->left();
  if (!left.ok()) return left.take_status();
  TensorView y_view;
  if (y != nullptr) {
    CTCONV_RETURN_IF_ERROR(read_outputs(*stream, *y, *left, nullptr, &y_view));
    CTCONV_RETURN_IF_ERROR(stream->state->flush(y_view));
  }
  *written = *left;
  return {};
}

std::string text_of(const Stream& s) {
  const Schedule& schedule = s.plan().schedule();
  const std::pair<const char*, int64_t> facts[] = {{"inputs", s.inputs()},
                                                   {"outputs", schedule.known(s.inputs())},
                                                   {"delay", schedule.delay},
                                                   {"history", schedule.history},
                                                   {"chunk", s.plan().chunk()},
                                                   {"warm_up", schedule.warm_up},
                                                   {"state_bytes", static_cast<int64_t>(s.state_bytes())},
                                                   {"workspace_bytes", static_cast<int64_t>(s.workspace_bytes())}};
  std::string text;
  for (const auto& [key, value] : facts) text += std::string(key) + ": " + std::to_string(value) + "\n";
  return text;
}

}  // namespace

extern "C" {

ctconv_status ctconv_stream_create(const ctconv_op* op, int64_t n, const ctconv_stream_options* options,
                                   ctconv_stream** stream, ctconv_error* error) {
  if (stream != nullptr) *stream = nullptr;
  return guarded(error, [&] { return create(op, n, options, stream); });
}

ctconv_status ctconv_stream_push(ctconv_stream* stream, const ctconv_tensor* x, const ctconv_tensor* y,
                                 int64_t* written, ctconv_error* error) {
  if (written != nullptr) *written = 0;
  return guarded(error, [&] { return push(stream, x, y, written); });
}

ctconv_status ctconv_stream_flush(ctconv_stream* stream, const ctconv_tensor* y, int64_t* written,
                                  ctconv_error* error) {
  if (written != nullptr) *written = 0;
  return guarded(error, [&] { return flush(stream, y, written); });
}

ctconv_status ctconv_stream_reset(ctconv_stream* stream, ctconv_error* error) {
  return guarded(error, [&]() -> Status {
    if (stream == nullptr) return null_argument("stream");
    stream->state->reset();
    return {};
  });
}

ctconv_status ctconv_stream_clone(const ctconv_stream* stream, ctconv_stream** twin, ctconv_error* error) {
  if (twin != nullptr) *twin = nullptr;
  return guarded(error, [&]() -> Status {
    if (stream == nullptr) return null_argument("stream");
    if (twin == nullptr) return null_argument("twin");
    auto state = stream->state->clone();
    if (!state.ok()) return state.take_status();
    *twin = new ctconv_stream{stream->op, std::move(*state)};
    return {};
  });
}

ctconv_status ctconv_stream_delay(const ctconv_stream* stream, int64_t* delay, ctconv_error* error) {
  return guarded(error, [&]() -> Status {
    if (stream == nullptr) return null_argument("stream");
    if (delay == nullptr) return null_argument("delay");
    *delay = stream->state->plan().schedule().delay;
    return {};
  });
}

ctconv_status ctconv_stream_describe(const ctconv_stream* stream, char* buf, size_t cap, size_t* needed,
                                     ctconv_error* error) {
  if (needed != nullptr) *needed = 0;
  if (buf != nullptr && cap > 0) buf[0] = '\0';
  return guarded(error, [&]() -> Status {
    if (stream == nullptr) return null_argument("stream");
    if (buf == nullptr && cap > 0) return null_argument("buf");
    const std::string text = text_of(*stream->state);
    if (needed != nullptr) *needed = text.size() + 1;
    copy_text(text, buf, cap);
    return {};
  });
}

void ctconv_stream_destroy(ctconv_stream* stream) { delete stream; }

}  // extern "C"
