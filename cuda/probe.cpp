// SPDX-License-Identifier: Apache-2.0
// Runs the probes on the current device: constants.h says what comes out.
//
//   A stream of its own that does not wait for the legacy stream; calls that a capture elsewhere in the process would
//   forbid are allowed on this thread meanwhile (relaxed mode), so a capture goes on undisturbed.
//   Each probe runs once to load its code and raise the clocks, then three times; the best counts. After 30 ms the
//   rest is left to the data sheet.
#include <algorithm>
#include <chrono>

#include "cuda/constants.h"
#include "cuda/kernels/probe_launch.h"

namespace ctconv::cuda {
namespace {

constexpr double kAtMost = 30e-3, kOfMath = 0.3e-3, kWarmUp = 2e-3;
constexpr int kTimes = 3, kLaunches = 200;

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

class Relaxed {
 public:
  Relaxed() { changed_ = cudaThreadExchangeStreamCaptureMode(&mode_) == cudaSuccess; }
  Relaxed(const Relaxed&) = delete;
  Relaxed& operator=(const Relaxed&) = delete;
  ~Relaxed() {
    if (changed_) cudaThreadExchangeStreamCaptureMode(&mode_);
  }

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
  bool changed_ = false;
};

// Stream, events and memory of one measuring; every failure is kept, the first one counts.
class Bench {
 public:
  explicit Bench(const DeviceModel& sheet) : sheet_(sheet) {
    keep(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "stream");
    keep(cudaEventCreate(&begin_), "event");
    keep(cudaEventCreate(&end_), "event");
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    if (stream_) cudaStreamSynchronize(stream_);
    if (buffer_) cudaFree(buffer_);
    if (begin_) cudaEventDestroy(begin_);
    if (end_) cudaEventDestroy(end_);
    if (stream_) cudaStreamDestroy(stream_);
  }

  void run(Measured* m) {
    take_memory(m);
    if (!failed()) warm();
    started_ = Clock::now();
    if (!failed()) math(m);
    if (!failed() && m->buffer_bytes != 0) move(m);
    if (!failed()) launch(m);
    if (m->failure.empty()) m->failure = failure_;
  }

 private:
  bool failed() const { return !failure_.empty(); }
  void keep(cudaError_t error, const char* what) {
    if (error != cudaSuccess && failure_.empty()) failure_ = std::string(what) + ": " + cudaGetErrorName(error);
  }
  bool late() {
    if (since(started_) < kAtMost) return false;
    if (failure_.empty()) failure_ = "more than 30 ms were needed";
    return true;
  }

  void take_memory(Measured* m) {
    int l2 = 0;
    size_t free_bytes = 0, total = 0;
    keep(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, sheet_.ordinal), "L2");
    keep(cudaMemGetInfo(&free_bytes, &total), "free memory");
    if (failed()) return;
    m->l2_bytes = static_cast<size_t>(std::max(l2, 0));
    m->buffer_bytes = probe_bytes(m->l2_bytes, free_bytes);
    if (m->buffer_bytes != 0 && cudaMalloc(&buffer_, m->buffer_bytes) != cudaSuccess) {
      cudaGetLastError();
      buffer_ = nullptr;
      m->buffer_bytes = 0;
    }
    if (m->buffer_bytes != 0) return;
    m->failure = "too little free memory for the bandwidth";
    keep(cudaMalloc(&buffer_, 256), "memory");
  }

  // All kernels once: their code is loaded, and an idle device leaves its lowest clock.
  void warm() {
    for (const ProbeMath what : {ProbeMath::kF64, ProbeMath::kTf32, ProbeMath::kF16})
      keep(launch_probe_math(what, sheet_.processors, 1, buffer_, stream_), "launch");
    keep(launch_probe_nothing(stream_), "launch");
    const double round = probe_round_flop(ProbeMath::kF32, sheet_.processors);
    keep(launch_probe_math(ProbeMath::kF32, sheet_.processors, probe_rounds(round, sheet_.f32, kWarmUp), buffer_,
                           stream_),
         "launch");
    keep(cudaStreamSynchronize(stream_), "warm-up");
  }

  // Seconds of the best of several; 0 where it failed.
  template <class F>
  double best_of(int times, F&& enqueue) {
    double best = 0;
    for (int i = 0; i < times && !failed(); ++i) {
      if (i > 0 && since(started_) > kAtMost) break;
      keep(cudaEventRecord(begin_, stream_), "event");
      keep(enqueue(), "launch");
      keep(cudaEventRecord(end_, stream_), "event");
      keep(cudaEventSynchronize(end_), "a probe");
      float ms = 0;
      keep(cudaEventElapsedTime(&ms, begin_, end_), "event");
      const double seconds = 1e-3 * static_cast<double>(ms);
      if (best == 0 || seconds < best) best = seconds;
    }
    return failed() ? 0 : best;
  }

  void math(Measured* m) {
    const struct {
      ProbeMath what;
      double sheet;
      double* out;
    } all[] = {{ProbeMath::kF32, sheet_.f32, &m->f32},
               {ProbeMath::kF64, sheet_.f64, &m->f64},
               {ProbeMath::kTf32, sheet_.tf32, &m->tf32},
               {ProbeMath::kF16, sheet_.f16, &m->f16}};
    for (const auto& one : all) {
      if (failed() || late()) return;
      const double round = probe_round_flop(one.what, sheet_.processors);
      const int rounds = probe_rounds(round, one.sheet, kOfMath);
      const double seconds =
          best_of(kTimes, [&] { return launch_probe_math(one.what, sheet_.processors, rounds, buffer_, stream_); });
      if (seconds > 0) *one.out = round * rounds / seconds;
    }
  }

  void move(Measured* m) {
    const auto lines = static_cast<int64_t>(m->buffer_bytes / sizeof(ProbeLine));
    const std::pair<ProbeMove, double*> all[] = {
        {ProbeMove::kWrite, &m->write}, {ProbeMove::kRead, &m->read}, {ProbeMove::kCopy, &m->copy}};
    for (const auto& [what, out] : all) {  // written first: nothing reads memory that was never written
      if (failed() || late()) return;
      const ProbeMove move = what;
      const double seconds =
          best_of(kTimes + 1, [&] { return launch_probe_move(move, sheet_.processors, buffer_, lines, stream_); });
      if (seconds > 0) *out = static_cast<double>(m->buffer_bytes) / seconds;  // a copy: half read, half written
    }
  }

  void launch(Measured* m) {
    if (late()) return;
    double host = 0;
    const double seconds = best_of(kTimes, [&] {
      const auto begin = Clock::now();
      cudaError_t error = cudaSuccess;
      for (int i = 0; i < kLaunches && error == cudaSuccess; ++i) error = launch_probe_nothing(stream_);
      const double mine = since(begin);
      if (host == 0 || mine < host) host = mine;
      return error;
    });
    if (seconds > 0) {
      m->launch_seconds = seconds / kLaunches;
      m->enqueue_seconds = host / kLaunches;
    }
  }

  const DeviceModel& sheet_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  void* buffer_ = nullptr;
  std::string failure_;
  Clock::time_point started_ = Clock::now();
};

}  // namespace

Measured measure_constants(const DeviceModel& sheet) {
  Measured m;
  const auto begin = Clock::now();
  {
    const Relaxed relaxed;
    Bench bench(sheet);
    bench.run(&m);
  }
  cudaGetLastError();  // what failed here is no fault of a later call
  m.seconds = since(begin);
  return m;
}

}  // namespace ctconv::cuda
