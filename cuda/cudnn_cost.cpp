// The engines' costs; see cudnn_cost.h.
#include "cuda/cudnn_cost.h"

#include <algorithm>
#include <array>

#include "cuda/engine.h"

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

// One run on an H200 with cuDNN 9.19: 541 plans of 91 layers, f32, TF32 and f16 in both orders. `off`: the factor a
// layer left out of the fit is off by.
constexpr Cost kSimt = {{74, -1, -1, -1, -1, -1}, 3.14e-6, 5.25e-6, 1.88, 1.94, 13.9e-9, 1, 32, 16};     // off 1.10
constexpr Cost kTensor = {{73, 76, -1, -1, -1, -1}, 7.79e-6, 7.84e-6, 1.36, 1.08, 3.25e-9, 8, 128, 32};  // off 1.31
constexpr Cost kOthers[] = {
    {{0, -1, -1, -1, -1, -1}, 3.74e-6, 0, 8.22, 47.9, 109e-9, 2, 1, 1},  // one thread an element, off 1.36
    {{1, -1, -1, -1, -1, -1}, 110e-6, 0, 1.84, 2.52, 0, 1, 128, 32},     // off 1.19
    {{2, -1, -1, -1, -1, -1}, 0.737e-6, 13e-6, 0.654, 3.65, 1.8e-9, 8, 16, 1, 6e-11, 9e-6},  // off 1.64
    {{22, 28, -1, -1, -1, -1}, 3.13e-6, 7.29e-6, 0.797, 4.63, 1.24e-9, 1, 16, 32},             // off 1.12
    {{40, 46, 71, -1, -1, -1}, 16e-6, 0, 15.6, 22.5, 0, 1, 1, 1},                              // off 1.96
    {{56, 57, 58, 59, 60, -1}, 11e-6, 0, 1.9, 3, 54.8e-9, 1 << 20, 16, 16},                    // off 1.90
    {{64, 65, -1, -1, -1, -1}, 5.77e-6, 5.37e-6, 2.87, 1.73, 1.35e-9, 1 << 20, 128, 32},       // off 1.19
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
  const Cost& c = cost_of(engine);
  double taps = 1, points = static_cast<double>(p.n), positions = 1, strides = 1;
  for (const ctconv_cuda_axis& a : p.axis) {
    taps *= static_cast<double>(a.k), points *= static_cast<double>(a.o), strides *= static_cast<double>(a.s);
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
