// SPDX-License-Identifier: Apache-2.0
// The weight gradients' kernels as rows of the table: form, how the chains are shared out, estimate, run.
//
//   in:      a Request for a problem that writes w, or the bias alone
//   out:     plans, the least estimated time first
//   refuses: what weights_forms.cpp refuses
//   Where one chain's blocks leave the device idle, chains lie side by side in the workspace (as far as the limit lets
//   them), and weights_add sums them. All keep the reference's bits. The estimates are not fitted: no run yet.
#include <algorithm>

#include "cuda/engine.h"
#include "cuda/kernels/gradient_launch.h"

namespace ctconv::cuda {
namespace {

constexpr double kBlocksWanted = 8;      // of a multiprocessor
constexpr double kDirectThreads = 1024;  // of a multiprocessor

Status refusal(std::string reason) { return Status(Code::UNSUPPORTED_ENGINE, std::move(reason)); }

double peak_of(const Request& r) { return r.problem.dtype == CTCONV_CUDA_F64 ? r.device.f64 : r.device.f32; }

std::string chains_text(const WeightsParams& p, int64_t together) {
  if (p.chains == 1) return ", one chain";
  if (together == 0) return ", " + std::to_string(p.chains) + " chains one after the other";
  return ", " + std::to_string(p.chains) + " chains, " + std::to_string(together) + " side by side";
}

// The launches of a call: `launch` computes sums, weights_add adds their rows.
template <class Launch>
Status run_chains(WeightsParams* p, int64_t together, int32_t dtype, const DeviceCall& call, Launch&& launch) {
  p->x = call.x;
  p->y = call.y;
  p->w = call.w;
  chains_place(together, accumulator_bytes(dtype), call.workspace, p);
  Status status;
  const auto keep = [&](Status answer) {
    if (status.ok()) status = std::move(answer);
  };
  each_launch(
      p, together, [&] { keep(launch()); },
      [&] { keep(launched(launch_weights_add(dtype, *p, call.stream), "weights, sum of the chains")); });
  return status;
}

// Rows are written and read once more; rounds are launches.
double chains_seconds(const Request& r, const WeightsParams& p, int64_t together) {
  if (together == 0) return 0;
  const double rounds = static_cast<double>((p.chains + together - 1) / together);
  const double bytes =
      2.0 * static_cast<double>(p.chains * p.weights) * static_cast<double>(accumulator_bytes(r.problem.dtype));
  return bytes / (0.7 * r.device.bytes_per_second) + (2 * rounds - 1) * r.device.launch_seconds;
}

class WeightsPlan final : public DevicePlan {
 public:
  explicit WeightsPlan(const Request& r) : dtype_(r.problem.dtype) {
    weights_form(r.problem, &params_);
    const double threads = std::max(1, r.device.processors) * kDirectThreads;
    const auto wanted = static_cast<int64_t>(threads / static_cast<double>(params_.weights)) + 1;
    together_ = chains_together(params_, wanted, accumulator_bytes(dtype_), r.workspace_limit);
    const double side = static_cast<double>(params_.weights) * static_cast<double>(std::max<int64_t>(1, together_));
    const double busy = std::min(1.0, side / threads);
    seconds_ = estimate(r.device, moved_bytes(r.problem), 0.3, useful_flop(r.problem), peak_of(r), 0.02 * busy, 1) +
               chains_seconds(r, params_, together_);
  }
  const char* row() const override { return "weights-direct"; }
  std::string form() const override { return "one thread a weight" + chains_text(params_, together_); }
  double seconds() const override { return seconds_; }
  size_t workspace() const override { return chains_workspace(params_, together_, accumulator_bytes(dtype_)); }
  Status run(const DeviceCall& call) const override {
    WeightsParams p = params_;
    return run_chains(&p, together_, dtype_, call,
                      [&] { return launched(launch_weights(dtype_, p, call.stream), "weights-direct"); });
  }

 private:
  int32_t dtype_;
  WeightsParams params_;
  int64_t together_;
  double seconds_;
};

// Shares of the peak by tile: how many products a load from shared memory serves.
double share_of(const WeightsConfig& c) {
  if (c.bm * c.bn >= 8192) return 0.5;
  if (c.bm * c.bn >= 4096) return 0.35;
  return c.bm * c.bn >= 1024 ? 0.2 : 0.06;
}

class WeightsGemmPlan final : public DevicePlan {
 public:
  WeightsGemmPlan(const Request& r, const WeightsGemmParams& form, size_t config)
      : dtype_(r.problem.dtype), config_(config), params_(form) {
    const WeightsConfig& tile = weights_configs()[config];
    weights_tile(tile, &params_);
    const auto blocks = static_cast<double>(weights_blocks(params_));
    const double processors = std::max(1, r.device.processors);
    const auto wanted = static_cast<int64_t>(kBlocksWanted * processors / blocks) + 1;
    together_ = chains_together(params_.w, wanted, accumulator_bytes(dtype_), r.workspace_limit);
    const double side = blocks * static_cast<double>(std::max<int64_t>(1, together_));
    const double busy = std::min(1.0, side / processors);
    const double flop = 2.0 * blocks * tile.bm * tile.bn * static_cast<double>(params_.places);
    seconds_ = estimate(r.device, moved_bytes(r.problem), 0.5, flop, peak_of(r), share_of(tile) * busy, 1) +
               chains_seconds(r, params_.w, together_);
  }
  const char* row() const override { return "weights-gemm"; }
  std::string form() const override {
    const WeightsConfig& c = weights_configs()[config_];
    return "tile " + std::to_string(c.bm) + " x " + std::to_string(c.bn) + ", " + std::to_string(params_.taps) +
           " taps" + chains_text(params_.w, together_);
  }
  double seconds() const override { return seconds_; }
  size_t workspace() const override { return chains_workspace(params_.w, together_, accumulator_bytes(dtype_)); }
  Status run(const DeviceCall& call) const override {
    WeightsGemmParams p = params_;
    return run_chains(&p.w, together_, dtype_, call,
                      [&] { return launched(launch_weights_gemm(dtype_, config_, p, call.stream), "weights-gemm"); });
  }

 private:
  int32_t dtype_;
  size_t config_;
  WeightsGemmParams params_;
  int64_t together_;
  double seconds_;
};

class BiasSumsPlan final : public DevicePlan {
 public:
  explicit BiasSumsPlan(const Request& r) : dtype_(r.problem.dtype) {
    bias_form(r.problem, &params_, &add_);
    const double bytes = static_cast<double>(core_elements(r.problem)) * static_cast<double>(element_bytes(dtype_));
    seconds_ = estimate(r.device, bytes, 0.5, 0, 1, 1, 2);
  }
  const char* row() const override { return "bias-sums"; }
  std::string form() const override { return "sums of y, " + std::to_string(add_.chains) + " chains a channel"; }
  double seconds() const override { return seconds_; }
  size_t workspace() const override { return static_cast<size_t>(params_.rows) * accumulator_bytes(dtype_); }
  Status run(const DeviceCall& call) const override {
    BiasParams p = params_;
    p.y = call.y;
    p.sums = call.workspace;
    CTCONV_RETURN_IF_ERROR(launched(launch_bias_sums(dtype_, p, call.stream), "bias-sums"));
    WeightsParams add = add_;
    add.sums = call.workspace;
    add.w = call.bias;
    return launched(launch_weights_add(dtype_, add, call.stream), "bias-sums, sum of the chains");
  }

 private:
  int32_t dtype_;
  BiasParams params_;
  WeightsParams add_;
  double seconds_;
};

template <class P>
Plans one_plan(std::unique_ptr<P> plan) {
  Plans plans;
  plans.push_back(std::move(plan));
  return plans;
}

Result<Plans> plan_weights(const Request& r) { return one_plan(std::make_unique<WeightsPlan>(r)); }
Result<Plans> plan_bias(const Request& r) { return one_plan(std::make_unique<BiasSumsPlan>(r)); }

Result<Plans> plan_weights_gemm(const Request& r) {
  WeightsGemmParams form;
  if (std::string reason = weights_gemm_form(r.problem, &form); !reason.empty()) return refusal(std::move(reason));
  Plans plans;
  for (size_t c = 0; c < weights_configs().size(); ++c) plans.push_back(std::make_unique<WeightsGemmPlan>(r, form, c));
  std::stable_sort(plans.begin(), plans.end(),
                   [](const auto& a, const auto& b) { return a->seconds() < b->seconds(); });
  if (plans.size() > r.most) plans.resize(r.most);
  return plans;
}

}  // namespace

Status run_weights_direct(const ctconv_cuda_problem& problem, const DeviceCall& call) {
  WeightsParams p;
  weights_form(problem, &p);
  return run_chains(&p, 0, problem.dtype, call,
                    [&] { return launched(launch_weights(problem.dtype, p, call.stream), "weights-direct"); });
}

const Row kWeightsGemmRow = {"weights-gemm", true, plan_weights_gemm, CTCONV_CUDA_WRITES_W};
const Row kWeightsDirectRow = {"weights-direct", true, plan_weights, CTCONV_CUDA_WRITES_W};
const Row kBiasSumsRow = {"bias-sums", true, plan_bias, CTCONV_CUDA_WRITES_BIAS};

}  // namespace ctconv::cuda
