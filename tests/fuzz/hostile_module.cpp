// SPDX-License-Identifier: Apache-2.0
// Opening the module of a device's lives; see hostile_device.h.
#include <dlfcn.h>

#include <cstdlib>

#include "tests/fuzz/hostile_device.h"

namespace hostile {

HostModule& host_module(const char* file) {
  static HostModule* const opened = [file] {
    setenv("CTCONV_CUDA_MODULE", file, 1);
    void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const auto state = library != nullptr ? dlsym(library, CTCONV_HOST_MODULE_STATE) : nullptr;
    const auto entry = library != nullptr ? dlsym(library, CTCONV_CUDA_ENTRY) : nullptr;
    if (state == nullptr || entry == nullptr) std::abort();
    auto* module = new HostModule;
    module->state = reinterpret_cast<HostModuleState* (*)()>(state)();
    const auto init = reinterpret_cast<ctconv_cuda_module_init_fn>(entry);
    if (init(CTCONV_CUDA_ABI, sizeof module->table, &module->table) != 0) std::abort();
    return module;
  }();
  return *opened;
}

}  // namespace hostile
