// cuDNN handles: one for each call that runs at the same time on a device, kept for the next call.
//
//   in:  the current device's ordinal and a stream;   out: a handle no other thread uses while the lease lives
//   Handles are never destroyed: at process exit the driver may be gone before us.
#pragma once

#include "cuda/cudnn_api.h"

namespace ctconv::cuda {

class HandleLease {
 public:
  HandleLease(const CudnnApi& api, int32_t ordinal, cudaStream_t stream);
  HandleLease(const HandleLease&) = delete;
  HandleLease& operator=(const HandleLease&) = delete;
  ~HandleLease();
  Status take_status() { return std::move(status_); }
  cudnnHandle_t get() const { return handle_; }

 private:
  int32_t ordinal_;
  cudnnHandle_t handle_ = nullptr;
  Status status_;
};

}  // namespace ctconv::cuda
