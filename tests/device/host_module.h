// SPDX-License-Identifier: Apache-2.0
// What a test tells the host module, and what the module saw; see host_module.cpp.
//
//   in:  knobs, set by the test between calls;   out: counts and copies of the last records the module was handed
//   Reached by dlsym(CTCONV_HOST_MODULE_STATE) on the file that CTCONV_CUDA_MODULE names.
#pragma once

#include <atomic>
#include <cstdint>

#include "cuda/module.h"

#define CTCONV_HOST_MODULE_STATE "ctconv_host_module_state"

struct HostModuleState {
  // Knobs. A status other than 0 is what that function answers instead of doing its work.
  int32_t check_status = 0, plan_status = 0, pack_status = 0, execute_status = 0;
  int32_t pass_status = 0;
  int32_t alloc_status = 0, copy_status = 0, locate_status = 0, synchronise_status = 0;
  const char* words = nullptr;                                             // of a failure; null: the module's own
  int32_t pointer_kind = CTCONV_CUDA_DEVICE_POINTER, pointer_ordinal = 0;  // what every pointer is said to be
  bool packs = false;                                                      // plans want packed weights
  bool deferred = false;     // y is computed where the work is waited for, not where it is enqueued
  size_t scratch_bytes = 0;  // workspace a plan wants beside packed weights
  bool slow = false;         // execute gives other threads a chance half-way

  // Counts.
  std::atomic<int64_t> plans_made{0}, plans_live{0}, allocations{0}, buffers_live{0}, bytes_live{0}, copies{0};
  std::atomic<int64_t> synchronisations{0}, executions{0}, packings{0}, passes{0};
  std::atomic<int64_t> waiting_frees{0};  // memory freed while enqueued work still used it
  std::atomic<int64_t> shared{0};         // workspaces used by two streams, or by two enqueues, at once

  // The last records.
  int32_t ordinal = -1;
  ctconv_cuda_problem problem{};
  ctconv_cuda_options options{};
  char kernel[32] = "";
  ctconv_cuda_call call{};
  ctconv_cuda_pass pass{};
};
