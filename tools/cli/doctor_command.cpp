// SPDX-License-Identifier: Apache-2.0
// ctconv doctor: what of the library works on this machine, what is missing, and the command that mends it.
//
//   out:  one line for each part, CPU first (doctor_cpu.cpp), then module, driver, device, cuDNN; and all of it as
//         one paragraph for a report
//   exit: 0 where everything the machine could offer is usable; 1 where something is missing that could be mended
//   A machine without an NVIDIA device lacks nothing: its missing module or driver is "none", not a fault. One that has
//   the device (on its PCI bus) or names a module (CTCONV_CUDA_MODULE) is held to the whole chain.
//   The device's half is asked of the library alone: the status of a create, of a plan, and of a plan by cuDNN.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "tools/cli/doctor.h"
#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"

namespace cli {
namespace {

using namespace std::string_literals;

constexpr const char* kDialect = "torch.nn.ConvTranspose2d";
constexpr std::pair<const char*, const char*> kBeforeDevice[] = {{"module", "of this release"}, {"driver", "starts"}};
constexpr int kMostDevices = 64;

std::string beginning_of(const std::filesystem::path& path, size_t bytes) {
  std::string text(bytes, '\0');
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return "";
  text.resize(std::fread(text.data(), 1, bytes, file));
  std::fclose(file);
  return text;
}

// A display or 3-D controller of NVIDIA's on the PCI bus, or its driver's folder where the bus cannot be seen.
bool has_nvidia_hardware() {
  std::error_code error;
  if (std::filesystem::exists("/proc/driver/nvidia/gpus", error)) return true;
  for (std::filesystem::directory_iterator at("/sys/bus/pci/devices", error), end; !error && at != end;
       at.increment(error)) {
    if (beginning_of(at->path() / "vendor", 6) == "0x10de" && beginning_of(at->path() / "class", 4) == "0x03")
      return true;
  }
  return false;
}

std::string mend_of(ctconv_status status) {
  switch (status) {
    case CTCONV_ERR_DEVICE_MODULE_MISSING:
      return "pip install ./bindings/python-cuda from the sources, or build with -DCTCONV_CUDA=ON, or set "
             "CTCONV_CUDA_MODULE to the full path of "
             "libctconv_cuda.so";
    case CTCONV_ERR_DEVICE_MODULE_ABI:
      return fmt::format("install the module of this release, {}: pip install ./bindings/python-cuda from its sources",
                         ctconv_version_string());
    case CTCONV_ERR_DEVICE_NO_DRIVER:
      return "install the NVIDIA driver, 580 or later; in a container: start it with --gpus all";
    case CTCONV_ERR_DEVICE_DRIVER_OLD:
      return "update the NVIDIA driver to 580 or later";
    case CTCONV_ERR_DEVICE_NONE:
      return "set CUDA_VISIBLE_DEVICES to a device of `nvidia-smi -L`, or unset it";
    case CTCONV_ERR_DEVICE_ARCHITECTURE:
      return "build the module for this device: -DCTCONV_CUDA=ON -DCTCONV_CUDA_ARCHITECTURES=native";
    case CTCONV_ERR_DEVICE_CUDNN_MISSING:
    case CTCONV_ERR_DEVICE_CUDNN_OLD:
      return "pip install \"nvidia-cudnn-cu13>=9.15,<10\", or set CTCONV_CUDNN_PATH to libcudnn.so.9 or its folder";
    default:
      return "run nvidia-smi: the driver's own tool says whether the device works";
  }
}

// Which part of the chain a status is about.
const char* part_of(ctconv_status status) {
  switch (status) {
    case CTCONV_ERR_DEVICE_MODULE_MISSING:
    case CTCONV_ERR_DEVICE_MODULE_ABI:
    case CTCONV_ERR_DEVICE_ARCHITECTURE:
      return "module";
    case CTCONV_ERR_DEVICE_NO_DRIVER:
    case CTCONV_ERR_DEVICE_DRIVER_OLD:
      return "driver";
    case CTCONV_ERR_DEVICE_CUDNN_MISSING:
    case CTCONV_ERR_DEVICE_CUDNN_OLD:
    case CTCONV_ERR_DEVICE_CUDNN:
    case CTCONV_ERR_DEVICE_NO_PLAN:
      return "cudnn";
    default:
      return "device";
  }
}

bool is_absence(ctconv_status status) {
  return status == CTCONV_ERR_DEVICE_MODULE_MISSING || status == CTCONV_ERR_DEVICE_NO_DRIVER ||
         status == CTCONV_ERR_DEVICE_NONE || status == CTCONV_ERR_DEVICE_CUDNN_MISSING;
}

// ", kernel module 580.65.06" where the driver says its version; else empty.
std::string driver_version() {
  const std::string text = beginning_of("/proc/driver/nvidia/version", 256);
  const std::string key = "Kernel Module";
  size_t at = text.find(key);
  if (at == std::string::npos) return "";
  at = text.find_first_of("0123456789", at + key.size());
  if (at == std::string::npos) return "";
  return ", kernel module " + text.substr(at, text.find_first_not_of("0123456789.", at) - at);
}

// One step on a device: a plan of the engine for a small layer. Throws what the library says.
Facts plan_on(const std::string& device, const char* engine) {
  ctconv::Desc desc(kDialect);
  desc.set("in_channels", ctconv::Value(int64_t{16})).set("out_channels", ctconv::Value(int64_t{16}));
  desc.set("kernel_size", ctconv::Value(int64_t{4})).set("stride", ctconv::Value(int64_t{2}));
  ctconv::Options options;
  options.device = device.c_str();
  options.engine = engine;
  const ctconv::Op op(desc, options);
  return Facts(op.describe(ctconv::Tensor(nullptr, ctconv::kFloat32, {1, 16, 16, 16})));
}

Finding fault_of(const ctconv::error& e, bool wanted) {
  const bool none = !wanted && is_absence(e.status());
  return {part_of(e.status()),
          none                     ? "none"
          : is_absence(e.status()) ? "missing"
                                   : "wrong",
          message_of(e) + (none ? "; no NVIDIA device is seen on this machine" : ""), none ? "" : mend_of(e.status())};
}

// The chain on one device; false where there is no such device.
bool device_half(int ordinal, bool wanted, std::vector<Finding>* rows) {
  const std::string device = fmt::format("cuda:{}", ordinal);
  try {
    const Facts plan = plan_on(device, "auto");
    for (const auto& [part, text] : kBeforeDevice) {
      if (ordinal == 0) rows->push_back({part, "ok", text + (part == "driver"s ? driver_version() : ""), ""});
    }
    rows->push_back({"device", "ok", device + ": " + plan.get("device.constants"), ""});
  } catch (const ctconv::error& e) {
    if (e.status() == CTCONV_ERR_DEVICE_ORDINAL) return false;
    if (e.kind() != 6) throw;
    const Finding fault = fault_of(e, wanted);
    for (const auto& [part, text] : kBeforeDevice) {  // what the status says to be well
      if (ordinal != 0 || fault.part == part) break;
      rows->push_back({part, "ok", text, ""});
    }
    rows->push_back(fault);
    return ordinal != 0 || e.status() == CTCONV_ERR_DEVICE_ARCHITECTURE;  // the next device may be another one
  }
  if (ordinal != 0) return true;
  try {
    const Facts plan = plan_on(device, "cudnn");
    rows->push_back({"cudnn", "ok", plan.get("form"), ""});
  } catch (const ctconv::error& e) {
    if (e.kind() != 6 && e.kind() != 4) throw;
    rows->push_back(fault_of(e, true));
  }
  return true;
}

}  // namespace

int doctor_command(const Request& request) {
  const char* named = std::getenv("CTCONV_CUDA_MODULE");
  const bool wanted = has_nvidia_hardware() || (named != nullptr && *named != '\0');
  std::vector<Finding> rows = cpu_findings();
  for (int ordinal = 0; ordinal < kMostDevices && device_half(ordinal, wanted, &rows); ++ordinal) {
  }
  int faults = 0;
  Json list = Json::array();
  for (const Finding& f : rows) {
    faults += f.mend.empty() ? 0 : 1;
    Json row = {{"part", f.part}, {"state", f.state}, {"text", f.text}};
    if (!f.mend.empty()) row["mend"] = f.mend;
    list.push_back(row);
  }
  if (request.json) {
    print_json({{"ok", faults == 0}, {"parts", list}, {"paragraph", paragraph_of(rows)}});
    return faults == 0 ? 0 : 1;
  }
  for (const Finding& f : rows) {
    print("{:<12} {:<8} {}\n", f.part, f.state, f.text);
    if (!f.mend.empty()) print("{:<12} {:<8} mend: {}\n", "", "", f.mend);
  }
  print("\nto paste into a report:\n\n{}\n", paragraph_of(rows));
  print("{}\n", faults == 0 ? "everything this machine offers is usable" : fmt::format("{} to mend", faults));
  return faults == 0 ? 0 : 1;
}

}  // namespace cli
