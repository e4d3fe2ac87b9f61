// SPDX-License-Identifier: Apache-2.0
// Times candidates on the device: tuning = measure.
//
//   in:      candidates for one problem
//   out:     the index of the fastest and the seconds of all; infinity: not run (race.h says when)
//   refuses: NO_MEMORY, device faults
//   Scratch x, w, bias, y and workspace are device memory of this call alone, filled with random numbers in +-[0.5, 1),
//   on a stream of its own. Before each run a buffer of twice the L2 cache is read: a candidate finds its data in
//   memory, as the next layer's call does, and the host is ahead of the device, so that a launch's cost on the host is
//   not part of the time. One warm-up, then rounds over those still in the race; the least time of each counts.
#include <algorithm>
#include <chrono>
#include <limits>

#include "cuda/engine.h"
#include "cuda/kernels/probe_launch.h"
#include "cuda/race.h"

namespace ctconv::cuda {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr size_t kLine = sizeof(ProbeLine);

struct Scratch {
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (p) cudaFree(p);
  }
  Status take(size_t wanted) {
    bytes = (std::max<size_t>(wanted, 256) + kLine - 1) / kLine * kLine;
    const cudaError_t error = cudaMalloc(&p, bytes);
    if (error == cudaSuccess) return {};
    cudaGetLastError();
    p = nullptr;
    bytes = 0;
    return cuda_error(error, "memory for measuring");
  }
  void* p = nullptr;
  size_t bytes = 0;
};

struct Clock {
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  ~Clock() {
    if (begin) cudaEventDestroy(begin);
    if (end) cudaEventDestroy(end);
    if (stream) cudaStreamDestroy(stream);
  }
  cudaError_t make() {
    cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (error == cudaSuccess) error = cudaEventCreate(&begin);
    if (error == cudaSuccess) error = cudaEventCreate(&end);
    return error;
  }
};

// Elements from the first to the last a strided tensor reaches, for strides of either sign, and where its origin lies.
void reach(const ctconv_cuda_problem& p, bool output, size_t* bytes, size_t* origin) {
  int64_t e[5], low = 0, high = 0;
  extents_of(p, output, e);
  for (int a = 0; a < 5; ++a) {
    const int64_t far = (e[a] - 1) * (output ? p.y : p.x)[a];
    (far < 0 ? low : high) += far;
  }
  *bytes = static_cast<size_t>(high - low + 1) * element_bytes(p.dtype);
  *origin = static_cast<size_t>(-low) * element_bytes(p.dtype);
}

// The memory of one measuring, and runs on it.
class Track {
 public:
  explicit Track(const Request& request) : problem_(request.problem), device_(request.device) {}
  Track(const Track&) = delete;
  Track& operator=(const Track&) = delete;
  ~Track() {
    if (clock_.stream) cudaStreamSynchronize(clock_.stream);
  }

  Status prepare(const Plans& candidates) {
    const ctconv_cuda_problem& p = problem_;
    size_t x_bytes, x_origin, y_bytes, y_origin, most = 0;
    reach(p, false, &x_bytes, &x_origin);
    reach(p, true, &y_bytes, &y_origin);
    int64_t w_span = 1;
    const int64_t extent[6] = {p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
    for (int a = 0; a < 6; ++a) {
      if (p.w[a] < 0) return Status(Code::UNSUPPORTED_ENGINE, "measuring needs weights without negative strides");
      w_span += (extent[a] - 1) * p.w[a];
    }
    for (const auto& plan : candidates) {
      most = std::max(most, plan->workspace());
      w_span = std::max(w_span, packed_elements(p, plan->packing()));
    }
    CTCONV_RETURN_IF_ERROR(x_.take(x_bytes));
    CTCONV_RETURN_IF_ERROR(w_.take(static_cast<size_t>(w_span) * element_bytes(p.dtype)));
    CTCONV_RETURN_IF_ERROR(bias_.take(static_cast<size_t>(channels_out(p) * std::max<int64_t>(1, p.bias_stride)) * 8));
    CTCONV_RETURN_IF_ERROR(y_.take(y_bytes));
    CTCONV_RETURN_IF_ERROR(workspace_.take(most));
    take_flush();
    cudaError_t error = clock_.make();
    for (const Scratch* memory : {&x_, &w_, &bias_}) {
      if (error == cudaSuccess) error = fill(*memory);
    }
    if (error != cudaSuccess) return cuda_error(error, "measuring");
    call_ = {static_cast<unsigned char*>(x_.p) + x_origin, w_.p,         p.bias ? bias_.p : nullptr,
             static_cast<unsigned char*>(y_.p) + y_origin, workspace_.p, clock_.stream};
    return {};
  }

  // Seconds on the device; kNever: it failed. host: how long the enqueue took.
  double run(const DevicePlan& plan, double* host) {
    using Watch = std::chrono::steady_clock;
    if (flush_.p && launch_probe_move(ProbeMove::kRead, device_.processors, flush_.p,
                                      static_cast<int64_t>(flush_.bytes / kLine), clock_.stream) != cudaSuccess) {
      return kNever;
    }
    const auto start = Watch::now();
    if (cudaEventRecord(clock_.begin, clock_.stream) != cudaSuccess || !plan.run(call_).ok() ||
        cudaEventRecord(clock_.end, clock_.stream) != cudaSuccess) {
      return kNever;
    }
    *host = std::chrono::duration<double>(Watch::now() - start).count();
    float ms = 0;
    if (cudaEventSynchronize(clock_.end) != cudaSuccess ||
        cudaEventElapsedTime(&ms, clock_.begin, clock_.end) != cudaSuccess) {
      return kNever;
    }
    return 1e-3 * static_cast<double>(ms);
  }

 private:
  cudaError_t fill(const Scratch& memory) {
    return launch_probe_fill(problem_.dtype, device_.processors, memory.p, static_cast<int64_t>(memory.bytes / kLine),
                             clock_.stream);
  }

  // Twice the L2 cache, where an eighth of the free memory has room for it; else nothing is read between runs.
  void take_flush() {
    int l2 = 0;
    size_t free_bytes = 0, total = 0;
    if (cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device_.ordinal) == cudaSuccess && l2 > 0 &&
        cudaMemGetInfo(&free_bytes, &total) == cudaSuccess && 2 * static_cast<size_t>(l2) <= free_bytes / 8 &&
        flush_.take(2 * static_cast<size_t>(l2)).ok()) {
      return;
    }
    cudaGetLastError();
  }

  const ctconv_cuda_problem& problem_;
  const DeviceModel& device_;
  Scratch x_, w_, bias_, y_, workspace_, flush_;
  Clock clock_;  // destroyed first
  DeviceCall call_{};
};

}  // namespace

Result<size_t> measure(const Request& request, const Plans& candidates, std::vector<double>* seconds) {
  Track track(request);
  CTCONV_RETURN_IF_ERROR(track.prepare(candidates));
  std::vector<double> estimates;
  for (const auto& plan : candidates) estimates.push_back(expected_seconds(*plan));
  Race race(estimates);
  double host = 0;
  const auto timed = [&](size_t e) {
    const double time = track.run(*candidates[e], &host);
    time < kNever ? race.ran(e, time) : race.failed(e);
  };
  const std::vector<size_t> order = race.order();
  for (const size_t e : order) {
    if (!race.starts(e)) continue;
    const double warm = track.run(*candidates[e], &host);
    if (!(warm < kNever)) {
      race.failed(e);
    } else if (race.warmed(e, warm - host)) {
      timed(e);
    }
  }
  for (int round = 0; round < Race::kRounds; ++round) {
    for (const size_t e : order) {
      if (race.again(e)) timed(e);
    }
  }
  *seconds = race.seconds();
  if (race.least() < kNever) return race.fastest();
  const cudaError_t last = cudaGetLastError();
  return last != cudaSuccess ? cuda_error(last, "measuring")
                             : Status(Code::DEVICE_NO_PLAN, "no candidate could be run for measuring");
}

}  // namespace ctconv::cuda
