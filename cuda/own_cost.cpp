// Our kernels' estimates, corrected by what a run measured; cuDNN's are fitted already (cudnn_cost.h).
//
//   in:  a plan;   out: fixed + scale * its own estimate
//   A kernel that is not listed counts as it says itself. Refuses nothing.
#include <cstring>

#include "cuda/engine.h"

namespace ctconv::cuda {
namespace {

struct Correction {
  const char* row;
  double fixed, scale;
};

// Lines of tools/gpu/fit_choice.py, of one run on an H200 (91 layers, f32, TF32 and f16, both orders). A kernel that was
// rewritten since stands at half of what its predecessor measured, until a run has met it.
constexpr Correction kCorrections[] = {
    {"cell", 2.53e-6, 2.03},         // rewritten since
    {"fold", 1e-6, 1.0},             // no run has met it
    {"fold-tensor", 1e-6, 1.0},      // no run has met it
    {"gemm", 3.19e-6, 0.95},         // rewritten since
    {"gemm-split", 0.32e-6, 1.21},   // rewritten since
    {"gemm-tensor", 0.84e-6, 1.25},  // rewritten since
    {"pixel", 0e-6, 2.07},           // rewritten since
    {"shuffle", 7.68e-6, 1.79},      // off by a factor of 1.53
    {"shuffle-tensor", 0e-6, 5.51},  // off by a factor of 1.42
    {"direct", 0e-6, 4.59},          // of its times when it was measured among others
};

}  // namespace

double expected_seconds(const DevicePlan& plan) {
  for (const Correction& c : kCorrections) {
    if (std::strcmp(plan.row(), c.row) == 0) return c.fixed + c.scale * plan.seconds();
  }
  return plan.seconds();
}

}  // namespace ctconv::cuda
