// SPDX-License-Identifier: Apache-2.0
// Driver, device, architecture: see device.h.
#include "cuda/device.h"

#include <dlfcn.h>

#include <charconv>
#include <cstdlib>

#include "cuda/cudnn_api.h"

namespace ctconv::cuda {
namespace {

std::string version_text(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

Status with_native(Code code, std::string message, int native) {
  return Status(Status::Detail{.code = code, .native_code = native, .message = std::move(message)});
}

DeviceFacts gather(int32_t ordinal) {
  DeviceFacts f;
  f.ordinal = ordinal;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) f.visible = visible;
  // The runtime answers the same number for "no driver" and "driver too old": look for the driver first.
  f.driver_loaded = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr;  // stays open: the runtime uses it
  if (!f.driver_loaded) return f;
  cudaDriverGetVersion(&f.driver_version);
  f.count_error = cudaGetDeviceCount(&f.count);
  if (f.count_error != cudaSuccess) cudaGetLastError();  // not a fault of a later call
  if (f.count_error == cudaSuccess && ordinal >= 0 && ordinal < f.count) {
    int major = 0, minor = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal);
    f.capability = 10 * major + minor;
  }
  return f;
}

}  // namespace

bool architecture_built(const std::string& built, int capability) {
  for (size_t at = 0; at < built.size();) {
    const size_t end = std::min(built.find(',', at), built.size());
    const std::string one = built.substr(at, end - at);
    int number = 0;
    std::from_chars(one.data(), one.data() + one.size(), number);  // "90+": the number in front
    const bool ptx = !one.empty() && one.back() == '+';
    // machine code runs on the same major and the same or a later minor; PTX on anything later
    if (capability >= number && (ptx || capability / 10 == number / 10)) return true;
    at = end + 1;
  }
  return false;
}

Status judge_device(const DeviceFacts& f, const std::string& built) {
  if (!f.driver_loaded)
    return Status(Code::DEVICE_NO_DRIVER, "no NVIDIA driver on this machine (libcuda.so.1 cannot be opened)");
  if (f.driver_version ==
      0) {  // there is a file, but it does not work: the toolkit's stub, a container without devices
    return with_native(Code::DEVICE_CUDA,
                       std::string("the CUDA driver does not start: ") + cudaGetErrorString(f.count_error),
                       f.count_error);
  }
  // Within one major version a newer runtime works on an older driver.
  if (f.driver_version < f.runtime_version / 1000 * 1000) {
    const std::string least = f.runtime_version / 1000 == 13   ? " (driver 580 or later)"
                              : f.runtime_version / 1000 == 12 ? " (driver 525 or later)"
                                                               : "";
    return with_native(Code::DEVICE_DRIVER_OLD,
                       "driver supports CUDA " + version_text(f.driver_version) + ", module needs " +
                           version_text(f.runtime_version / 1000 * 1000) + least,
                       f.count_error);
  }
  const std::string visible = f.visible.empty() ? "" : " (CUDA_VISIBLE_DEVICES=" + f.visible + ")";
  if (f.count_error == cudaErrorNoDevice || (f.count_error == cudaSuccess && f.count == 0)) {
    return with_native(Code::DEVICE_NONE, "no visible NVIDIA device" + visible, f.count_error);
  }
  if (f.count_error != cudaSuccess) {
    return with_native(Code::DEVICE_CUDA,
                       std::string("the CUDA driver does not start: ") + cudaGetErrorString(f.count_error),
                       f.count_error);
  }
  if (f.ordinal < 0 || f.ordinal >= f.count) {
    return Status(Code::DEVICE_ORDINAL,
                  "device " + std::to_string(f.ordinal) + " asked, " + std::to_string(f.count) + " visible" + visible);
  }
  if (!architecture_built(built, f.capability)) {
    return Status(Code::DEVICE_ARCHITECTURE,
                  "sm_" + std::to_string(f.capability) + " not in this build of the module (" + built + ")");
  }
  return {};
}

Status check_device(int32_t ordinal) { return judge_device(gather(ordinal), CTCONV_CUDA_BUILT_FOR); }

Result<std::string> device_text(int32_t ordinal) {
  CTCONV_RETURN_IF_ERROR(check_device(ordinal));
  cudaDeviceProp prop;
  const cudaError_t error = cudaGetDeviceProperties(&prop, ordinal);
  if (error != cudaSuccess) return cuda_error(error, "reading device properties");
  int driver = 0;
  cudaDriverGetVersion(&driver);
  const CudnnApi* api = nullptr;
  const bool cudnn = load_cudnn(&api).ok();
  return std::string(prop.name) + ", sm_" + std::to_string(10 * prop.major + prop.minor) + ", CUDA driver " +
         version_text(driver) + (cudnn ? ", cuDNN " + cudnn_version_text(api->number) : ", no cuDNN");
}

DeviceModel model_of(int32_t capability, int32_t processors, double clock_hz, double memory_bytes_per_second) {
  // flop per cycle and multiprocessor: f32, f64, TF32, f16, dense, from NVIDIA's architecture papers
  double f32 = 256, f64 = 4, tf32 = 512, f16 = 1024;
  if (capability == 80) {
    f32 = 128;
    f64 = 64;
    tf32 = 1024;
    f16 = 2048;
  }
  if (capability == 90) {
    f64 = 128;
    tf32 = 2048;
    f16 = 4096;
  }
  if (capability == 100 || capability == 103) {
    f64 = 128;
    tf32 = 4096;
    f16 = 8192;
  }
  const double per = clock_hz * processors;
  return {.ordinal = 0,
          .capability = capability,
          .processors = processors,
          .bytes_per_second = memory_bytes_per_second,
          .f32 = f32 * per,
          .f64 = f64 * per,
          .tf32 = tf32 * per,
          .f16 = f16 * per,
          .launch_seconds = 2.5e-6};
}

Result<DeviceModel> device_model(int32_t ordinal) {
  int major = 0, minor = 0, processors = 0, clock_khz = 0, memory_khz = 0, bus_bits = 0;
  const auto read = [ordinal](int* value, cudaDeviceAttr what) { return cudaDeviceGetAttribute(value, what, ordinal); };
  cudaError_t error = read(&major, cudaDevAttrComputeCapabilityMajor);
  if (error == cudaSuccess) error = read(&minor, cudaDevAttrComputeCapabilityMinor);
  if (error == cudaSuccess) error = read(&processors, cudaDevAttrMultiProcessorCount);
  if (error != cudaSuccess) return cuda_error(error, "reading device attributes");
  read(&clock_khz, cudaDevAttrClockRate);
  read(&memory_khz, cudaDevAttrMemoryClockRate);
  read(&bus_bits, cudaDevAttrGlobalMemoryBusWidth);
  cudaGetLastError();  // the three rates may be unknown on a virtual device: estimates only
  if (clock_khz <= 0) clock_khz = 1500000;
  const double memory = memory_khz > 0 && bus_bits > 0 ? 2e3 * memory_khz * bus_bits / 8 : 2e12;
  DeviceModel m = model_of(10 * major + minor, processors, 1e3 * clock_khz, memory);
  m.ordinal = ordinal;
  return m;
}

Status cuda_error(cudaError_t error, const char* what) {
  const std::string text = std::string(cudaGetErrorName(error)) + ", " + cudaGetErrorString(error);
  switch (error) {
    case cudaErrorMemoryAllocation:
      return with_native(Code::NO_MEMORY, std::string(what) + ": device memory could not be allocated (" + text + ")",
                         error);
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
      return with_native(
          Code::DEVICE_ASYNC,
          std::string("earlier work on this device failed, not this call; seen at ") + what + ": " + text, error);
    default:
      return with_native(Code::DEVICE_CUDA, std::string(what) + ": " + text, error);
  }
}

}  // namespace ctconv::cuda
