// SPDX-License-Identifier: Apache-2.0
// One signal without an end: inputs go in, the outputs that are known come out, the rest at the end.
//
//   in:  a StreamPlan;  inputs of any number at a time
//   out: all outputs one after the other are, to the bit, y of one whole call with the reference's bits
//   state: the last `history` inputs, and how many came; bounded, whatever came before
//   push   appends inputs, writes coming(count) outputs          one thread at a time
//          Each step writes into a block of the stream, from where it is copied; into y itself where y lies alike.
//   flush  writes what is left, and is as new                    after NO_MEMORY or MISUSE_RUNNER: reset
//   refuses: what its pieces refuse; tensors are judged by who calls (capi/stream.cpp)
#pragma once

#include <memory>

#include "src/base/memory.h"
#include "src/stream/plan.h"

namespace ctconv {

class Stream {
 public:
  static Result<std::unique_ptr<Stream>> make(std::shared_ptr<const StreamPlan> plan);
  Result<std::unique_ptr<Stream>> clone() const;
  void reset();

  const StreamPlan& plan() const { return *plan_; }
  int64_t inputs() const { return inputs_; }
  int axis() const { return plan_->request().desc->channels_last ? 1 : 2; }  // of x and y, along which it runs

  size_t state_bytes() const { return inputs_buffer_.bytes() + outputs_buffer_.bytes(); }
  size_t workspace_bytes() const { return workspace_.bytes(); }

  // Outputs that `count` further inputs make known.
  int64_t coming(int64_t count) const;
  // Outputs a flush would write; what a whole call of the inputs so far would refuse. 0 before the first input.
  Result<int64_t> left() const;

  Status push(const TensorView& x, const TensorView& y);
  Status flush(const TensorView& y);

 private:
  explicit Stream(std::shared_ptr<const StreamPlan> plan) : plan_(std::move(plan)) {}
  TensorView block_of(const Piece& piece) const;
  Result<Piece> next(int64_t count, const TensorView& y, int64_t* step) const;
  Status run(const Piece& piece, const TensorView& y, int64_t y_at);
  void append(const TensorView& x, int64_t from, int64_t count);
  void forget();

  const std::shared_ptr<const StreamPlan> plan_;
  Buffer inputs_buffer_, outputs_buffer_, workspace_;
  TensorView rows_;               // the inputs held, then those of the running step
  int64_t inputs_ = 0;            // that came
  int64_t held_ = 0, added_ = 0;  // of them in rows_: before the running step, and of it
};

}  // namespace ctconv
