// SPDX-License-Identifier: Apache-2.0
// Which problems the GEMM kernels can run, and with which numbers. No CUDA header here: CPU tests run the same forms.
//
//   in:  the problem record
//   out: parameters with null pointers, how x is brought into order, candidate tiles with an estimate of their time
#pragma once

#include <string>
#include <vector>

#include "cuda/forms.h"
#include "cuda/kernels/fold.h"
#include "cuda/kernels/gemm.h"
#include "cuda/kernels/relayout.h"

namespace ctconv::cuda {

enum class GemmMath { kFma, kTensor };

struct GemmForm {
  GemmParams params;
  bool moves_x = false;  // x goes through `relayout` into the workspace first
  RelayoutParams relayout;
  bool folds = false;  // the GEMM leaves bare sums at `sums_at` of the workspace, fold adds them up
  FoldParams fold;
  size_t sums_at = 0;
  size_t workspace = 0;
  Packing packing = Packing::kTapsMiddle;
};

// One instantiated tile: BM positions x BN channels.
struct GemmConfig {
  int32_t bm, bn;
};
const std::vector<GemmConfig>& gemm_configs(GemmMath math, int32_t dtype);

struct GemmShape {
  double blocks = 0;  // that have work
  double steps = 0;   // of the longest block, in units of K elements
  int64_t grid_x = 0, grid_y = 0, grid_z = 0;
};

// Empty, or the reason of refusal.
std::string gemm_form(const ctconv_cuda_problem& p, GemmMath math, GemmForm* form);
// The two-launch road for few output channels: one GEMM of all taps, then fold.
std::string fold_form(const ctconv_cuda_problem& p, GemmMath math, GemmForm* form);
// The grid of one tile; grid_x without the split.
GemmShape gemm_shape(const GemmParams& p, const GemmConfig& config);

}  // namespace ctconv::cuda
