// SPDX-License-Identifier: Apache-2.0
// The session's threads and memory as libctconv's hooks.
//
//   in:  the OrtKernelContext of the running call, a thread-local of the thread that computes; the node's OrtAllocator
//   out: a ctconv_runner whose parallel_for is KernelContext_ParallelFor; a ctconv_allocator on the session's arena
//   The runtime does not say which of its threads runs a part, and libctconv asks for a worker's number. So the parts
//   given to it are the workers: each takes tasks until none is left. All on one thread is right too.
#ifndef CTCONV_ORT_HOOKS_H_
#define CTCONV_ORT_HOOKS_H_

#include <ctconv/ctconv.h>

#include "bindings/onnxruntime/ort_api.h"

namespace ctconv_ort {

// While one lives, the calling thread's parallel_for uses this context.
class Running {
 public:
  Running(const Ort *ort, const OrtKernelContext *context);
  ~Running();
  Running(const Running &) = delete;
  Running &operator=(const Running &) = delete;

 private:
  const Ort *ort_;
  const OrtKernelContext *context_;
};

// threads 0: the cores this process may use.
ctconv_runner session_runner(int32_t threads);

// The session's memory; at most one of each is alive per `allocator`, which outlives it.
struct Memory {
  const Ort *ort;
  OrtAllocator *allocator;
};
ctconv_allocator session_allocator(Memory *memory);

// Memory for one call, given back at the end of the block.
class Scratch {
 public:
  explicit Scratch(const Memory &memory) : memory_(memory) {}
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  OrtStatus *take(size_t bytes, void **out);

 private:
  const Memory &memory_;
  void *held_ = nullptr;
};

}  // namespace ctconv_ort

#endif  // CTCONV_ORT_HOOKS_H_
