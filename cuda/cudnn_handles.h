// SPDX-License-Identifier: Apache-2.0
// cuDNN handles: one for each call that runs at the same time on a device, kept for the next call.
//
//   in:  the current device's ordinal and a stream;   out: a handle no other thread uses while the lease lives
//   Giving a handle back never allocates, so that the destructor cannot fail.
//   Handles are never destroyed: at process exit the driver may be gone before us.
#pragma once

#include "cuda/cudnn_api.h"

namespace ctconv::cuda {

struct Shelf;

class HandleLease {
 public:
  HandleLease(const CudnnApi& api, int32_t ordinal, cudaStream_t stream);
  HandleLease(const HandleLease&) = delete;
  HandleLease& operator=(const HandleLease&) = delete;
  ~HandleLease();
  Status take_status() { return std::move(status_); }
  cudnnHandle_t get() const { return handle_; }

 private:
  Shelf* shelf_ = nullptr;  // of the ordinal; lives as long as the process
  cudnnHandle_t handle_ = nullptr;
  Status status_;
};

}  // namespace ctconv::cuda
