// SPDX-License-Identifier: Apache-2.0
// Checking wrapper round a runner hook.
//
//   in:  a hook and count tasks;   out: false where the hook is seen to have broken the contract of runner.h
//   Every task adds mark(index) to one sum, which is known beforehand. Seen so: any task too few or too many (but
//   for one chance in 2^64), and one index run in the place of another (always: see mark).
//   An index or a worker out of range is not run at all. Two tasks of one worker at a time cost two more atomic
//   operations a task to see: debug builds only, and for the first kWatched workers. A task may thus have run twice
//   or beside another of its worker before that is seen: the hook's guarantee is needed, not replaced.
#include "src/base/runner.h"

#include "src/base/fp_mode.h"

namespace ctconv {
namespace {

// A mark for each index: A + B*i + C*i^2 modulo 2^64. Two indices have different marks: mark(i) - mark(j) is
// (i - j) * (B + C*(i + j)), whose second factor is odd (B odd, C even).
constexpr uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xd1b54a32d192ed03, kC = 0xaef17502108ef2d8;

constexpr uint64_t mark(int64_t index) {
  const auto i = static_cast<uint64_t>(index);
  return kA + i * (kB + i * kC);
}

// The sum of mark(i) over 0 <= i < count, modulo 2^64.
constexpr uint64_t marks(int64_t count) {
  using Wide = unsigned __int128;
  const auto n = static_cast<Wide>(count);
  const Wide sum = n * (n - 1) / 2;                                                           // of i, below 2^125
  const Wide third = (2 * n - 1) % 3 == 0 ? sum * ((2 * n - 1) / 3) : sum / 3 * (2 * n - 1);  // of i^2; wraps
  return static_cast<uint64_t>(n * kA + sum * kB + third * kC);
}

#if defined(NDEBUG)
struct Watch {
  static constexpr bool enter(int32_t) { return true; }
  static constexpr void leave(int32_t) {}
};
#else
// Who is at work: one bit a worker.
class Watch {
 public:
  bool enter(int32_t worker) { return worker >= kWatched || (word(worker).fetch_or(bit(worker)) & bit(worker)) == 0; }
  void leave(int32_t worker) {
    if (worker < kWatched) word(worker).fetch_and(~bit(worker));
  }

 private:
  static constexpr int32_t kWatched = 4096;
  static constexpr uint64_t bit(int32_t worker) { return uint64_t{1} << (worker % 64); }
  std::atomic<uint64_t>& word(int32_t worker) { return words_[static_cast<size_t>(worker) / 64]; }
  std::atomic<uint64_t> words_[kWatched / 64] = {};
};
#endif

struct Counted {
  Runner::Task task;
  void* data;
  int64_t count;
  int32_t workers;
  std::atomic<uint64_t> sum{0};
  std::atomic<bool> broken{false};
  [[no_unique_address]] Watch watch{};

  bool kept() const { return !broken.load() && sum.load() == marks(count); }
};

void call(void* p, int64_t index, int32_t worker) {
  auto* c = static_cast<Counted*>(p);
  if (index < 0 || index >= c->count || worker < 0 || worker >= c->workers || !c->watch.enter(worker)) {
    c->broken.store(true, std::memory_order_relaxed);
    return;
  }
  const FpMode mode;  // this thread's own may be any
  c->task(c->data, index, worker);
  c->watch.leave(worker);
  c->sum.fetch_add(mark(index), std::memory_order_relaxed);
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
  for (int64_t i = s->next.fetch_add(1, std::memory_order_relaxed); i < s->count;
       i = s->next.fetch_add(1, std::memory_order_relaxed)) {
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
    return outer.kept();
  }
  Counted counted{task, data, count, workers_};
  call_hook(count, &counted);
  return counted.kept();
}

}  // namespace ctconv
