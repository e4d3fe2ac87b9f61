// SPDX-License-Identifier: Apache-2.0
// The CUDA module as libctconv sees it: found and loaded once, on the first CUDA use, never unloaded.
//
//   in:  nothing (CTCONV_CUDA_MODULE, the folder of libctconv.so, the loader's search path, in this order)
//   out: the module's functions as methods that answer Status;   refuses: DEVICE_MODULE_MISSING, DEVICE_MODULE_ABI
//   A CPU op must not call anything here: no CUDA file is then ever opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cuda/module.h"
#include "src/base/status.h"
#include "src/problem/problem.h"

namespace ctconv {

// One problem on one device: kernel chosen, nothing left to decide. Immutable, shared by threads.
class CudaPlan {
 public:
  CudaPlan(const ctconv_cuda_table* table, ctconv_cuda_plan* plan) : table_(table), plan_(plan) {}
  CudaPlan(const CudaPlan&) = delete;
  CudaPlan& operator=(const CudaPlan&) = delete;
  ~CudaPlan() { table_->plan_destroy(plan_); }  // waits for the device work the plan enqueued

  size_t workspace_bytes() const { return table_->plan_workspace(plan_); }
  size_t packed_bytes() const { return table_->plan_packed_bytes(plan_); }
  std::string packing() const { return table_->plan_packing(plan_); }
  std::string describe() const;
  Status pack(const void* w, void* packed, void* stream) const;
  Status execute(const ctconv_cuda_call& call) const;
  Result<std::string> save() const;

 private:
  const ctconv_cuda_table* table_;
  ctconv_cuda_plan* plan_;
};

struct CudaPointer {
  int32_t kind = CTCONV_CUDA_NOT_A_DEVICE_POINTER;
  int32_t ordinal = -1;
};

class CudaModule {
 public:
  explicit CudaModule(const ctconv_cuda_table& table) : table_(table) {}

  Status check_device(int32_t ordinal) const;
  Result<std::string> device_text(int32_t ordinal) const;
  Result<std::unique_ptr<CudaPlan>> plan(int32_t ordinal, const ctconv_cuda_problem& problem,
                                         const ctconv_cuda_options& options) const;
  Result<void*> allocate(int32_t ordinal, size_t bytes) const;
  void release(int32_t ordinal, void* memory) const { table_.memory_free(ordinal, memory); }
  Status copy(int32_t ordinal, void* to, const void* from, size_t bytes) const;
  Result<CudaPointer> locate(const void* pointer) const;
  Status synchronize(int32_t ordinal, void* stream) const;
  Status pass(int32_t ordinal, const ctconv_cuda_pass& pass) const;

 private:
  ctconv_cuda_table table_;
};

// The same numbers as a plain record. bias: CTCONV_CUDA_BIAS_..., its stride in elements.
ctconv_cuda_problem cuda_problem(const Problem& p, int32_t bias, int64_t bias_stride);

// Loads on the first call and remembers a success; a failure is tried again by the next call. Any thread.
Status load_cuda_module(const CudaModule** out);

// The search itself, without the memory: for tests. `explicit_path` empty: not set; `beside`: folder of libctconv, may
// be empty.
Status open_cuda_module(const std::string& explicit_path, const std::string& beside, ctconv_cuda_table* table);

}  // namespace ctconv
