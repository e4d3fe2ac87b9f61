// SPDX-License-Identifier: Apache-2.0
// What must be true before a device can be used, what a device can do, and the caller's current device kept as it was.
//
//   in:  an ordinal;   out: OK or the first missing thing as its own status; bandwidth and peaks for the estimates
//   The judgement is a pure function of gathered facts, so every row of the table is tested without a driver.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

#include "src/base/status.h"

namespace ctconv::cuda {

struct DeviceFacts {
  bool driver_loaded = false;  // libcuda.so.1 opens
  int driver_version = 0;      // 13000
  int runtime_version = CUDART_VERSION;
  cudaError_t count_error = cudaSuccess;
  int count = 0, ordinal = 0;
  std::string visible;  // CUDA_VISIBLE_DEVICES, empty: not set
  int capability = 0;   // 90
};

// Compiled for 80, 86, ... as CTCONV_CUDA_ARCHITECTURES says; a trailing "+" is PTX, which newer devices compile.
bool architecture_built(const std::string& built, int capability);
Status judge_device(const DeviceFacts& facts, const std::string& built);
Status check_device(int32_t ordinal);
Result<std::string> device_text(int32_t ordinal);

struct DeviceModel {
  int32_t ordinal = 0, capability = 0, processors = 0;
  double bytes_per_second = 0;
  double f32 = 0, f64 = 0, tf32 = 0, f16 = 0;  // flop/s, fused multiply-add counted as two
  double launch_seconds = 0;                   // of a small kernel in a stream
};
// By data sheet; constants.h measures.
DeviceModel model_of(int32_t capability, int32_t processors, double clock_hz, double memory_bytes_per_second);
Result<DeviceModel> device_model(int32_t ordinal);

// DEVICE_ASYNC where the error is an earlier kernel's, else DEVICE_CUDA (NO_MEMORY for memory).
Status cuda_error(cudaError_t error, const char* what);

// Makes `ordinal` current and the caller's device current again at the end.
class DeviceGuard {
 public:
  explicit DeviceGuard(int32_t ordinal) {
    error_ = cudaGetDevice(&before_);
    if (error_ == cudaSuccess && before_ != ordinal) {
      error_ = cudaSetDevice(ordinal);
      restore_ = error_ == cudaSuccess;
    }
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;
  ~DeviceGuard() {
    if (restore_) cudaSetDevice(before_);
  }
  Status status() const { return error_ == cudaSuccess ? Status() : cuda_error(error_, "choosing the device"); }

 private:
  int before_ = 0;
  bool restore_ = false;
  cudaError_t error_;
};

}  // namespace ctconv::cuda
