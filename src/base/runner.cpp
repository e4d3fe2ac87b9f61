// Counting wrapper round a runner hook: a hook that skips, repeats or invents tasks is noticed, never trusted.
#include "src/base/runner.h"

#include "src/base/fp_mode.h"

namespace ctconv {
namespace {

struct Counted {
  Runner::Task task;
  void* data;
  int64_t count;
  int32_t workers;
  std::atomic<int64_t> done{0};
  std::atomic<bool> broken{false};
};

void call(void* p, int64_t index, int32_t worker) {
  auto* c = static_cast<Counted*>(p);
  if (index < 0 || index >= c->count || worker < 0 || worker >= c->workers) {
    c->broken.store(true, std::memory_order_relaxed);
    return;
  }
  const FpMode mode;  // this thread's own may be any
  c->task(c->data, index, worker);
  c->done.fetch_add(1, std::memory_order_relaxed);
}

// The tasks of a limited run, handed out by one counter to `limit` outer tasks; an outer task's index is its worker.
struct Shared {
  Runner::Task task;
  void* data;
  int64_t count;
  std::atomic<int64_t> next{0};
};

void drain(void* p, int64_t index, int32_t) {
  auto* s = static_cast<Shared*>(p);
  for (int64_t i = s->next.fetch_add(1, std::memory_order_relaxed); i < s->count; i = s->next.fetch_add(1, std::memory_order_relaxed)) {
    s->task(s->data, i, static_cast<int32_t>(index));
  }
}

}  // namespace

// A hook runs in its owner's floating-point environment, each task in the library's.
void Runner::call_hook(int64_t count, void* counted) const {
  const CallersFpMode mode;
  parallel_for_(user_, count, call, counted);
}

bool Runner::run(int64_t count, Task task, void* data) const {
  if (count <= 0) return true;
  if (parallel_for_ == nullptr || workers_ <= 1 || count == 1) {
    for (int64_t i = 0; i < count; ++i) task(data, i, 0);
    return true;
  }
  if (workers_ < hook_workers_) {
    Shared shared{task, data, count};
    Counted outer{drain, &shared, workers_, hook_workers_};
    call_hook(workers_, &outer);
    return !outer.broken.load() && outer.done.load() == workers_;
  }
  Counted counted{task, data, count, workers_};
  call_hook(count, &counted);
  return !counted.broken.load() && counted.done.load() == count;
}

}  // namespace ctconv
