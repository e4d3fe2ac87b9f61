// SPDX-License-Identifier: Apache-2.0
// Every row of the check table, from facts; and the real module on this machine, whatever it has.
#include "cuda/device.h"

#include <dlfcn.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>

#include "src/backend/cuda/cuda_module.h"

namespace ctconv::cuda::testing {
namespace {

constexpr const char* kBuilt = "80,86,89,90,100,100+";

DeviceFacts good() {
  DeviceFacts f;
  f.driver_loaded = true;
  f.driver_version = 13000;
  f.runtime_version = 13000;
  f.count = 2;
  f.ordinal = 1;
  f.capability = 90;
  return f;
}

void expect(const DeviceFacts& f, Code code, const std::string& text) {
  const Status s = judge_device(f, kBuilt);
  REQUIRE(s.code() == code);
  CHECK(s.detail().message == text);
}

}  // namespace

TEST_CASE("each missing thing is a status of its own", "[cuda][device]") {
  CHECK(judge_device(good(), kBuilt).ok());
  DeviceFacts f = good();
  f.driver_loaded = false;
  expect(f, Code::DEVICE_NO_DRIVER, "no NVIDIA driver on this machine (libcuda.so.1 cannot be opened)");
  f = good();
  f.driver_version = 12040;
  f.count_error = cudaErrorInsufficientDriver;
  expect(f, Code::DEVICE_DRIVER_OLD, "driver supports CUDA 12.4, module needs 13.0 (driver 580 or later)");
  CHECK(judge_device(f, kBuilt).detail().native_code == 35);
  f = good();
  f.driver_version = 13010;
  f.runtime_version = 13020;
  CHECK(judge_device(f, kBuilt).ok());  // within one major version
  f = good();
  f.count_error = cudaErrorNoDevice;
  f.count = 0;
  expect(f, Code::DEVICE_NONE, "no visible NVIDIA device");
  f.visible = "-1";
  expect(f, Code::DEVICE_NONE, "no visible NVIDIA device (CUDA_VISIBLE_DEVICES=-1)");
  f = good();
  f.ordinal = 3;
  f.visible = "0,1";
  expect(f, Code::DEVICE_ORDINAL, "device 3 asked, 2 visible (CUDA_VISIBLE_DEVICES=0,1)");
  f = good();
  f.ordinal = -1;
  expect(f, Code::DEVICE_ORDINAL, "device -1 asked, 2 visible");
  f = good();
  f.capability = 75;
  expect(f, Code::DEVICE_ARCHITECTURE, "sm_75 not in this build of the module (80,86,89,90,100,100+)");
  f = good();
  f.driver_version = 0;
  f.count_error = cudaErrorStubLibrary;
  CHECK(judge_device(f, kBuilt).code() == Code::DEVICE_CUDA);
  // the order of the table: the driver is judged before the device, the device before its architecture
  f = good();
  f.ordinal = 9;
  f.capability = 75;
  CHECK(judge_device(f, kBuilt).code() == Code::DEVICE_ORDINAL);
}

TEST_CASE("which devices a build runs on", "[cuda][device]") {
  CHECK(architecture_built(kBuilt, 80));
  CHECK(architecture_built(kBuilt, 87));  // same major, later minor
  CHECK(architecture_built(kBuilt, 103));
  CHECK(architecture_built(kBuilt, 120));  // PTX
  CHECK_FALSE(architecture_built(kBuilt, 75));
  CHECK_FALSE(architecture_built("86,90", 80));
  CHECK_FALSE(architecture_built("90", 100));
  CHECK_FALSE(architecture_built("", 90));
}

TEST_CASE("a fault of earlier work is told from a fault of this call", "[cuda][device]") {
  CHECK(cuda_error(cudaErrorIllegalAddress, "launch of cell").code() == Code::DEVICE_ASYNC);
  CHECK(cuda_error(cudaErrorLaunchFailure, "x").code() == Code::DEVICE_ASYNC);
  CHECK(cuda_error(cudaErrorInvalidConfiguration, "x").code() == Code::DEVICE_CUDA);
  CHECK(cuda_error(cudaErrorMemoryAllocation, "x").code() == Code::NO_MEMORY);
  CHECK(cuda_error(cudaErrorIllegalAddress, "launch of cell").detail().native_code == 700);
}

TEST_CASE("the built module on this machine", "[cuda][device]") {
  ctconv_cuda_table table;
  const Status opened = open_cuda_module(CTCONV_REAL_MODULE, "", &table);
  REQUIRE(opened.ok());
  const CudaModule module(table);
  const Status device = module.check_device(0);
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (driver == nullptr) {
    REQUIRE(device.code() == Code::DEVICE_NO_DRIVER);
    CHECK(device.detail().message == "no NVIDIA driver on this machine (libcuda.so.1 cannot be opened)");
    ctconv_cuda_problem p{};
    ctconv_cuda_options o{};
    CHECK(module.plan(0, p, o).status().code() == Code::DEVICE_NO_DRIVER);
    CHECK(module.allocate(0, 16).status().code() == Code::DEVICE_CUDA);
    WARN("no driver here, as wanted: " << device.detail().message);
  } else if (std::getenv("CTCONV_TEST_STUB_DRIVER")) {
    REQUIRE(device.code() == Code::DEVICE_CUDA);
    CHECK(device.detail().message.find("the CUDA driver does not start") == 0);
    WARN(device.detail().message << ", native code " << device.detail().native_code);
  } else {
    WARN((device.ok() ? module.device_text(0).value() : device.detail().message));
  }
  int host = 0;  // a host pointer is an answer where a driver works, an error where none does; never a crash
  const auto where = module.locate(&host);
  CHECK((!where.ok() || where->kind == CTCONV_CUDA_NOT_A_DEVICE_POINTER));
  ctconv_cuda_table small;
  void* library = dlopen(CTCONV_REAL_MODULE, RTLD_NOW);
  const auto init = reinterpret_cast<ctconv_cuda_module_init_fn>(dlsym(library, CTCONV_CUDA_ENTRY));
  CHECK(init(CTCONV_CUDA_ABI + 1, sizeof(small), &small) == 6002);
  CHECK(small.abi == CTCONV_CUDA_ABI);
  CHECK(init(CTCONV_CUDA_ABI, sizeof(small) - 8, &small) == 6002);
  CHECK(init(CTCONV_CUDA_ABI, sizeof(small), nullptr) == 7001);
}

}  // namespace ctconv::cuda::testing
