// SPDX-License-Identifier: Apache-2.0
// One random life of an op on a device, over a module that fails at will, and the property it must keep.
//
//   in:  a Source of choices (a random generator, or a fuzzer's bytes), a module that computes on the host
//   out: "" or what was broken
//   A small op of the dialect "ctconv" with random options, then calls of every kind on several streams: forward and
//   backward, planned, described and run, some with a fault of their own, some while a function of the module answers
//   a status (also one that is none), a text cut within a letter, or asks for more memory than there is.
//   The property: every call answers CTCONV_OK or a known status with a complete report. A plain call that nothing
//   disturbs is OK. What is OK has the CPU's bits, in whatever order the streams finish. A refusal that is no failure
//   of the device changes no byte. Nothing stays on the device, and no two streams share a workspace.
#pragma once

#include "tests/device/host_module.h"
#include "tests/fuzz/hostile.h"

namespace hostile {

struct DeviceCounts {
  int64_t created = 0, ran = 0, gradients = 0, refused = 0, failed = 0;  // failed: by the device or for want of memory
};

struct HostModule {
  HostModuleState* state = nullptr;
  ctconv_cuda_table table{};
};
// The module in this file, which CTCONV_CUDA_MODULE then names; ends the program where there is none.
HostModule& host_module(const char* file);

// *said: the steps so far, one a line, for the report.
std::string one_device(Source& source, HostModule& module, std::string* said, DeviceCounts* counts);

}  // namespace hostile
