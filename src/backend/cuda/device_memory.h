// SPDX-License-Identifier: Apache-2.0
// Device memory of an op: buffers that free themselves, and the workspaces of calls that brought none.
//
//   in:  the module and a device;   out: memory, freed at the end of its owner
//   A workspace belongs to one stream: work on a stream runs in order, so that the next call may use the same bytes.
//   Refuses: NO_MEMORY and what the module answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "src/backend/cuda/cuda_module.h"

namespace ctconv {

class DeviceBuffer {
 public:
  DeviceBuffer(const CudaModule& module, int32_t ordinal, void* data, size_t bytes)
      : module_(module), ordinal_(ordinal), data_(data), bytes_(bytes) {}
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() { module_.release(ordinal_, data_); }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  const CudaModule& module_;
  int32_t ordinal_;
  void* data_;
  size_t bytes_;
};

Result<std::shared_ptr<DeviceBuffer>> allocate(const CudaModule& module, int32_t ordinal, size_t bytes);

// At most kMostStreams streams keep a workspace; the stream least recently used loses its own to the next one.
// Once a stream has its workspace, `with` allocates nothing and waits for nothing on the device.
class StreamWorkspaces {
 public:
  static constexpr size_t kMostStreams = 8;

  StreamWorkspaces(const CudaModule& module, int32_t ordinal) : module_(module), ordinal_(ordinal) {}

  // Hands `enqueue` at least `bytes` bytes that no other stream uses. Two threads on one stream enqueue one after the
  // other: the kernels of two calls must not alternate over one workspace.
  template <class F>
  Status with(void* stream, size_t bytes, F&& enqueue) {
    const std::shared_ptr<Slot> slot = slot_of(stream);
    const std::lock_guard lock(slot->enqueuing);
    if (slot->bytes < bytes) CTCONV_RETURN_IF_ERROR(grow(slot.get(), bytes));
    return enqueue(slot->buffer->data());
  }
  size_t bytes() const;

 private:
  struct Slot {
    void* stream;
    std::thread::id thread;  // only of the per-thread default stream, one handle for many streams
    uint64_t used = 0;       // under the list's mutex
    std::mutex enqueuing;    // over buffer, and while a call enqueues
    std::shared_ptr<DeviceBuffer> buffer;
    std::atomic<size_t> bytes{0};
  };
  std::shared_ptr<Slot> slot_of(void* stream);
  Status grow(Slot* slot, size_t bytes);

  const CudaModule& module_;
  const int32_t ordinal_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Slot>> slots_;
  uint64_t clock_ = 0;
};

}  // namespace ctconv
