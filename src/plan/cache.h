// The plans of one op, at most `limit`, the least recently used goes first. A running call keeps its own.
//
//   in:  a Problem (its strides are part of it);   out: the plan held for it, or null
//   The plan used last is compared first, any other is found by hash_of: no call looks through all of them.
//   No lock is held while a plan is built, run or released.
#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "src/plan/plan.h"

namespace ctconv {

class PlanCache {
 public:
  explicit PlanCache(size_t limit) : limit_(limit) {}

  std::shared_ptr<const Plan> find(const Problem& problem, bool weight_per_call) {
    {
      const std::lock_guard lock(mutex_);
      if (!items_.empty() && is(*items_.front().plan, problem, weight_per_call)) return items_.front().plan;
    }
    const size_t hash = hash_of(problem);
    const std::lock_guard lock(mutex_);
    const auto found = lookup(hash, problem, weight_per_call);
    if (found == items_.end()) return nullptr;
    items_.splice(items_.begin(), items_, found);
    return found->plan;
  }

  // Keeps `plan`, or answers with the one another thread was faster with.
  std::shared_ptr<const Plan> insert(std::shared_ptr<const Plan> plan) {
    std::list<Item> fresh, victim;  // declared before the lock: released after it
    fresh.push_back({plan, hash_of(plan->problem)});
    const std::lock_guard lock(mutex_);
    const auto known = lookup(fresh.front().hash, plan->problem, plan->weight_per_call);
    if (known != items_.end()) return known->plan;
    index_.emplace(fresh.front().hash, fresh.begin());
    items_.splice(items_.begin(), fresh);
    if (items_.size() > limit_) {
      const auto oldest = std::prev(items_.end());
      const auto [from, to] = index_.equal_range(oldest->hash);
      index_.erase(std::find_if(from, to, [&](const auto& entry) { return entry.second == oldest; }));
      victim.splice(victim.begin(), items_, oldest);
    }
    return plan;
  }

  struct Held {
    size_t plans = 0, packed_bytes = 0;
  };
  Held held() const {
    const std::lock_guard lock(mutex_);
    std::vector<const Buffer*> packed;
    for (const Item& item : items_) {
      if (item.plan->packed) packed.push_back(item.plan->packed.get());
    }
    std::sort(packed.begin(), packed.end());
    packed.erase(std::unique(packed.begin(), packed.end()), packed.end());
    Held h{items_.size(), 0};
    for (const Buffer* buffer : packed) h.packed_bytes += buffer->bytes();
    return h;
  }

 private:
  struct Item {
    std::shared_ptr<const Plan> plan;
    size_t hash;
  };
  using Place = std::list<Item>::iterator;

  static bool is(const Plan& plan, const Problem& problem, bool weight_per_call) {
    return plan.weight_per_call == weight_per_call && plan.problem == problem;
  }

  // Under mutex_.
  Place lookup(size_t hash, const Problem& problem, bool weight_per_call) {
    const auto [from, to] = index_.equal_range(hash);
    for (auto entry = from; entry != to; ++entry) {
      if (is(*entry->second->plan, problem, weight_per_call)) return entry->second;
    }
    return items_.end();
  }

  const size_t limit_;
  mutable std::mutex mutex_;
  std::list<Item> items_;  // the one used last comes first
  std::unordered_multimap<size_t, Place> index_;
};

}  // namespace ctconv
