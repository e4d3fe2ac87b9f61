// SPDX-License-Identifier: Apache-2.0
// Building cuDNN's descriptors: a graph reads as a list, the first failure is remembered.
//
//   in:  descriptor types and attributes;   out: descriptors, or the first failure as a Status
#pragma once

#include "cuda/cudnn_graph.h"

namespace ctconv::cuda {

class Builder {
 public:
  explicit Builder(const CudnnApi& api) : api_(api) {}

  Descriptor make(cudnnBackendDescriptorType_t type, const char* what) {
    cudnnBackendDescriptor_t d = nullptr;
    what_ = what;
    check(api_.descriptor_create(type, &d));
    return Descriptor(&api_, d);
  }
  void set(const Descriptor& d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
           const void* v) {
    if (status_ == CUDNN_STATUS_SUCCESS) check(api_.set(d.get(), name, type, count, v));
  }
  void set(const Descriptor& d, cudnnBackendAttributeName_t name, const Descriptor& v) {
    const cudnnBackendDescriptor_t raw = v.get();
    set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
  }
  void finalize(const Descriptor& d) {
    if (status_ == CUDNN_STATUS_SUCCESS) check(api_.finalize(d.get()));
  }
  bool ok() const { return status_ == CUDNN_STATUS_SUCCESS; }
  Status error() const { return failure_.empty() ? Status() : rebuild(); }

 private:
  void check(cudnnStatus_t status) {
    if (status == CUDNN_STATUS_SUCCESS || status_ != CUDNN_STATUS_SUCCESS) return;
    status_ = status;
    failure_ = cudnn_error(api_, status, what_).detail().message;  // now: later calls overwrite cuDNN's text
  }
  Status rebuild() const {
    return Status(
        Status::Detail{.code = Code::DEVICE_CUDNN, .native_code = static_cast<int32_t>(status_), .message = failure_});
  }

  const CudnnApi& api_;
  cudnnStatus_t status_ = CUDNN_STATUS_SUCCESS;
  const char* what_ = "";
  std::string failure_;
};

}  // namespace ctconv::cuda
