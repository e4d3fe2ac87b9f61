// SPDX-License-Identifier: Apache-2.0
// Our own thread pool behind Runner: one per process, alive while somebody holds it.
//
//   in:  pool_acquire / pool_release round the life of an op that wants more than one thread; pool_runner(threads)
//   out: a Runner over the shared pool; worker 0 is the calling thread, the others are ours
//   - Threads start with the first parallel call, spin about 100 microseconds after a call, then sleep; the last
//     release ends and joins them (not a destructor: nothing runs at exit or unload).
//   - A busy pool leaves a call its own thread; so does a call from inside a task, a pool nobody holds, and a process
//     with one core.
//   - Workers have the process's affinity mask, whatever the caller's, and of it not the core the caller runs on.
//   - After fork the child abandons the parent's pool and starts its own with its first parallel call.
//   - A thread that cannot start only means fewer workers.
//   Refuses: nothing; every failure ends in the calling thread doing all the work.
#pragma once

#include <cstdint>

#include "src/base/cores.h"
#include "src/base/runner.h"

namespace ctconv {

void pool_acquire();
void pool_release();

// threads 0: allowed_cores(). One thread: the calling thread alone, no pool involved.
Runner pool_runner(int32_t threads);

// Threads of the pool running now, without the callers; for describe and tests.
int32_t pool_threads();

// Holds the pool for a scope or as a member.
class PoolHold {
 public:
  PoolHold() { pool_acquire(); }
  ~PoolHold() { pool_release(); }
  PoolHold(const PoolHold&) = delete;
  PoolHold& operator=(const PoolHold&) = delete;
};

}  // namespace ctconv
