// SPDX-License-Identifier: Apache-2.0
// Buffers and workspaces of an op on a device; see device_memory.h.
#include "src/backend/cuda/device_memory.h"

#include <algorithm>
#include <utility>

namespace ctconv {
namespace {

// cudaStreamPerThread: the same handle names another stream in each thread.
bool per_thread(const void* stream) { return reinterpret_cast<uintptr_t>(stream) == 2; }

}  // namespace

Result<std::shared_ptr<DeviceBuffer>> allocate(const CudaModule& module, int32_t ordinal, size_t bytes) {
  auto memory = module.allocate(ordinal, bytes);
  if (!memory.ok()) return memory.take_status();
  return std::make_shared<DeviceBuffer>(module, ordinal, *memory, bytes);
}

std::shared_ptr<StreamWorkspaces::Slot> StreamWorkspaces::slot_of(void* stream) {
  const std::thread::id thread = per_thread(stream) ? std::this_thread::get_id() : std::thread::id();
  std::shared_ptr<Slot> victim;  // released after the lock: freeing device memory waits for the device
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    if (slot->stream != stream || slot->thread != thread) continue;
    slot->used = ++clock_;
    return slot;
  }
  auto made = std::make_shared<Slot>();
  made->stream = stream;
  made->thread = thread;
  made->used = ++clock_;
  if (slots_.size() < kMostStreams) {
    slots_.push_back(made);
    return made;
  }
  const auto older = [](const auto& a, const auto& b) { return a->used < b->used; };
  const auto oldest = std::min_element(slots_.begin(), slots_.end(), older);
  victim = std::exchange(*oldest, made);
  return made;
}

// The old buffer may still be in use by what this stream was given before.
Status StreamWorkspaces::grow(Slot* slot, size_t bytes) {
  if (slot->buffer) CTCONV_RETURN_IF_ERROR(module_.synchronize(ordinal_, slot->stream));
  slot->bytes = 0;
  slot->buffer.reset();
  auto made = allocate(module_, ordinal_, bytes);
  if (!made.ok()) return made.take_status();
  slot->buffer = std::move(*made);
  slot->bytes = bytes;
  return {};
}

size_t StreamWorkspaces::bytes() const {
  const std::lock_guard lock(mutex_);
  size_t sum = 0;
  for (const auto& slot : slots_) sum += slot->bytes;
  return sum;
}

}  // namespace ctconv
