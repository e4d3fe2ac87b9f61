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

// Bytes from the first element to the last a strided tensor reaches, for strides of either sign, and where its origin
// lies.
struct Reach {
  size_t bytes = 0, origin = 0;
};

template <int kAxes>
Reach reach(const int64_t (&extent)[kAxes], const int64_t (&stride)[kAxes], size_t element) {
  int64_t low = 0, high = 0;
  for (int a = 0; a < kAxes; ++a) {
    if (extent[a] == 0) return {};
    const int64_t far = (extent[a] - 1) * stride[a];
    (far < 0 ? low : high) += far;
  }
  return {static_cast<size_t>(high - low + 1) * element, static_cast<size_t>(-low) * element};
}

Reach reach(const ctconv_cuda_problem& p, bool output) {
  int64_t e[5];
  extents_of(p, output, e);
  return reach(e, output ? p.y : p.x, element_bytes(p.dtype));
}

Reach reach_weights(const ctconv_cuda_problem& p) {
  const int64_t extent[6] = {p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
  return reach(extent, p.w, p.wide_weights ? accumulator_bytes(p.dtype) : element_bytes(p.dtype));
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
    const Reach x = reach(p, false), y = reach(p, true), w = reach_weights(p);
    size_t most = 0, w_bytes = w.bytes;
    for (const auto& plan : candidates) {
      most = std::max(most, plan->workspace());
      const auto packed = static_cast<size_t>(packed_elements(p, plan->packing())) * element_bytes(p.dtype);
      w_bytes = std::max(w_bytes, w.origin + packed);
    }
    CTCONV_RETURN_IF_ERROR(x_.take(x.bytes));
    CTCONV_RETURN_IF_ERROR(w_.take(w_bytes));
    CTCONV_RETURN_IF_ERROR(bias_.take(static_cast<size_t>(channels_out(p) * std::max<int64_t>(1, p.bias_stride)) * 8));
    CTCONV_RETURN_IF_ERROR(y_.take(y.bytes));
    CTCONV_RETURN_IF_ERROR(workspace_.take(most));
    take_flush();
    cudaError_t error = clock_.make();
    for (const Scratch* memory : {&x_, &w_, &bias_, &y_}) {
      if (memory == &y_ && p.written == CTCONV_CUDA_WRITES_Y) continue;
      if (error == cudaSuccess) error = fill(*memory);
    }
    if (error != cudaSuccess) return cuda_error(error, "measuring");
    w_origin_ = w.origin;
    call_ = {static_cast<unsigned char*>(x_.p) + x.origin, w_.p,         p.bias ? bias_.p : nullptr,
             static_cast<unsigned char*>(y_.p) + y.origin, workspace_.p, clock_.stream};
    return {};
  }

  // Seconds on the device; kNever: it failed. host: how long the enqueue took.
  double run(const DevicePlan& plan, double* host) {
    using Watch = std::chrono::steady_clock;
    if (flush_.p && launch_probe_move(ProbeMove::kRead, device_.processors, flush_.p,
                                      static_cast<int64_t>(flush_.bytes / kLine), clock_.stream) != cudaSuccess) {
      return kNever;
    }
    // raw weights begin at their origin, packed ones lie aligned
    call_.w = static_cast<unsigned char*>(w_.p) + (plan.packing() == Packing::kRaw ? w_origin_ : 0);
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
  size_t w_origin_ = 0;
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
