// SPDX-License-Identifier: Apache-2.0
// The session's threads and memory as libctconv's hooks; see hooks.h. Nothing here throws.
#include "bindings/onnxruntime/hooks.h"

#include <sched.h>

#include <algorithm>
#include <atomic>

namespace ctconv_ort {
namespace {

thread_local const Ort *running_ort = nullptr;
thread_local const OrtKernelContext *running_context = nullptr;

struct Share {
  std::atomic<int64_t> next{0};
  int64_t count;
  void (*task)(void *task_data, int64_t index, int32_t worker);
  void *task_data;
};

void work(void *data, size_t worker) {
  auto &share = *static_cast<Share *>(data);
  for (int64_t i = share.next++; i < share.count; i = share.next++) {
    share.task(share.task_data, i, static_cast<int32_t>(worker));
  }
}

void parallel_for(void *user, int64_t count, void (*task)(void *, int64_t, int32_t), void *task_data) {
  Share share{.count = count, .task = task, .task_data = task_data};
  const auto workers = static_cast<int64_t>(reinterpret_cast<intptr_t>(user));
  if (running_context != nullptr) {
    const auto parts = static_cast<size_t>(std::min(workers, count));
    OrtStatus *status = running_ort->parallel_for(running_context, work, parts, 0, &share);
    if (status != nullptr) running_ort->release_status(status);
  }
  work(&share, 0);  // what is left where the runtime has no threads to give, or refused
}

int32_t own_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

void *take(void *user, size_t bytes, size_t alignment) {
  const auto &memory = *static_cast<const Memory *>(user);
  const size_t least = std::max(alignment, alignof(void *)), more = least + sizeof(void *);
  void *raw = nullptr;
  if (bytes > SIZE_MAX - more) return nullptr;
  if (OrtStatus *status = memory.ort->allocate(memory.allocator, bytes + more, &raw)) {
    memory.ort->release_status(status);
    return nullptr;
  }
  if (raw == nullptr) return nullptr;
  const auto first = reinterpret_cast<uintptr_t>(raw) + sizeof(void *);
  auto *aligned = reinterpret_cast<void *>((first + least - 1) / least * least);
  static_cast<void **>(aligned)[-1] = raw;
  return aligned;
}

void give_back(const Memory &memory, void *raw) {
  if (OrtStatus *status = memory.ort->free(memory.allocator, raw)) memory.ort->release_status(status);
}

void release(void *user, void *p, size_t, size_t) {
  give_back(*static_cast<const Memory *>(user), static_cast<void **>(p)[-1]);
}

}  // namespace

Running::Running(const Ort *ort, const OrtKernelContext *context) : ort_(running_ort), context_(running_context) {
  running_ort = ort;
  running_context = context;
}

Running::~Running() {
  running_ort = ort_;
  running_context = context_;
}

ctconv_runner session_runner(int32_t threads) {
  ctconv_runner runner = CTCONV_RUNNER_INIT;
  runner.workers = threads > 0 ? threads : own_cores();
  runner.user = reinterpret_cast<void *>(static_cast<intptr_t>(runner.workers));
  runner.parallel_for = parallel_for;
  return runner;
}

ctconv_allocator session_allocator(Memory *memory) {
  ctconv_allocator out = CTCONV_ALLOCATOR_INIT;
  out.user = memory;
  out.alloc = take;
  out.release = release;
  return out;
}

Scratch::~Scratch() {
  if (held_ != nullptr) give_back(memory_, held_);
}

OrtStatus *Scratch::take(size_t bytes, void **out) {
  *out = nullptr;
  if (bytes == 0) return nullptr;
  OrtStatus *status = memory_.ort->allocate(memory_.allocator, bytes, &held_);
  *out = held_;
  return status;
}

}  // namespace ctconv_ort
