// SPDX-License-Identifier: Apache-2.0
// The pool of cuDNN handles; see cudnn_handles.h.
#include "cuda/cudnn_handles.h"

#include <map>
#include <mutex>
#include <vector>

namespace ctconv::cuda {

struct Shelf {
  std::vector<cudnnHandle_t> free;  // last used first
  size_t made = 0;                  // free has room for all of them: giving one back never allocates
};

namespace {

struct Pool {
  std::mutex mutex;
  std::map<int32_t, Shelf> shelves;  // by ordinal
};

Pool& pool() {
  static Pool* pool = new Pool;
  return *pool;
}

}  // namespace

HandleLease::HandleLease(const CudnnApi& api, int32_t ordinal, cudaStream_t stream) {
  {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    shelf_ = &pool().shelves[ordinal];
    auto& free = shelf_->free;
    if (!free.empty()) {
      handle_ = free.back();
      free.pop_back();
    } else {
      free.reserve(shelf_->made + 1);
      ++shelf_->made;
    }
  }
  if (!handle_) {
    const cudnnStatus_t status = api.create(&handle_);
    if (status != CUDNN_STATUS_SUCCESS) {
      handle_ = nullptr;
      status_ = cudnn_error(api, status, "cudnnCreate");
      const std::lock_guard<std::mutex> lock(pool().mutex);
      --shelf_->made;
      return;
    }
  }
  const cudnnStatus_t status = api.set_stream(handle_, stream);
  if (status != CUDNN_STATUS_SUCCESS) status_ = cudnn_error(api, status, "cudnnSetStream");
}

HandleLease::~HandleLease() {
  if (!handle_) return;
  const std::lock_guard<std::mutex> lock(pool().mutex);
  shelf_->free.push_back(handle_);
}

}  // namespace ctconv::cuda
