// SPDX-License-Identifier: Apache-2.0
// The OpenMP threads that this process has already, as a runner's hook.
//
//   in:  a part of the runtime's path (null: the first one loaded), a number of workers (0: as many as
//        the runtime would take now)
//   out: what Runner's hook needs: `user`, valid until the process ends, and the workers; null: no such runtime
//   Looks among what is loaded, loads nothing, starts no thread. Known are the runtimes that have GOMP_parallel: GNU's,
//   LLVM's and Intel's on Linux.
//   Every call takes all workers, however few its tasks are: GNU's runtime ends threads that a smaller team leaves out.
//   Inside a parallel region, and in a child of a fork, the calling thread computes alone: the parent's threads are not
//   there, and a runtime may wait for them. A child gets no team either.
#pragma once

#include <cstdint>

namespace ctconv {

struct OpenMpTeam;

const OpenMpTeam* openmp_team(const char* library, int32_t workers);
int32_t workers_of(const OpenMpTeam& team);

// The hook: `user` is an OpenMpTeam.
void openmp_parallel_for(void* user, int64_t count, void (*task)(void* data, int64_t index, int32_t worker),
                         void* data);

}  // namespace ctconv
