// Times candidates on the device: tuning = measure.
//
//   in:      candidates for one problem
//   out:     the index of the fastest and the seconds of all
//   refuses: NO_MEMORY, device faults
//   Scratch x, w, bias, y and workspace are device memory of this call alone, on a stream of its own. One warm-up,
//   then as many rounds as fill about 2 ms (at most 20), candidates interleaved, least round counts.
#include <algorithm>
#include <limits>

#include "cuda/engine.h"

namespace ctconv::cuda {
namespace {

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (p) cudaFree(p);
  }
  Status take(size_t bytes) {
    const cudaError_t error = cudaMalloc(&p, std::max<size_t>(bytes, 256));
    if (error == cudaSuccess) return {};
    cudaGetLastError();
    return cuda_error(error, "memory for measuring");
  }
  void* p = nullptr;
};

struct Clock {
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  ~Clock() {
    if (begin) cudaEventDestroy(begin);
    if (end) cudaEventDestroy(end);
    if (stream) cudaStreamDestroy(stream);
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

}  // namespace

Result<size_t> measure(const Request& request, const Plans& candidates, std::vector<double>* seconds) {
  const ctconv_cuda_problem& p = request.problem;
  Scratch x, w, bias, y, workspace;
  size_t x_bytes, x_origin, y_bytes, y_origin, most = 0;
  reach(p, false, &x_bytes, &x_origin), reach(p, true, &y_bytes, &y_origin);
  for (const auto& plan : candidates) most = std::max(most, plan->workspace());
  int64_t w_span = 1;
  const int64_t extent[6] = {p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
  for (int a = 0; a < 6; ++a) w_span += (extent[a] - 1) * std::max<int64_t>(0, p.w[a]);
  for (const auto& plan : candidates) w_span = std::max(w_span, packed_elements(p, plan->packing()));
  const auto w_bytes = static_cast<size_t>(w_span) * element_bytes(p.dtype);
  for (const int64_t s : p.w) {
    if (s < 0) return Status(Code::UNSUPPORTED_ENGINE, "measuring needs weights without negative strides");
  }
  const auto bias_bytes = static_cast<size_t>(channels_out(p) * std::max<int64_t>(1, p.bias_stride)) * 8;
  CTCONV_RETURN_IF_ERROR(x.take(x_bytes));
  CTCONV_RETURN_IF_ERROR(w.take(w_bytes));
  CTCONV_RETURN_IF_ERROR(bias.take(bias_bytes));
  CTCONV_RETURN_IF_ERROR(y.take(y_bytes));
  CTCONV_RETURN_IF_ERROR(workspace.take(most));
  Clock clock;
  cudaError_t error = cudaStreamCreateWithFlags(&clock.stream, cudaStreamNonBlocking);
  if (error == cudaSuccess) error = cudaEventCreate(&clock.begin);
  if (error == cudaSuccess) error = cudaEventCreate(&clock.end);
  // zeros draw less power than data, alike for all candidates
  if (error == cudaSuccess) error = cudaMemsetAsync(x.p, 0, x_bytes, clock.stream);
  if (error == cudaSuccess) error = cudaMemsetAsync(w.p, 0, w_bytes, clock.stream);
  if (error == cudaSuccess) error = cudaMemsetAsync(bias.p, 0, bias_bytes, clock.stream);
  if (error != cudaSuccess) return cuda_error(error, "measuring");

  const DeviceCall call{
      static_cast<unsigned char*>(x.p) + x_origin, w.p,         p.bias == CTCONV_CUDA_BIAS_NONE ? nullptr : bias.p,
      static_cast<unsigned char*>(y.p) + y_origin, workspace.p, clock.stream};
  constexpr double kNever = std::numeric_limits<double>::infinity();
  seconds->assign(candidates.size(), kNever);
  std::vector<bool> fit(candidates.size(), true);
  const auto once = [&](size_t e) {
    if (cudaEventRecord(clock.begin, clock.stream) != cudaSuccess || !candidates[e]->run(call).ok() ||
        cudaEventRecord(clock.end, clock.stream) != cudaSuccess || cudaEventSynchronize(clock.end) != cudaSuccess) {
      return kNever;
    }
    float ms = 0;
    return cudaEventElapsedTime(&ms, clock.begin, clock.end) == cudaSuccess ? 1e-3 * static_cast<double>(ms) : kNever;
  };
  double slowest_round = 0;
  for (size_t e = 0; e < candidates.size(); ++e) {
    once(e);  // loads code, warms caches
    (*seconds)[e] = once(e);
    fit[e] = (*seconds)[e] < kNever;
    if (fit[e]) slowest_round += (*seconds)[e];
  }
  const int rounds =
      slowest_round > 0
          ? static_cast<int>(std::clamp(2e-3 * static_cast<double>(candidates.size()) / slowest_round, 1.0, 20.0))
          : 1;
  for (int round = 0; round < rounds; ++round) {
    for (size_t e = 0; e < candidates.size(); ++e) {
      if (fit[e]) (*seconds)[e] = std::min((*seconds)[e], once(e));
    }
  }
  cudaStreamSynchronize(clock.stream);
  const auto best = std::min_element(seconds->begin(), seconds->end());
  if (*best == kNever) {
    const cudaError_t last = cudaGetLastError();
    return last != cudaSuccess ? cuda_error(last, "measuring")
                               : Status(Code::DEVICE_NO_PLAN, "no candidate could be run for measuring");
  }
  return static_cast<size_t>(best - seconds->begin());
}

}  // namespace ctconv::cuda
