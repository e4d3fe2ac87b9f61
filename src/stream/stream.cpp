// SPDX-License-Identifier: Apache-2.0
// Pushing and flushing; see stream.h.
#include "src/stream/stream.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "src/base/at.h"
#include "src/base/checked.h"
#include "src/stream/move.h"

namespace ctconv {
namespace {

TensorView dense_view(const StreamPlan& plan, int64_t channels, int64_t positions, void* data) {
  TensorView t = dense_line(plan.request(), plan.geometry().type, channels, positions);
  t.data = data;
  return t;
}

// Both views step alike from element to element.
bool lie_alike(const TensorView& a, const TensorView& b) {
  for (int axis = 0; axis < 3; ++axis)
    if (at(a.shape, axis) > 1 && at(a.strides, axis) != at(b.strides, axis)) return false;
  return true;
}

Status no_memory(const Checked& bytes) {
  std::string count = "2^63 or more";
  if (bytes.ok()) count = std::to_string(bytes.value());
  return Status(Code::NO_MEMORY, "stream: no memory for " + count + " bytes of state");
}

// Elements of a dense view, in bytes; the buffer is empty where there is no memory.
Status take(const StreamPlan& plan, int64_t channels, int64_t positions, Buffer* out) {
  const Checked bytes = Checked(plan.geometry().n) * channels * positions * bytes_of(plan.geometry().type);
  if (!bytes.ok()) return no_memory(bytes);
  *out = Buffer(plan.request().backend->options().allocator, static_cast<size_t>(bytes.value()));
  return out->ok() ? Status() : no_memory(bytes);
}

}  // namespace

Result<std::unique_ptr<Stream>> Stream::make(std::shared_ptr<const StreamPlan> plan) {
  std::unique_ptr<Stream> s(new Stream(std::move(plan)));
  const StreamPlan& p = *s->plan_;
  CTCONV_RETURN_IF_ERROR(take(p, p.geometry().in_channels, p.room(), &s->inputs_buffer_));
  CTCONV_RETURN_IF_ERROR(take(p, p.geometry().out_channels, p.most_outputs(), &s->outputs_buffer_));
  s->workspace_ = Buffer(p.request().backend->options().allocator, p.workspace_bytes());
  if (!s->workspace_.ok()) return no_memory(static_cast<int64_t>(p.workspace_bytes()));
  s->rows_ = dense_view(p, p.geometry().in_channels, p.room(), s->inputs_buffer_.data());
  return s;
}

Result<std::unique_ptr<Stream>> Stream::clone() const {
  auto twin = make(plan_);
  if (!twin.ok()) return twin.take_status();
  Stream& s = **twin;
  if (inputs_buffer_.bytes() != 0) {
    std::memcpy(s.inputs_buffer_.data(), inputs_buffer_.data(), inputs_buffer_.bytes());
  }
  s.inputs_ = inputs_;
  s.held_ = held_;
  return twin;
}

void Stream::reset() { inputs_ = held_ = added_ = 0; }

int64_t Stream::coming(int64_t count) const {
  return plan_->schedule().known(inputs_ + count) - plan_->schedule().known(inputs_);
}

Result<int64_t> Stream::left() const {
  if (inputs_ == 0) return int64_t{0};
  auto whole = plan_->whole(inputs_);
  if (!whole.ok()) return whole.take_status();
  return std::max<int64_t>(*whole - plan_->schedule().known(inputs_), 0);
}

// Where outputs stand before they are copied to y.
TensorView Stream::block_of(const Piece& piece) const {
  return dense_view(*plan_, plan_->geometry().out_channels, piece.outputs, outputs_buffer_.data());
}

// One piece into y, or into the block of outputs and from there to y.
Status Stream::run(const Piece& piece, const TensorView& y, int64_t y_at) {
  if (piece.call == nullptr) return {};
  const size_t need = piece.call->workspace_bytes();
  if (need > workspace_.bytes()) {  // a piece made just now
    workspace_ = Buffer(plan_->request().backend->options().allocator, need);
    if (!workspace_.ok()) return no_memory(static_cast<int64_t>(need));
  }
  const TensorView block = block_of(piece);
  const bool alike = lie_alike(block, y);
  const int64_t offset = (held_ - piece.back) * at(rows_.strides, axis()) * bytes_of(rows_.type);
  void* x = static_cast<char*>(rows_.data) + offset;
  void* to = alike ? static_cast<char*>(y.data) + y_at * at(y.strides, axis()) * bytes_of(y.type) : block.data;
  CTCONV_RETURN_IF_ERROR(piece.call->run(x, to, workspace_.data()));
  if (!alike) move_rows(block, 0, y, y_at, axis(), piece.outputs);
  return {};
}

void Stream::append(const TensorView& x, int64_t from, int64_t count) {
  move_rows(x, from, rows_, held_, axis(), count);
  added_ = count;
}

// The running step becomes history, of which the last inputs are kept.
void Stream::forget() {
  const int64_t all = held_ + added_, keep = std::min(all, plan_->schedule().history);
  const auto size = static_cast<size_t>(bytes_of(rows_.type) * at(rows_.strides, axis()));
  const int64_t planes = axis() == 2 ? rows_.shape[0] * rows_.shape[1] : rows_.shape[0];
  const size_t plane = size * static_cast<size_t>(at(rows_.shape, axis()));
  for (int64_t p = 0; p < planes && keep != all; ++p) {
    char* row = static_cast<char*>(rows_.data) + static_cast<size_t>(p) * plane;
    std::memmove(row, row + static_cast<size_t>(all - keep) * size, static_cast<size_t>(keep) * size);
  }
  inputs_ += added_;
  held_ = keep;
  added_ = 0;
}

// The piece of the next step, of `count` inputs at most.
Result<Piece> Stream::next(int64_t count, const TensorView& y, int64_t* step) const {
  const int64_t most = std::min(count, plan_->chunk());
  const bool warm = inputs_ >= plan_->schedule().warm_up;
  *step = warm ? static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(most))) : 1;
  auto piece = plan_->step(inputs_, *step);
  if (!piece.ok() || *step <= plan_->copied() || lie_alike(block_of(*piece), y)) return piece;
  *step = plan_->copied();
  return plan_->step(inputs_, *step);
}

Status Stream::push(const TensorView& x, const TensorView& y) {
  const int64_t count = at(x.shape, axis());
  int64_t written = 0;
  for (int64_t from = 0; from < count;) {
    int64_t step = 1;
    auto piece = next(count - from, y, &step);
    if (!piece.ok()) return piece.take_status();
    append(x, from, step);
    CTCONV_RETURN_IF_ERROR(run(*piece, y, written));
    written += piece->outputs;
    from += step;
    forget();
  }
  return {};
}

Status Stream::flush(const TensorView& y) {
  auto piece = plan_->rest(inputs_);
  if (!piece.ok()) return piece.take_status();
  CTCONV_RETURN_IF_ERROR(run(*piece, y, 0));
  reset();
  return {};
}

}  // namespace ctconv
