// SPDX-License-Identifier: Apache-2.0
// Which kernel can compute a gradient of the weights or of the bias, and with which numbers. No CUDA header here.
//
//   in:  a record that writes w (or the bias alone)
//   out: parameters with null pointers, how the chains are shared out, or the reason of refusal
#pragma once

#include <string>
#include <vector>

#include "cuda/forms.h"
#include "cuda/kernels/bias_sums.h"
#include "cuda/kernels/weights.h"
#include "cuda/kernels/weights_gemm.h"

namespace ctconv::cuda {

// Any problem.
void weights_form(const ctconv_cuda_problem& p, WeightsParams* out);

// One instantiated tile: BM input channels x BN output channels.
struct WeightsConfig {
  int32_t bm, bn;
};
const std::vector<WeightsConfig>& weights_configs();
std::string weights_gemm_form(const ctconv_cuda_problem& p, WeightsGemmParams* out);
void weights_tile(const WeightsConfig& config, WeightsGemmParams* p);
int64_t weights_blocks(const WeightsGemmParams& p);  // of one chain

// Chains that one launch sums side by side, each into a row of the workspace; 0: a thread sums all of its weight.
// `wanted` chains would fill the device; as many as `limit` bytes hold.
int64_t chains_together(const WeightsParams& p, int64_t wanted, size_t accumulator, size_t limit);
size_t chains_workspace(const WeightsParams& p, int64_t together, size_t accumulator);
// Points sums and running into the workspace.
void chains_place(int64_t together, size_t accumulator, void* workspace, WeightsParams* p);

// The launches of one call, in order: launch(p), and where chains lie side by side add(p) behind each.
template <class Launch, class Add>
void each_launch(WeightsParams* p, int64_t together, Launch&& launch, Add&& add) {
  p->first = 0;
  p->last = 1;
  p->count = 1;
  if (together == 0) return launch();
  for (; p->first < p->chains; p->first += together) {
    p->count = together < p->chains - p->first ? together : p->chains - p->first;
    p->last = p->first + p->count == p->chains;
    launch();
    add();
  }
}

// The sums of y, and how their rows are added: into dense accumulators at add->w.
void bias_form(const ctconv_cuda_problem& p, BiasParams* out, WeightsParams* add);

}  // namespace ctconv::cuda
