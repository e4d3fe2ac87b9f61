// SPDX-License-Identifier: Apache-2.0
// Finds and opens libcudnn.so.9; see cudnn_api.h.
#include "cuda/cudnn_api.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdlib>
#include <mutex>
#include <vector>

namespace ctconv::cuda {
namespace {

constexpr const char* kSoname = "libcudnn.so.9";

std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&open_cudnn), &info) || !info.dli_fname) return {};
  const std::string file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? std::string() : file.substr(0, slash);
}

bool is_folder(const std::string& path) {
  struct stat s {};
  return stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}

template <class F>
bool bind(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, name));
  return *function != nullptr;
}

Status bind_all(void* library, const std::string& path, CudnnApi* api) {
  const bool all =
      bind(library, "cudnnGetVersion", &api->version) && bind(library, "cudnnGetErrorString", &api->error_string) &&
      bind(library, "cudnnGetLastErrorString", &api->last_error) && bind(library, "cudnnCreate", &api->create) &&
      bind(library, "cudnnSetStream", &api->set_stream) &&
      bind(library, "cudnnBackendCreateDescriptor", &api->descriptor_create) &&
      bind(library, "cudnnBackendDestroyDescriptor", &api->descriptor_destroy) &&
      bind(library, "cudnnBackendFinalize", &api->finalize) && bind(library, "cudnnBackendSetAttribute", &api->set) &&
      bind(library, "cudnnBackendGetAttribute", &api->get) && bind(library, "cudnnBackendExecute", &api->execute);
  if (!all) {
    return Status(Code::DEVICE_CUDNN_OLD, path + " lacks functions of cuDNN's graph interface; cuDNN " +
                                              cudnn_version_text(kLeastCudnn) + " or a later 9 is needed");
  }
  api->number = api->version();
  if (api->number < kLeastCudnn || api->number >= 100000) {
    return Status(Code::DEVICE_CUDNN_OLD, "cuDNN " + cudnn_version_text(api->number) + " found (" + path +
                                              "), the module needs " + cudnn_version_text(kLeastCudnn) +
                                              " or a later 9");
  }
  return {};
}

}  // namespace

std::string cudnn_version_text(size_t number) {
  if (number < 90000) {  // before 9 the major stood at 1000
    return std::to_string(number / 1000) + "." + std::to_string(number / 100 % 10) + "." + std::to_string(number % 100);
  }
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

Status cudnn_error(const CudnnApi& api, cudnnStatus_t status, const std::string& what) {
  char text[320] = "";
  api.last_error(text, sizeof(text));
  text[sizeof(text) - 1] = 0;
  const char* name = api.error_string(status);
  Status result(Code::DEVICE_CUDNN, "cuDNN " + cudnn_version_text(api.number) + ", " + what + ": " +
                                        (name ? name : "unknown status") + (text[0] ? std::string("; ") + text : ""));
  // 4xxx: ALLOC_FAILED is memory, whatever its sub-code
  if (status / 1000 == CUDNN_STATUS_INTERNAL_ERROR / 1000 && name &&
      std::string(name).find("ALLOC") != std::string::npos) {
    result.detail().code = Code::NO_MEMORY;
  }
  result.detail().native_code = static_cast<int32_t>(status);
  return result;
}

Status open_cudnn(const std::string& named, const std::string& beside, bool loaded, bool soname, CudnnApi* api) {
  *api = {};
  if (loaded) {
    if (void* library = dlopen(kSoname, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD)) return bind_all(library, kSoname, api);
  }
  std::vector<std::string> candidates;
  if (!named.empty()) {
    candidates.push_back(is_folder(named) ? named + "/" + kSoname : named);  // named by the user: nothing else is tried
  } else {
    if (!beside.empty()) candidates.push_back(beside + "/../nvidia/cudnn/lib/" + kSoname);
    if (soname) candidates.push_back(kSoname);
  }
  std::string reason;
  for (const std::string& path : candidates) {
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return bind_all(library, path, api);
    if (const char* text = dlerror()) reason = text;
  }
  return Status(Code::DEVICE_CUDNN_MISSING, (named.empty() ? std::string(kSoname) + " not found"
                                                           : "CTCONV_CUDNN_PATH=" + named + " cannot be opened") +
                                                "; install nvidia-cudnn-cu" + std::to_string(CTCONV_CUDA_MAJOR) +
                                                " or set CTCONV_CUDNN_PATH to the file or its folder (" + reason + ")");
}

Status load_cudnn(const CudnnApi** out) {
  static std::mutex* mutex = new std::mutex;  // leaked: calls may come from other static destructors
  static const CudnnApi* api = nullptr;
  const std::lock_guard<std::mutex> lock(*mutex);
  *out = nullptr;
  if (!api) {
    const char* named = std::getenv("CTCONV_CUDNN_PATH");
    CudnnApi found;
    CTCONV_RETURN_IF_ERROR(open_cudnn(named ? named : "", own_folder(), true, true, &found));
    api = new CudnnApi(found);
  }
  *out = api;
  return {};
}

}  // namespace ctconv::cuda
