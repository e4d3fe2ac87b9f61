// SPDX-License-Identifier: Apache-2.0
// Planning a stream: every piece is a region of the call so far; see plan.h.
#include "src/stream/plan.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "src/base/at.h"
#include "src/base/checked.h"
#include "src/problem/canonicalize.h"
#include "src/problem/judge/facts.h"
#include "src/problem/region.h"

namespace ctconv {
namespace {

constexpr int64_t kLeastChunk = 16;
// Outputs that are copied to y stay in the second-level cache until then; a step that writes y itself may be longer, so
// that weights beyond the cache are read less often.
constexpr int64_t kMostCopied = 512, kCopiedBytes = 512 << 10;
constexpr int64_t kMostChunk = 2048, kStepOutputs = 4096, kStepBytes = 4 << 20;

// Inputs of a step: as many as `bytes` hold rows of so many elements, of every image.
int64_t inputs_in(int64_t bytes, const Geometry& g, int64_t row, int64_t most) {
  const Checked size = Checked(std::max<int64_t>(g.n, 1)) * row * bytes_of(g.type);
  const int64_t fits = size.ok() ? bytes / std::max<int64_t>(size.value(), 1) : 1;
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::clamp(fits, kLeastChunk, most))));
}

Result<Geometry> judged(const StreamRequest& r, int64_t length) {
  const TensorView* weight = r.backend->weight();
  const CallTensors told{.w = weight};
  return judge_line(r, dense_line(r, weight->type, Facts(*r.desc, told).in_channels(), length));
}

// A length that pads do not eat up.
Result<Geometry> judged_at_some_length(const StreamRequest& r) {
  for (int64_t length = int64_t{1} << 10;; length <<= 10) {
    auto geometry = judged(r, length);
    const bool longer = !geometry.ok() && geometry.status().code() == Code::SHAPE_OUTPUT_EMPTY;
    if (!longer || length >= int64_t{1} << 40) return geometry;
  }
}

int64_t core_of(const AxisSizes& a, int64_t inputs) { return a.core + (inputs - a.in) * a.s; }

}  // namespace

TensorView dense_line(const StreamRequest& r, ElementType type, int64_t channels, int64_t positions) {
  TensorView t;
  t.type = type;
  t.ndim = 3;
  t.shape = {r.n, r.desc->channels_last ? positions : channels, r.desc->channels_last ? channels : positions};
  t.strides = dense_strides(t.dims());
  return t;
}

Result<Geometry> judge_line(const StreamRequest& r, const TensorView& x) {
  return judge_call(*r.desc, {.x = &x,
                              .w = r.backend->weight(),
                              .b = r.backend->bias(),
                              .weights_judged = true,
                              .bias_judged = true,
                              .cuda = r.backend->takes_cuda_types()});
}

Status StreamPlan::fix_sizes() {
  CTCONV_RETURN_IF_ERROR(judge_streamable(*request_.desc));
  auto geometry = judged_at_some_length(request_);
  if (!geometry.ok()) return geometry.take_status();
  geometry_ = *geometry;
  auto schedule = schedule_of(geometry_.axis[0]);
  if (!schedule.ok()) return schedule.take_status();
  schedule_ = *schedule;
  const Checked outputs = Checked(geometry_.out_channels) * schedule_.stride;
  const int64_t row = outputs.ok() ? outputs.value() : INT64_MAX;
  const int64_t most = std::clamp(kStepOutputs / schedule_.stride, kLeastChunk, kMostChunk);
  chunk_ = std::min(inputs_in(kStepBytes, geometry_, row, most),
                    inputs_in(kStepBytes, geometry_, geometry_.in_channels, most));
  copied_ = inputs_in(kCopiedBytes, geometry_, row, kMostCopied);
  if (request_.chunk != 0) chunk_ = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(request_.chunk)));
  copied_ = request_.chunk != 0 ? chunk_ : std::min(copied_, chunk_);
  return {};
}

Result<Piece> StreamPlan::made(int64_t inputs, int64_t total, int64_t begin, int64_t end) const {
  if (begin >= end || geometry_.n == 0)
    return Piece{.call = nullptr, .back = 0, .outputs = std::max<int64_t>(end - begin, 0)};
  Geometry whole = geometry_;
  AxisSizes& axis = whole.axis[0];
  axis.core = core_of(axis, total);
  axis.in = total;
  auto region = region_of(whole, {.begin = {begin, 0, 0}, .end = {end, 0, 0}});
  if (!region.ok()) return region.take_status();
  const TensorView x = dense_line(request_, geometry_.type, geometry_.in_channels, room());
  Problem problem = canonicalize(*request_.desc, region->geometry,
                                 {.x = &x,
                                  .w = request_.backend->weight(),
                                  .bias = request_.backend->bias() != nullptr,
                                  .act = request_.activation});
  auto call = request_.backend->fix(problem, request_.alone);
  if (!call.ok()) return call.take_status();
  return Piece{.call = std::move(*call), .back = inputs - region->x_begin[0], .outputs = end - begin};
}

Result<Piece> StreamPlan::made_step(int64_t inputs, int64_t count) const {
  return made(inputs, inputs + count, schedule_.known(inputs), schedule_.known(inputs + count));
}

Result<Piece> StreamPlan::made_rest(int64_t inputs) const {
  const AxisSizes& axis = geometry_.axis[0];
  const int64_t core = core_of(axis, inputs);
  if (inputs == 0 || core < 0) return Piece();  // no whole call of that length
  return made(inputs, inputs, schedule_.known(inputs), core + axis.tail);
}

Status StreamPlan::keep(Result<Piece> piece, std::vector<Piece>* list, bool copied) {
  if (!piece.ok()) return piece.take_status();
  if (copied) most_outputs_ = std::max(most_outputs_, piece->outputs);
  if (piece->call) workspace_bytes_ = std::max(workspace_bytes_, piece->call->workspace_bytes());
  list->push_back(std::move(*piece));
  return {};
}

Status StreamPlan::fix_pieces() {
  const int64_t warm = schedule_.warm_up;
  most_outputs_ = schedule_.known(1);
  for (int64_t count = 1; count <= chunk_; count *= 2)
    CTCONV_RETURN_IF_ERROR(keep(made_step(warm, count), &steps_, count <= copied_));
  if (warm > kMostHeld) return keep(made_rest(warm), &rests_);
  for (int64_t inputs = 0; inputs < warm; ++inputs) CTCONV_RETURN_IF_ERROR(keep(made_step(inputs, 1), &warm_ups_));
  for (int64_t inputs = 0; inputs <= warm; ++inputs) CTCONV_RETURN_IF_ERROR(keep(made_rest(inputs), &rests_));
  return {};
}

Result<std::shared_ptr<const StreamPlan>> StreamPlan::make(const StreamRequest& request) {
  std::shared_ptr<StreamPlan> plan(new StreamPlan(request));
  CTCONV_RETURN_IF_ERROR(plan->fix_sizes());
  CTCONV_RETURN_IF_ERROR(plan->fix_pieces());
  return std::shared_ptr<const StreamPlan>(std::move(plan));
}

Result<int64_t> StreamPlan::whole(int64_t inputs) const {
  auto geometry = judged(request_, inputs);
  if (!geometry.ok()) return geometry.take_status();
  return geometry->axis[0].out();
}

Result<Piece> StreamPlan::step(int64_t inputs, int64_t count) const {
  if (inputs >= schedule_.warm_up) return at(steps_, std::bit_width(static_cast<uint64_t>(count)) - 1);
  if (warm_ups_.empty()) return made_step(inputs, 1);
  return at(warm_ups_, inputs);
}

Result<Piece> StreamPlan::rest(int64_t inputs) const {
  if (inputs >= schedule_.warm_up) return rests_.back();
  if (warm_ups_.empty()) return made_rest(inputs);
  return at(rests_, inputs);
}

}  // namespace ctconv
