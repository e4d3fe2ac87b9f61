// SPDX-License-Identifier: Apache-2.0
// Counts forks, in the child; see guarded.h. The handler goes with the library when it is unloaded.
#include "src/base/guarded.h"

#include <pthread.h>

namespace ctconv {
namespace {

std::atomic<uint32_t> count{0};

// Refused for want of memory, nothing is counted: children are then as safe as their parents' luck.
[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, [] { count.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

uint32_t forks() { return count.load(std::memory_order_relaxed); }

}  // namespace ctconv
