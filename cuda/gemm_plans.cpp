// SPDX-License-Identifier: Apache-2.0
// The GEMM kernels as rows of the table: tile, split, estimate, run.
//
//   in:      a Request
//   out:     plans, the least estimated time first; with tuning one for each tile and split worth measuring
//   refuses: what gemm_forms.cpp refuses; TF32 where it is not allowed; gemm-split before compute capability 9
//   fold and fold-tensor: few output channels, one GEMM of all taps into the workspace, then fold.h.
//   gemm keeps the reference's order of sums. gemm-split and gemm-tensor cut K among the blocks of a cluster where
//   one block a tile would leave the device idle: same bits on every run, not the reference's.
#include <algorithm>
#include <cmath>

#include "cuda/engine.h"
#include "cuda/kernels/gemm_launch.h"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

constexpr int32_t kSplits[] = {1, 2, 4, 8};

struct Candidate {
  size_t config;
  int32_t split;
  double seconds;
};

Status refusal(std::string reason) { return Status(Code::UNSUPPORTED_ENGINE, std::move(reason)); }

double peak_of(const Request& r, GemmMath math) {
  if (r.problem.dtype == CTCONV_CUDA_F64) return r.device.f64;
  if (math == GemmMath::kFma) return r.device.f32;
  return r.problem.dtype == CTCONV_CUDA_F32 ? r.device.tf32 : r.device.f16;
}

// Blocks run in rounds of one for each multiprocessor; a block's time is its products at a share of the peak that
// grows with the tile, or its loads.
double seconds_of(const Request& r, GemmMath math, const GemmForm& form, const GemmConfig& c, int32_t split) {
  const GemmShape shape = gemm_shape(form.params, c);
  const double processors = std::max(1, r.device.processors);
  const double tile = static_cast<double>(c.bm) * c.bn, steps = std::ceil(shape.steps / split);
  const double share = (math == GemmMath::kTensor ? 0.45 : 0.7) * std::min(1.0, (tile + 2048.0) / 16384.0);
  const double block = 2.0 * tile * steps / (peak_of(r, math) / processors * share) + 1.0e-6 + (split > 1 ? 1e-6 : 0);
  const double rounds = std::max(1.0, shape.blocks * split / processors);
  const double whole = rounds <= 1 ? 1.0 : std::max(rounds, std::ceil(rounds) * 0.85);
  const double x_pass = form.moves_x ? 2.0 * static_cast<double>(form.folds ? form.sums_at : form.workspace) /
                                           (0.5 * r.device.bytes_per_second)
                                     : 0;
  const double memory = estimate(r.device, moved_bytes(r.problem), 0.7, 0, 1, 1, form.moves_x ? 2 : 1);
  // bare sums are written and read once, from L2 while they fit
  const double sums = static_cast<double>(form.workspace - form.sums_at);
  const double fold = form.folds ? estimate(r.device, 2.0 * sums, sums < 3e7 ? 1.5 : 0.7, 0, 1, 1, 1) : 0;
  return std::max(memory, whole * block + estimate(r.device, 0, 1, 0, 1, 1, form.moves_x ? 2 : 1)) + x_pass + fold;
}

class GemmPlan final : public DevicePlan {
 public:
  GemmPlan(const Request& r, const char* row, GemmMath math, const GemmForm& form, Candidate c, GemmLaunch launch)
      : row_(row), problem_(r.problem), math_(math), form_(form), candidate_(c), launch_(launch) {
    form_.params.split = c.split;
  }
  const char* row() const override { return row_; }
  std::string form() const override {
    const GemmConfig& c = gemm_configs(math_, problem_.dtype)[candidate_.config];
    return "tile " + std::to_string(c.bm) + " x " + std::to_string(c.bn) + ", split " +
           std::to_string(candidate_.split) + ", " +
           (form_.folds           ? "one GEMM of all taps, then their sum"
            : form_.params.merged ? "phases merged"
                                  : std::to_string(launch_.grid.z) + " phases") +
           (form_.moves_x ? ", x reordered first" : "");
  }
  double seconds() const override { return candidate_.seconds; }
  Packing packing() const override { return form_.packing; }
  size_t workspace() const override { return form_.workspace; }
  bool rounds_operands() const override { return math_ == GemmMath::kTensor && problem_.dtype == CTCONV_CUDA_F32; }

  Status run(const DeviceCall& call) const override {
    GemmParams p = form_.params;
    p.x = call.x;
    p.w = call.w;
    p.bias = call.bias;
    p.y = call.y;
    if (form_.folds) {
      p.bias = nullptr;
      p.y = static_cast<unsigned char*>(call.workspace) + form_.sums_at;
    }
    if (p.vector && !aligned16(call.y)) p.vector = 0;
    if (!aligned16(call.w)) p.vector_weights = 0;
    if (math_ == GemmMath::kTensor && !(aligned16(call.w) && (form_.moves_x || aligned16(call.x)))) {
      return run_packed_direct(problem_, packing(), call);  // its copies move 16 bytes
    }
    if (form_.moves_x) {
      RelayoutParams move = form_.relayout;
      move.from = call.x;
      move.to = call.workspace;
      p.x = call.workspace;
      CTCONV_RETURN_IF_ERROR(launched(
          launch_relayout(static_cast<int32_t>(element_bytes(problem_.dtype)), move, call.stream), "relayout"));
    }
    const auto launch = math_ == GemmMath::kTensor ? gemm_tensor_launch : gemm_fma_launch;
    CTCONV_RETURN_IF_ERROR(launched(launch(problem_.dtype, candidate_.config, p, launch_, call.stream), row_));
    if (form_.folds) {
      FoldParams f = form_.fold;
      f.sums = p.y;
      f.bias = call.bias;
      f.y = call.y;
      CTCONV_RETURN_IF_ERROR(launched(launch_fold(problem_.dtype, f, call.stream), "fold"));
    }
    return fill_tail(problem_, call.y, call.stream);
  }

 private:
  const char* row_;
  ctconv_cuda_problem problem_;
  GemmMath math_;
  GemmForm form_;
  Candidate candidate_;
  GemmLaunch launch_;
};

// Tiles and splits in the order of their estimates. from, to: splits allowed.
std::vector<Candidate> candidates(const Request& r, GemmMath math, const GemmForm& form, int32_t from, int32_t to) {
  std::vector<Candidate> found;
  const auto& configs = gemm_configs(math, r.problem.dtype);
  const double depth = math == GemmMath::kTensor ? 128.0 / static_cast<double>(element_bytes(r.problem.dtype)) : 8.0;
  for (size_t c = 0; c < configs.size(); ++c) {
    // a tile of which most channels are none
    if (c + 1 < configs.size() && configs[c].bn > 2 * std::max(configs.back().bn, form.params.columns)) continue;
    for (const int32_t split : kSplits) {
      if (split < from || split > to) continue;
      const GemmShape shape = gemm_shape(form.params, configs[c]);
      if (split > 1 && (shape.steps / split < 2 * depth || shape.blocks * split > 4.0 * r.device.processors)) continue;
      found.push_back({c, split, seconds_of(r, math, form, configs[c], split)});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Candidate& a, const Candidate& b) { return a.seconds < b.seconds; });
  return found;
}

using MakeForm = std::string (*)(const ctconv_cuda_problem& p, GemmMath math, GemmForm* form);

Result<Plans> plan_gemm(const Request& r, const char* row, MakeForm make, GemmMath math, int32_t from, int32_t to) {
  GemmForm form;
  if (std::string reason = make(r.problem, math, &form); !reason.empty()) return refusal(std::move(reason));
  if (r.device.capability < 90) to = 1;
  if (from > to) return refusal("K is cut only among the blocks of a cluster, compute capability 9 or later");
  Plans plans;
  for (const Candidate& c : candidates(r, math, form, from, to)) {
    if (plans.size() >= std::min<size_t>(r.most, 8)) break;
    GemmForm cut = form;
    cut.params.split = c.split;
    GemmLaunch launch;
    const auto prepare = math == GemmMath::kTensor ? gemm_tensor_prepare : gemm_fma_prepare;
    if (prepare(r.problem.dtype, c.config, cut.params, &launch) != cudaSuccess) continue;
    plans.push_back(std::make_unique<GemmPlan>(r, row, math, cut, c, launch));
  }
  if (plans.empty()) return refusal(from > 1 ? "nothing to gain from cutting K" : "no tile fits this device");
  return plans;
}

Result<Plans> plan_fma(const Request& r) { return plan_gemm(r, "gemm", gemm_form, GemmMath::kFma, 1, 1); }
Result<Plans> plan_split(const Request& r) { return plan_gemm(r, "gemm-split", gemm_form, GemmMath::kFma, 2, 8); }
Result<Plans> plan_tensor(const Request& r) {
  if (r.problem.dtype == CTCONV_CUDA_F32 && !r.options.allow_tf32) return refusal("TF32, which is not allowed");
  return plan_gemm(r, "gemm-tensor", gemm_form, GemmMath::kTensor, 1, 8);
}
Result<Plans> plan_fold(const Request& r) { return plan_gemm(r, "fold", fold_form, GemmMath::kFma, 1, 8); }
Result<Plans> plan_fold_tensor(const Request& r) {
  if (r.problem.dtype == CTCONV_CUDA_F32 && !r.options.allow_tf32) return refusal("TF32, which is not allowed");
  return plan_gemm(r, "fold-tensor", fold_form, GemmMath::kTensor, 1, 8);
}

}  // namespace

const Row kGemmRow = {"gemm", true, plan_fma};
const Row kGemmSplitRow = {"gemm-split", false, plan_split};
const Row kGemmTensorRow = {"gemm-tensor", false, plan_tensor};
const Row kFoldRow = {"fold", false, plan_fold};
const Row kFoldTensorRow = {"fold-tensor", false, plan_fold_tensor};

}  // namespace ctconv::cuda
