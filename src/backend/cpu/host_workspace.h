// SPDX-License-Identifier: Apache-2.0
// One workspace in host memory kept between calls: fresh memory costs a page fault per 4 kB, more than many a layer.
//
//   in:  bytes;   out: memory for the time of one call; the larger of two buffers stays
//   Any number of threads: each has memory of its own. No lock is held. A stream means nothing here.
//   Refuses: NO_MEMORY
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "src/base/spare.h"
#include "src/base/status.h"

namespace ctconv {

class HostWorkspace {
 public:
  explicit HostWorkspace(const Allocator& allocator) : allocator_(allocator) {}

  template <class F>
  Status with(void* /*stream*/, size_t bytes, F&& run) {
    SpareBuffer::Owned memory = spare_.take(bytes);
    if (memory == nullptr) memory = std::make_unique<Buffer>(allocator_, bytes);
    if (!memory->ok()) {
      return Status(Code::NO_MEMORY, "workspace: could not allocate " + std::to_string(bytes) + " bytes");
    }
    Status status = run(memory->data());
    spare_.give(std::move(memory));
    return status;
  }
  size_t bytes() const { return spare_.bytes(); }

 private:
  const Allocator& allocator_;
  SpareBuffer spare_;
};

}  // namespace ctconv
