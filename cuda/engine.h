// SPDX-License-Identifier: Apache-2.0
// What a row of the module's table is: it says itself whether it can run a problem and then hands out a plan.
//
//   in:  a problem, the options, the device
//   out: a DevicePlan with no decision left, or the reason of refusal
//   choose.cpp holds the table. Among the rows that can, the least estimated (or measured) time wins.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda/device.h"
#include "cuda/forms.h"
#include "src/base/status.h"
#include "src/plan/bits.h"

namespace ctconv::cuda {

struct DeviceCall {
  const void* x;
  void *w, *bias;  // w in the plan's packing; a problem that writes w writes both, as far as they are not null
  void *y, *workspace;
  cudaStream_t stream;
};

// Immutable for its callers; any number of threads at once.
class DevicePlan {
 public:
  virtual ~DevicePlan() = default;
  virtual const char* row() const = 0;
  virtual std::string form() const = 0;
  virtual double seconds() const = 0;  // estimate, before own_cost.cpp
  virtual Packing packing() const { return Packing::kRaw; }
  virtual size_t workspace() const { return 0; }
  virtual bool rounds_operands() const { return false; }  // below their own type, e.g. f32 to TF32
  virtual Result<std::string> save() const { return std::string(); }
  virtual Status run(const DeviceCall& call) const = 0;  // core and tail of y; or w; or the bias
};

struct Request {
  const ctconv_cuda_problem& problem;
  const ctconv_cuda_options& options;
  const DeviceModel& device;
  size_t workspace_limit = SIZE_MAX;  // what the plan itself may take
  std::string saved;                  // the row's own text, empty: none
  size_t most = 1;                    // plans to hand out, best guess first
  double slowest = 1e300;             // estimates beyond it need no plan, where another plan is there
};

using Plans = std::vector<std::unique_ptr<DevicePlan>>;

struct Row {
  const char* name;
  bool reference_bits;  // each element one chain of fused multiply-adds in the reference's order
  // UNSUPPORTED_ENGINE or DEVICE_NO_PLAN with the reason where it cannot.
  Result<Plans> (*plan)(const Request& request);
  int32_t writes = CTCONV_CUDA_WRITES_Y;  // a problem that writes x comes as the forward problem it is (exchange.h)
};

extern const Row kCellRow, kPixelRow, kShuffleRow, kShuffleTensorRow, kGemmRow, kGemmSplitRow, kGemmTensorRow, kFoldRow,
    kFoldTensorRow, kCudnnRow, kDirectRow, kCudnnWeightsRow, kWeightsGemmRow, kWeightsDirectRow, kBiasSumsRow;

// The table itself.
const std::vector<const Row*>& rows();
// The promise a plan's results keep: the row's, else kReduced where operands are rounded, else kMachine.
Bits bits_of(const DevicePlan& plan);
// Why a plan was taken, and why other rows were not asked: for describe.
struct Choice {
  using Refusals = std::vector<std::pair<std::string, std::string>>;  // row, reason
  std::string why;
  Refusals refused;
};
// Chooses by estimate, or by measuring where options.tuning; `saved` is what a plan's text says. choice: may be null.
// A row whose library is missing refuses like any other; DEVICE_CUDNN_MISSING or _OLD where no other row is left.
Result<std::unique_ptr<DevicePlan>> choose(const Request& request, Choice* choice = nullptr);
// The plan's estimate corrected by what a run measured (own_cost.cpp).
double expected_seconds(const DevicePlan& plan);
// Fastest of the candidates on scratch memory of the device.
Result<size_t> measure(const Request& request, const Plans& candidates, std::vector<double>* seconds);

// Shared by the rows.
Status launched(cudaError_t error, const char* kernel);
// The problem by `direct`, weights lying in `packing`: where a plan meets addresses its own kernel cannot take.
Status run_packed_direct(const ctconv_cuda_problem& problem, Packing packing, const DeviceCall& call);
// A weight gradient without a workspace, one thread a weight.
Status run_weights_direct(const ctconv_cuda_problem& problem, const DeviceCall& call);
Status fill_tail(const ctconv_cuda_problem& p, void* y, cudaStream_t stream);
double useful_flop(const ctconv_cuda_problem& p);
double moved_bytes(const ctconv_cuda_problem& p);
// max(memory, arithmetic) + launches, with the shares of peak a kernel class reaches.
double estimate(const DeviceModel& device, double bytes, double memory_share, double flop, double peak, double share,
                int launches);
bool aligned16(const void* p);

}  // namespace ctconv::cuda
