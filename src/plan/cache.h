// The plans of one op, at most `limit`, the least recently used goes first. A running call keeps its own.
//
//   in:  a Problem (its strides are part of it);   out: the plan held for it, or null
//   No lock is held while a plan is built, run or released.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "src/plan/plan.h"

namespace ctconv {

class PlanCache {
 public:
  explicit PlanCache(size_t limit) : limit_(limit) { items_.reserve(limit); }

  std::shared_ptr<const Plan> find(const Problem& problem, bool weight_per_call) {
    const std::lock_guard lock(mutex_);
    for (Item& item : items_) {
      if (item.plan->weight_per_call == weight_per_call && item.plan->problem == problem) {
        item.used = ++clock_;
        return item.plan;
      }
    }
    return nullptr;
  }

  // Keeps `plan`, or answers with the one another thread was faster with.
  std::shared_ptr<const Plan> insert(std::shared_ptr<const Plan> plan) {
    std::shared_ptr<const Plan> victim;  // declared before the lock: released after it
    const std::lock_guard lock(mutex_);
    for (Item& item : items_) {
      if (item.plan->weight_per_call == plan->weight_per_call && item.plan->problem == plan->problem) return item.plan;
    }
    if (items_.size() < limit_) {
      items_.push_back({plan, ++clock_});
      return plan;
    }
    Item* oldest = &items_.front();
    for (Item& item : items_) oldest = item.used < oldest->used ? &item : oldest;
    victim = std::move(oldest->plan);
    *oldest = {plan, ++clock_};
    return plan;
  }

  struct Held {
    size_t plans = 0, packed_bytes = 0;
  };
  Held held() const {
    const std::lock_guard lock(mutex_);
    Held h{items_.size(), 0};
    std::vector<const Buffer*> counted;
    for (const Item& item : items_) {
      const Buffer* b = item.plan->packed.get();
      bool seen = b == nullptr;
      for (const Buffer* c : counted) seen = seen || c == b;
      if (seen) continue;
      counted.push_back(b);
      h.packed_bytes += b->bytes();
    }
    return h;
  }

 private:
  struct Item {
    std::shared_ptr<const Plan> plan;
    uint64_t used;
  };
  const size_t limit_;
  mutable std::mutex mutex_;
  std::vector<Item> items_;
  uint64_t clock_ = 0;
};

}  // namespace ctconv
