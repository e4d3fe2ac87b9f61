// SPDX-License-Identifier: Apache-2.0
// cuDNN by dlopen: the eleven functions we call, found once, never closed.
//
//   in:      nothing (an already loaded copy, CTCONV_CUDNN_PATH, ../nvidia/cudnn/lib beside this module, the soname;
//            in this order)
//   out:     the functions
//   refuses: DEVICE_CUDNN_MISSING, DEVICE_CUDNN_OLD (not 9, or below 9.8)
//   cuDNN itself loads without a driver; cudnnCreate then answers with a reason, which is passed on.
#pragma once

#include <cudnn_graph.h>

#include <string>

#include "src/base/status.h"

namespace ctconv::cuda {

inline constexpr size_t kLeastCudnn = 90800;
inline constexpr size_t kDevicelessCudnn = 91100;  // device descriptions by JSON
inline constexpr size_t kHalf3dCudnn = 91500;      // below: wrong or slow 3-D plans in f16 and bf16

struct CudnnApi {
  decltype(&::cudnnGetVersion) version;
  decltype(&::cudnnGetErrorString) error_string;
  decltype(&::cudnnGetLastErrorString) last_error;
  decltype(&::cudnnCreate) create;
  decltype(&::cudnnSetStream) set_stream;
  decltype(&::cudnnBackendCreateDescriptor) descriptor_create;
  decltype(&::cudnnBackendDestroyDescriptor) descriptor_destroy;
  decltype(&::cudnnBackendFinalize) finalize;
  decltype(&::cudnnBackendSetAttribute) set;
  decltype(&::cudnnBackendGetAttribute) get;
  decltype(&::cudnnBackendExecute) execute;
  size_t number = 0;  // 91900 is 9.19.0
};

// "9.19.0"
std::string cudnn_version_text(size_t number);
// The error a failing call left: DEVICE_CUDNN with cuDNN's own words; unknown numbers are passed on as they are.
Status cudnn_error(const CudnnApi& api, cudnnStatus_t status, const std::string& what);

// Loads on the first call and remembers a success. Any thread.
Status load_cudnn(const CudnnApi** out);
// The search itself, for tests: every folder or file as given, then the soname where `soname`.
Status open_cudnn(const std::string& named, const std::string& beside, bool loaded, bool soname, CudnnApi* api);

}  // namespace ctconv::cuda
