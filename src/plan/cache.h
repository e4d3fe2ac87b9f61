// SPDX-License-Identifier: Apache-2.0
// The plans of one op, at most `limit`, the least recently used goes first. A running call keeps its own.
//
//   in:  a Problem (its strides are part of it) and what comes with each call;   out: the plan held for both, or null
//   The plan used last is compared first, any other is found by hash_of: no call looks through all of them.
//   No lock is held while a plan is built, run or released.
//   Refuses: nothing. One template for every backend: a plan is whatever the backend runs.
#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "src/problem/problem.h"

namespace ctconv {

// What a plan depends on beside its problem. A field that a backend's plans do not depend on keeps its default.
struct PerCall {
  bool weight = false, bias = false;  // given with each call, not at create
  int64_t bias_stride = 1;            // elements between two biases

  friend bool operator==(const PerCall&, const PerCall&) = default;
};

template <class Plan>
class PlanCache {
 public:
  explicit PlanCache(size_t limit) : limit_(limit) {}

  std::shared_ptr<const Plan> find(const Problem& problem, const PerCall& per_call) {
    {
      const std::lock_guard lock(mutex_);
      if (!items_.empty() && items_.front().is(problem, per_call)) return items_.front().plan;
    }
    const size_t hash = hash_of(problem);
    const std::lock_guard lock(mutex_);
    const auto found = lookup(hash, problem, per_call);
    if (found == items_.end()) return nullptr;
    items_.splice(items_.begin(), items_, found);
    return found->plan;
  }

  // Keeps `plan`, or answers with the one another thread was faster with.
  std::shared_ptr<const Plan> insert(const Problem& problem, const PerCall& per_call,
                                     std::shared_ptr<const Plan> plan) {
    std::list<Item> fresh, victim;  // declared before the lock: released after it
    fresh.push_back({problem, per_call, plan, hash_of(problem)});
    const std::lock_guard lock(mutex_);
    const auto known = lookup(fresh.front().hash, problem, per_call);
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

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }

  // Shows every plan held to `look`, under the lock: it must not come back here.
  template <class F>
  void each(F&& look) const {
    const std::lock_guard lock(mutex_);
    for (const Item& item : items_) look(*item.plan);
  }

 private:
  struct Item {
    Problem problem;
    PerCall per_call;
    std::shared_ptr<const Plan> plan;
    size_t hash;

    bool is(const Problem& p, const PerCall& c) const { return per_call == c && problem == p; }
  };
  using Place = typename std::list<Item>::iterator;

  // Under mutex_.
  Place lookup(size_t hash, const Problem& problem, const PerCall& per_call) {
    const auto [from, to] = index_.equal_range(hash);
    for (auto entry = from; entry != to; ++entry) {
      if (entry->second->is(problem, per_call)) return entry->second;
    }
    return items_.end();
  }

  const size_t limit_;
  mutable std::mutex mutex_;
  std::list<Item> items_;  // the one used last comes first
  std::unordered_multimap<size_t, Place> index_;
};

}  // namespace ctconv
