// The pool of cuDNN handles; see cudnn_handles.h.
#include "cuda/cudnn_handles.h"

#include <map>
#include <mutex>
#include <vector>

namespace ctconv::cuda {
namespace {

struct Pool {
  std::mutex mutex;
  std::map<int32_t, std::vector<cudnnHandle_t>> free;  // by ordinal, last used first
};

Pool& pool() {
  static Pool* pool = new Pool;
  return *pool;
}

}  // namespace

HandleLease::HandleLease(const CudnnApi& api, int32_t ordinal, cudaStream_t stream) : ordinal_(ordinal) {
  {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    auto& free = pool().free[ordinal];
    if (!free.empty()) {
      handle_ = free.back();
      free.pop_back();
    }
  }
  if (!handle_) {
    const cudnnStatus_t status = api.create(&handle_);
    if (status != CUDNN_STATUS_SUCCESS) {
      handle_ = nullptr;
      status_ = cudnn_error(api, status, "cudnnCreate");
      return;
    }
  }
  const cudnnStatus_t status = api.set_stream(handle_, stream);
  if (status != CUDNN_STATUS_SUCCESS) status_ = cudnn_error(api, status, "cudnnSetStream");
}

HandleLease::~HandleLease() {
  if (!handle_) return;
  const std::lock_guard<std::mutex> lock(pool().mutex);
  pool().free[ordinal_].push_back(handle_);
}

}  // namespace ctconv::cuda
