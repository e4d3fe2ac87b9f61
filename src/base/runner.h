// SPDX-License-Identifier: Apache-2.0
// Where work runs: the caller's parallel_for, our own pool, or the calling thread.
//
//   in:  count tasks, each called once with (index, worker), 0 <= worker < workers, one task a worker at a time
//   out: returns when all have returned; false where the runner is seen to have broken that contract
//   Each task has the default floating-point environment, whatever its thread has (fp_mode.h).
//   Tasks never throw, allocate or call the runner. The order of tasks is unspecified: results must not depend on it.
//
//   Seen in every build: a wrong number of calls, an index or a worker out of range, and one index run instead of
//   another. Seen in debug builds only: two tasks on one worker at the same time. Runner::run says how.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "src/base/status.h"

namespace ctconv {

class Runner {
 public:
  using Task = void (*)(void* data, int64_t index, int32_t worker);
  using ParallelFor = void (*)(void* user, int64_t count, Task task, void* data);

  // The calling thread alone.
  Runner() = default;
  // `limit`: at most so many tasks run at a time, whatever the hook offers; 0: as many as it has workers.
  Runner(ParallelFor parallel_for, void* user, int32_t workers, int32_t limit = 0)
      : parallel_for_(parallel_for),
        user_(user),
        hook_workers_(workers),
        workers_(limit > 0 && limit < workers ? limit : workers) {}

  // Tasks see 0 <= worker < workers().
  int32_t workers() const { return workers_; }
  ParallelFor hook() const { return parallel_for_; }
  void* user() const { return user_; }

  // False: the hook broke the contract above; what the tasks wrote is then worth nothing. Answer runner_broke().
  [[nodiscard]] bool run(int64_t count, Task task, void* data) const;

  template <class F>
  [[nodiscard]] bool operator()(int64_t count, F&& f) const {
    using Fn = std::remove_reference_t<F>;
    return run(
        count, [](void* data, int64_t i, int32_t w) { (*static_cast<Fn*>(data))(i, w); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  void call_hook(int64_t count, void* counted) const;

  ParallelFor parallel_for_ = nullptr;
  void* user_ = nullptr;
  int32_t hook_workers_ = 1, workers_ = 1;
};

// The one refusal where run() answered false.
inline Status runner_broke() {
  return Status(Code::MISUSE_RUNNER,
                "runner.parallel_for did not call every task exactly once with a worker below workers");
}

}  // namespace ctconv
