// SPDX-License-Identifier: Apache-2.0
// The calls a stream is made of, planned before its first input. Shared by its clones.
//
//   in:  an op's descriptor, weight, activation and backend; the batch; the most inputs of one step
//   out: pieces: a FixedCall each, what it reads behind itself and how many outputs it writes
//        steps     of 1, 2, 4, ... inputs, once a stream is warm; those above `copied` for a y that lies as the piece's
//        warm_ups  of one input each, before that: fewer inputs stand behind them
//        rests     what a flush computes after 0, 1, ... inputs; the last serves every longer stream
//        Where the warm-up is longer than kMostHeld, its pieces are made when they are needed.
//   x of a piece lies in rows of `room` inputs; y of a piece is dense.
//   refuses: what judge_streamable, schedule_of and the backend refuse; no memory
#pragma once

#include <memory>
#include <vector>

#include "src/backend/backend.h"
#include "src/stream/schedule.h"

namespace ctconv {

struct StreamRequest {
  const Descriptor* desc = nullptr;  // of the op, which outlives the stream
  Backend* backend = nullptr;        // likewise
  Activation activation;
  int64_t n = 1;
  int64_t chunk = 0;  // cut to a power of two; 0: chosen
  bool alone = true;  // the calling thread computes
};

// The shape of so many channels and positions of the stream's batch, dense in the dialect's order; it lies nowhere.
TensorView dense_line(const StreamRequest& request, ElementType type, int64_t channels, int64_t positions);
// x as a call of the op would judge it.
Result<Geometry> judge_line(const StreamRequest& request, const TensorView& x);

struct Piece {
  std::shared_ptr<const FixedCall> call;  // null: no output comes
  int64_t back = 0;                       // its window begins so many inputs before its own first
  int64_t outputs = 0;
};

class StreamPlan {
 public:
  static Result<std::shared_ptr<const StreamPlan>> make(const StreamRequest& request);

  const Schedule& schedule() const { return schedule_; }
  const Geometry& geometry() const { return geometry_; }  // at some length
  const StreamRequest& request() const { return request_; }
  int64_t chunk() const { return chunk_; }    // inputs of the longest step
  int64_t copied() const { return copied_; }  // of the longest whose outputs have room in the stream
  int64_t room() const { return schedule_.history + chunk_; }
  size_t workspace_bytes() const { return workspace_bytes_; }
  int64_t most_outputs() const { return most_outputs_; }

  // The whole output's extent after so many inputs; what a whole call of that length would refuse.
  Result<int64_t> whole(int64_t inputs) const;
  // Of `count` inputs that follow the first `inputs`; count is a power of two, and 1 while the stream warms up.
  Result<Piece> step(int64_t inputs, int64_t count) const;
  // What is left after all inputs.
  Result<Piece> rest(int64_t inputs) const;

 private:
  static constexpr int64_t kMostHeld = 64;  // warm-up pieces made beforehand

  explicit StreamPlan(const StreamRequest& request) : request_(request) {}
  Status fix_sizes();
  Status fix_pieces();
  Result<Piece> made(int64_t inputs, int64_t total, int64_t begin, int64_t end) const;
  Result<Piece> made_step(int64_t inputs, int64_t count) const;
  Result<Piece> made_rest(int64_t inputs) const;
  Status keep(Result<Piece> piece, std::vector<Piece>* list, bool copied = true);

  const StreamRequest request_;
  Geometry geometry_;
  Schedule schedule_;
  int64_t chunk_ = 1, copied_ = 1, most_outputs_ = 0;
  size_t workspace_bytes_ = 0;
  std::vector<Piece> steps_, warm_ups_, rests_;
};

}  // namespace ctconv
