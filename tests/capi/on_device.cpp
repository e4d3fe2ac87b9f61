// SPDX-License-Identifier: Apache-2.0
// Makes a program of the C API's tests one about a device: ops on "cuda", tensors said to lie there.
//
//   in:  CTCONV_HOST_MODULE, a module that computes on the host (tests/device/host_module.h), from CMake
//   out: test_device() names the device before the first case; plans pack their weights and borrow a workspace
//   After the last case nothing may be left on the device: a plan or a buffer that is ends the program with 1.
#include <dlfcn.h>

#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#include <cstdio>
#include <cstdlib>

#include "tests/capi/support.h"
#include "tests/device/host_module.h"

namespace {

HostModuleState* open_module() {
  setenv("CTCONV_CUDA_MODULE", CTCONV_HOST_MODULE, 1);
  void* module = dlopen(CTCONV_HOST_MODULE, RTLD_NOW | RTLD_LOCAL);
  void* get = module != nullptr ? dlsym(module, CTCONV_HOST_MODULE_STATE) : nullptr;
  if (get == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
  return reinterpret_cast<HostModuleState* (*)()>(get)();
}

class OnDevice final : public Catch::EventListenerBase {
 public:
  using EventListenerBase::EventListenerBase;

  void testRunStarting(const Catch::TestRunInfo&) override {
    state_ = open_module();
    state_->packs = true;
    state_->scratch_bytes = 1000;
    capi::TestDevice& device = capi::test_device();
    device.name = "cuda";
    device.tensors = CTCONV_DEVICE_CUDA;
    device.also_here = CTCONV_DEVICE_CUDA_MANAGED;
    device.elsewhere = {CTCONV_DEVICE_CPU, CTCONV_DEVICE_CUDA_HOST, 0, 99, -1};
    device.engines = device.exact_engines = {"auto", "cuda"};
  }
  void testRunEnded(const Catch::TestRunStats&) override {
    const int64_t plans = state_->plans_live, buffers = state_->buffers_live;
    if (plans == 0 && buffers == 0) return;
    std::fprintf(stderr, "left on the device: %lld plans, %lld buffers\n", static_cast<long long>(plans),
                 static_cast<long long>(buffers));
    std::_Exit(1);
  }

 private:
  HostModuleState* state_ = nullptr;
};

CATCH_REGISTER_LISTENER(OnDevice)

}  // namespace
