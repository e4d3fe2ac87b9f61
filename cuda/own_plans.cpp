// SPDX-License-Identifier: Apache-2.0
// Our kernels as rows of the table: form, estimate, run.
//
//   in:      a Request
//   out:     a plan holding filled parameters
//   refuses: what forms.cpp refuses
//   The shares of peak in the estimates are rough; own_cost.cpp corrects each kernel by what a run measured.
#include <algorithm>
#include <numeric>

#include "cuda/engine.h"
#include "cuda/geometry.h"
#include "cuda/kernels/launch.h"

namespace ctconv::cuda {
namespace {

template <class P>
Result<Plans> one_plan(P plan) {
  Plans plans;
  plans.push_back(std::make_unique<P>(std::move(plan)));
  return plans;
}

Status refusal(std::string reason) { return Status(Code::UNSUPPORTED_ENGINE, std::move(reason)); }

template <class P>
void point(P& p, const DeviceCall& call) {
  p.x = call.x;
  p.w = call.w;
  p.bias = call.bias;
  p.y = call.y;
}

// A thread's chain of dependent loads.
double chain_steps(const ctconv_cuda_problem& p) {
  double steps = static_cast<double>(p.ci);
  for (const ctconv_cuda_axis& a : p.axis) steps *= static_cast<double>((a.k * std::gcd(a.s, a.d) + a.s - 1) / a.s);
  return steps;
}
// About 60 cycles each where too few threads hide them.
double chain_seconds(const ctconv_cuda_problem& p) { return 35e-9 * chain_steps(p); }

class DirectPlan final : public DevicePlan {
 public:
  DirectPlan(const Request& r, DirectParams params) : problem_(r.problem), params_(params) {
    const double peak = problem_.dtype == CTCONV_CUDA_F64 ? r.device.f64 : r.device.f32;
    seconds_ =
        estimate(r.device, moved_bytes(problem_), 0.3, useful_flop(problem_), peak, 0.03, 1) + chain_seconds(problem_);
  }
  const char* row() const override { return "direct"; }
  std::string form() const override { return "one thread an element, any strides"; }
  double seconds() const override { return seconds_; }
  Status run(const DeviceCall& call) const override {
    DirectParams p = params_;
    point(p, call);
    CTCONV_RETURN_IF_ERROR(launched(launch_direct(problem_.dtype, p, call.stream), "direct"));
    return fill_tail(problem_, call.y, call.stream);
  }

 private:
  ctconv_cuda_problem problem_;
  DirectParams params_;
  double seconds_;
};

class CellPlan final : public DevicePlan {
 public:
  CellPlan(const Request& r, CellForm form, CellParams params) : problem_(r.problem), form_(form), params_(params) {
    const double peak = problem_.dtype == CTCONV_CUDA_F64 ? r.device.f64 : r.device.f32;
    // one load serves S*CB sums: below about 8 the loads bound, not the arithmetic
    const double per_load = (form.s == 0 ? 1 : form.s) * form.cb;
    seconds_ = estimate(r.device, moved_bytes(problem_), 0.7, useful_flop(problem_), peak,
                        0.4 * per_load / (per_load + 4), has_tail(problem_) ? 2 : 1) +
               120e-9 * chain_steps(problem_);
  }
  const char* row() const override { return "cell"; }
  std::string form() const override {
    return "S " + std::to_string(form_.s) + ", Q " + std::to_string(form_.q) + ", CB " + std::to_string(form_.cb) +
           (params_.whole ? ", whole stores" : "");
  }
  double seconds() const override { return seconds_; }
  Packing packing() const override { return Packing::kCells; }
  Status run(const DeviceCall& call) const override {
    CellParams p = params_;
    point(p, call);
    p.whole = p.whole && aligned16(call.y);
    CTCONV_RETURN_IF_ERROR(launched(launch_cell(problem_.dtype, form_, p, call.stream), "cell"));
    return fill_tail(problem_, call.y, call.stream);
  }

 private:
  ctconv_cuda_problem problem_;
  CellForm form_;
  CellParams params_;
  double seconds_;
};

class PixelPlan final : public DevicePlan {
 public:
  PixelPlan(const Request& r, bool vector, PixelParams params) : problem_(r.problem), vector_(vector), params_(params) {
    const double peak = problem_.dtype == CTCONV_CUDA_F64 ? r.device.f64 : r.device.f32;
    seconds_ = estimate(r.device, moved_bytes(problem_), vector ? 0.7 : 0.3, useful_flop(problem_), peak,
                        vector ? 0.25 : 0.06, has_tail(problem_) ? 2 : 1) +
               chain_seconds(problem_);
  }
  const char* row() const override { return "pixel"; }
  std::string form() const override { return vector_ ? "16 bytes of channels a thread" : "one channel a thread"; }
  double seconds() const override { return seconds_; }
  Packing packing() const override { return Packing::kTapsFirst; }
  Status run(const DeviceCall& call) const override {
    PixelParams p = params_;
    point(p, call);
    bool vector = vector_;
    if (vector && !(aligned16(call.x) && aligned16(call.w) && aligned16(call.y))) {
      vector = false;  // same sums, element by element
      pixel_vectors(channels_out(problem_), problem_, &p);
    }
    CTCONV_RETURN_IF_ERROR(launched(launch_pixel(problem_.dtype, vector, p, call.stream), "pixel"));
    return fill_tail(problem_, call.y, call.stream);
  }

 private:
  ctconv_cuda_problem problem_;
  bool vector_;
  PixelParams params_;
  double seconds_;
};

class ShufflePlan final : public DevicePlan {
 public:
  ShufflePlan(const Request& r, ShuffleMath math, ShuffleParams params)
      : problem_(r.problem), math_(math), params_(params) {
    const bool wide = problem_.dtype == CTCONV_CUDA_F64, tensor = math == ShuffleMath::kTensor;
    const double peak = wide                                ? r.device.f64
                        : !tensor                           ? r.device.f32
                        : problem_.dtype == CTCONV_CUDA_F32 ? r.device.tf32
                                                            : r.device.f16;
    // x is read once per column tile, mostly from L2
    seconds_ = estimate(r.device, moved_bytes(problem_), 0.6, useful_flop(problem_), peak, tensor ? 0.2 : 0.45,
                        has_tail(problem_) ? 2 : 1);
  }
  const char* row() const override { return math_ == ShuffleMath::kTensor ? "shuffle-tensor" : "shuffle"; }
  std::string form() const override {
    return std::string("one GEMM of ") + std::to_string(params_.positions) + " x " + std::to_string(params_.columns) +
           " x " + std::to_string(params_.ci) + ", interleaved store, " +
           (params_.channels_last ? "channels-last" : "channels-first");
  }
  double seconds() const override { return seconds_; }
  Packing packing() const override { return params_.channels_last ? Packing::kTapsMiddle : Packing::kTapsLast; }
  bool rounds_operands() const override { return math_ == ShuffleMath::kTensor && problem_.dtype == CTCONV_CUDA_F32; }
  Status run(const DeviceCall& call) const override {
    ShuffleParams p = params_;
    point(p, call);
    CTCONV_RETURN_IF_ERROR(launched(launch_shuffle(problem_.dtype, math_, p, call.stream), "shuffle"));
    return fill_tail(problem_, call.y, call.stream);
  }

 private:
  ctconv_cuda_problem problem_;
  ShuffleMath math_;
  ShuffleParams params_;
  double seconds_;
};

Result<Plans> plan_direct(const Request& r) {
  DirectParams params;
  if (std::string reason = direct_form(r.problem, &params); !reason.empty()) return refusal(std::move(reason));
  return one_plan(DirectPlan(r, params));
}

Result<Plans> plan_cell(const Request& r) {
  CellForm form;
  CellParams params;
  if (std::string reason = cell_form(r.problem, &form, &params); !reason.empty()) return refusal(std::move(reason));
  return one_plan(CellPlan(r, form, params));
}

Result<Plans> plan_pixel(const Request& r) {
  PixelParams params;
  bool vector = false;
  if (std::string reason = pixel_form(r.problem, &vector, &params); !reason.empty()) return refusal(std::move(reason));
  return one_plan(PixelPlan(r, vector, params));
}

Result<Plans> plan_shuffle_math(const Request& r, ShuffleMath math) {
  ShuffleParams params;
  if (std::string reason = shuffle_form(r.problem, math, &params); !reason.empty()) return refusal(std::move(reason));
  return one_plan(ShufflePlan(r, math, params));
}

Result<Plans> plan_shuffle(const Request& r) { return plan_shuffle_math(r, ShuffleMath::kFma); }

Result<Plans> plan_shuffle_tensor(const Request& r) {
  if (r.problem.dtype == CTCONV_CUDA_F32 && !r.options.allow_tf32) return refusal("TF32, which is not allowed");
  return plan_shuffle_math(r, ShuffleMath::kTensor);
}

}  // namespace

const Row kDirectRow = {"direct", true, plan_direct};
const Row kCellRow = {"cell", true, plan_cell};
const Row kPixelRow = {"pixel", true, plan_pixel};
const Row kShuffleRow = {"shuffle", true, plan_shuffle};
const Row kShuffleTensorRow = {"shuffle-tensor", false, plan_shuffle_tensor};

Status launched(cudaError_t error, const char* kernel) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // else the next launch would answer for this one
  return cuda_error(error, (std::string("launch of ") + kernel).c_str());
}

Status run_packed_direct(const ctconv_cuda_problem& problem, Packing packing, const DeviceCall& call) {
  ctconv_cuda_problem p = problem;
  PackParams order;
  pack_form(p, packing, &order);
  const auto& axes = packed_order(packing);
  int64_t step = 1, first = 0;
  for (int a = 5; a >= 0; --a) {
    p.w[axes[a]] = step;
    step *= order.extent[a];
    if (!turned(packing) || axes[a] < 3) continue;
    first += (order.extent[a] - 1) * p.w[axes[a]];
    p.w[axes[a]] = -p.w[axes[a]];
  }
  DirectParams params;
  if (std::string reason = direct_form(p, &params); !reason.empty()) return refusal(std::move(reason));
  point(params, call);
  params.w = static_cast<const unsigned char*>(call.w) + first * static_cast<int64_t>(element_bytes(p.dtype));
  CTCONV_RETURN_IF_ERROR(launched(launch_direct(p.dtype, params, call.stream), "direct"));
  return fill_tail(p, call.y, call.stream);
}

Status fill_tail(const ctconv_cuda_problem& p, void* y, cudaStream_t stream) {
  if (!has_tail(p)) return {};
  Box core;
  for (int a = 0; a < 3; ++a) core.hi[a] = p.axis[a].o;
  EpilogueParams params;
  bool vector = false;
  const EpilogueWay way = epilogue_form(p, core, false, &vector, &params);
  params.y = y;
  return launched(launch_epilogue(p.dtype, way, vector, params, stream), "tail");
}

double useful_flop(const ctconv_cuda_problem& p) {
  double pairs =
      1;  // (output row, tap) pairs that meet an input, per axis: every input meets each tap whose row exists
  for (const ctconv_cuda_axis& a : p.axis) {
    double met = 0;
    // rows i*s + t*d - lo in [0, o): count i for each of at most 4096 taps, beyond that all of them. Where outputs are
    // left out s is 1: count o with o * every + lo - t*d in [0, i)
    const int64_t taps = std::min<int64_t>(a.k, 4096), step = a.skip != 0 ? 1 + a.skip : a.s;
    const int64_t counted = a.skip != 0 ? a.o : a.i, other = a.skip != 0 ? a.i : a.o;
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t at = a.skip != 0 ? t * a.d - a.lo : a.lo - t * a.d;
      const int64_t first = at <= 0 ? 0 : (at + step - 1) / step, top = other - 1 + at;
      const int64_t last = top < 0 ? -1 : std::min(counted - 1, top / step);
      met += static_cast<double>(std::max<int64_t>(0, last - first + 1));
    }
    pairs *= met * static_cast<double>(a.k) / static_cast<double>(taps);
  }
  return 2 * pairs * static_cast<double>(p.n) * static_cast<double>(p.groups) * static_cast<double>(p.ci) *
         static_cast<double>(p.co);
}

double moved_bytes(const ctconv_cuda_problem& p) {
  return static_cast<double>(element_bytes(p.dtype)) *
         (static_cast<double>(input_elements(p)) + static_cast<double>(core_elements(p)) +
          static_cast<double>(weight_elements(p)));
}

double estimate(const DeviceModel& device, double bytes, double memory_share, double flop, double peak, double share,
                int launches) {
  return std::max(bytes / (device.bytes_per_second * memory_share), flop / (peak * share)) +
         launches * device.launch_seconds;
}

bool aligned16(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace ctconv::cuda
