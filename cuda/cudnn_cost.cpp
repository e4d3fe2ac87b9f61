// SPDX-License-Identifier: Apache-2.0
// The engines' costs; see cudnn_cost.h.
#include "cuda/cudnn_cost.h"

#include <algorithm>
#include <array>

#include "cuda/engine.h"
#include "cuda/exchange.h"

namespace ctconv::cuda {
namespace {

// Lines of tools/gpu/fit_choice.py. `memory` and `work` are times over the device's, so 1 is all of its bandwidth or
// peak; work and steps at `phases` 1 << 20 are those of every phase alone.
struct Cost {
  std::array<int64_t, 6> engines;  // -1: no more
  double fixed, converts, memory, work, step;
  int64_t phases, co, ci;
  double square = 0, group = 0;  // not fitted: seconds by the square of a sample's positions, and of each further group
};
constexpr double kConverted = 4096;  // bytes of workspace that are more than counters

// One run on an H200 with cuDNN 9.19: 598 plans of 101 layers, f32, TF32 and f16 in both orders (engines 0 and 2: of
// an earlier
// run). `off`: the factor a layer left out of the fit is off by.
constexpr Cost kSimt = {{74, -1, -1, -1, -1, -1}, 4.11e-6, 5.38e-6, 1.69, 1.97, 11.9e-9, 1, 32, 1};      // off 1.10
constexpr Cost kTensor = {{73, 76, -1, -1, -1, -1}, 7.14e-6, 7.27e-6, 1.38, 1.07, 3.72e-9, 8, 128, 32};  // off 1.40
constexpr Cost kOthers[] = {
    {{0, -1, -1, -1, -1, -1}, 3.74e-6, 0, 8.22, 47.9, 109e-9, 2, 1, 1},  // one thread an element, off 1.36
    {{1, -1, -1, -1, -1, -1}, 108e-6, 0, 2.15, 2.5, 0, 1, 128, 1},       // off 1.17
    {{2, -1, -1, -1, -1, -1}, 0.737e-6, 13e-6, 0.654, 3.65, 1.8e-9, 8, 16, 1, 6e-11, 9e-6},  // off 1.64
    {{22, 28, -1, -1, -1, -1}, 4.79e-6, 11.5e-6, 0, 3.36, 0, 1, 32, 32},                     // off 1.35
    {{40, 46, 71, -1, -1, -1}, 11.8e-6, 0, 6.84, 55.1, 3.01e-9, 1, 1, 1},                    // off 1.55
    {{56, 57, 58, 59, 60, -1}, 22e-6, 0, 1.11, 1.33, 6.39e-9, 1 << 20, 128, 32},             // off 1.99
    {{64, 65, -1, -1, -1, -1}, 5.01e-6, 7.37e-6, 2.1, 1.43, 4e-9, 8, 16, 32},                // off 1.18
};

const Cost& cost_of(const CudnnEngine& engine) {
  for (const Cost& cost : kOthers) {
    if (engine.number >= 0 && std::find(cost.engines.begin(), cost.engines.end(), engine.number) != cost.engines.end())
      return cost;
  }
  return engine.tensor_core ? kTensor : kSimt;
}

double peak_of(const DeviceModel& device, int32_t dtype, bool tensor_core) {
  if (dtype == CTCONV_CUDA_F64) return device.f64;
  if (!tensor_core) return device.f32;
  return dtype == CTCONV_CUDA_F32 ? device.tf32 : device.f16;
}

double rounded_up(int64_t v, int64_t to) { return static_cast<double>((v + to - 1) / to * to); }

}  // namespace

double cudnn_seconds(const DeviceModel& device, const ctconv_cuda_problem& p, const CudnnEngine& engine,
                     double workspace, bool after) {
  if (p.written != CTCONV_CUDA_WRITES_Y || leaves_out(p)) {
    return 10e-6 + 1.5 * (moved_bytes(p) + 2 * workspace) / device.bytes_per_second +
           2 * useful_flop(p) / peak_of(device, p.dtype, engine.tensor_core);
  }
  const Cost& c = cost_of(engine);
  double taps = 1, points = static_cast<double>(p.n), positions = 1, strides = 1;
  for (const ctconv_cuda_axis& a : p.axis) {
    taps *= static_cast<double>(a.k);
    points *= static_cast<double>(a.o);
    strides *= static_cast<double>(a.s);
    positions *= static_cast<double>(a.i);
  }
  const double cut = std::min(static_cast<double>(c.phases), strides);
  const double work =
      2 * points * static_cast<double>(p.groups) * rounded_up(p.co, c.co) * rounded_up(p.ci, c.ci) * taps / cut;
  const double steps = static_cast<double>(p.ci) * taps / cut;
  const double pass = after ? 2e-6 + 2 * static_cast<double>(core_elements(p)) *
                                         static_cast<double>(element_bytes(p.dtype)) / (0.7 * device.bytes_per_second)
                            : 0;
  return pass + c.fixed + (workspace > kConverted ? c.converts : 0) +
         c.memory * (moved_bytes(p) + 2 * workspace) / device.bytes_per_second +
         c.work * work / peak_of(device, p.dtype, engine.tensor_core) + c.step * steps +
         c.square * positions * positions + c.group * static_cast<double>(p.groups - 1);
}

}  // namespace ctconv::cuda
