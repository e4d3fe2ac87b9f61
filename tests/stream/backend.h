// SPDX-License-Identifier: Apache-2.0
// A backend whose pieces do nothing but count, and fail where they are told.
#pragma once

#include "src/stream/stream.h"

namespace ctconv::test {

// What the backend was told, and what it saw.
struct Script {
  int fix_fails_at = 0, run_fails_at = 0;  // the n-th from now on; 0: never
  int fixed = 0, runs = 0;
  size_t workspace = 0, workspace_of_later = 0;  // bytes a piece asks for; of pieces fixed after the stream was made
  bool made = false;
};

class FakeBackend final : public Backend {
 public:
  FakeBackend(Options options, Script* script);
  Status check_given(const TensorView&, const char*) const override { return {}; }
  Status check_operand(const TensorView&, const char*) const override { return {}; }
  Status check_stream(const void*) const override { return {}; }
  bool takes_cuda_types() const override { return false; }
  Status adopt(const TensorView* weight, const TensorView* bias) override;
  Result<size_t> prepare(const WorkCall&) override { return size_t{0}; }
  Status execute(const WorkCall&) override { return {}; }
  Result<PlanFacts> describe(const WorkCall&) override { return PlanFacts(); }
  Result<size_t> prepare_backward(const GradientCall&) override { return size_t{0}; }
  Status backward(const GradientCall&) override { return {}; }
  Result<GradientFacts> describe_backward(const GradientCall&) override { return GradientFacts(); }
  Result<std::unique_ptr<FixedCall>> fix(const Problem& problem, bool alone) override;
  OpFacts held() const override { return {}; }

 private:
  Script* const script_;
};

// One axis: what the dialect "ctconv" says of (ci, co, k, s, d, lo, hi).
struct Line {
  int64_t ci = 1, co = 1, k = 3, s = 1, d = 1, lo = 0, hi = 0;
};

// A stream of that line over the fake backend, its weight zeros.
struct Setup {
  explicit Setup(const Line& line, Options options = {});
  Result<std::shared_ptr<const StreamPlan>> plan() { return StreamPlan::make(request); }
  Result<std::unique_ptr<Stream>> stream();

  Script script;
  FakeBackend backend;
  Descriptor desc;
  std::vector<float> weight;
  TensorView weight_view;
  StreamRequest request;
};

// A dense tensor of n images, so many channels and positions, over `data`.
TensorView view(std::vector<float>* data, int64_t n, int64_t channels, int64_t positions);

}  // namespace ctconv::test
