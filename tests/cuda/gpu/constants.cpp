// SPDX-License-Identifier: Apache-2.0
// The device's constants: measured by the first plan, once, and no disturbance to a capture that is under way.
//
//   Must be the first part that makes a plan, else the measuring lies behind it already (said so).
#include <chrono>
#include <cstdio>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

std::string plan_text(Run& run, double* seconds) {
  ctconv_cuda_options o{};
  o.workspace_limit = SIZE_MAX;
  o.kernel = "direct";
  const ctconv_cuda_problem p = problem_of(run.layers.front(), CTCONV_CUDA_F32, false);
  const auto begin = std::chrono::steady_clock::now();
  auto plan = run.module->plan(run.ordinal, p, o);
  *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  must(plan.ok() ? Status() : plan.take_status(), "plan");
  const std::string text = (*plan)->describe();
  const std::string key = "device.constants: ";
  const size_t at = text.find(key);
  return at == std::string::npos ? "" : text.substr(at + key.size(), text.find('\n', at) - at - key.size());
}

}  // namespace

void run_constants(Run& run) {
  Guarded memory(256);
  must(cudaDeviceSynchronize(), "device");
  cudaStream_t stream = nullptr;
  must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
  must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "capture");
  must(cudaMemsetAsync(memory.data(), 0, 256, stream), "capture");
  double first = 0, second = 0;
  const std::string text = plan_text(run, &first);
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  run.check(cudaStreamIsCapturing(stream, &status) == cudaSuccess && status == cudaStreamCaptureStatusActive,
            "constants: a capture is disturbed by measuring");
  must(cudaMemsetAsync(memory.data(), 0, 256, stream), "capture");
  cudaGraph_t graph = nullptr;
  run.check(cudaStreamEndCapture(stream, &graph) == cudaSuccess && graph != nullptr,
            "constants: the capture ends well");
  if (graph) must(cudaGraphDestroy(graph), "graph");
  must(cudaStreamDestroy(stream), "stream");
  const std::string again = plan_text(run, &second);
  std::printf("constants: %s\nfirst plan %.1f ms, second %.2f ms\n", text.c_str(), 1e3 * first, 1e3 * second);
  run.report["constants"] = {{"text", text}, {"first_plan_s", first}, {"second_plan_s", second}};
  run.check(text.find("measured in ") == 0, "constants: measured, not '" + text + "'");
  run.check(text.find("by data sheet") == std::string::npos, "constants: none is left to the data sheet");
  run.check(again == text, "constants: measured once");
  run.check(second < 5e-3, "constants: a later plan does not measure");
  run.check(cudaGetLastError() == cudaSuccess, "constants: no error is left behind");
}

}  // namespace ctconv::cuda::testing
