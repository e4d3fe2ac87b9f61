// SPDX-License-Identifier: Apache-2.0
// The plans of one op, at most `limit`, the least recently used goes first. A running call keeps its own.
//
//   in:  a Problem (its strides are part of it) and what comes with each call;   out: the plan held for both, or null
//   The plan used last is compared first, any other is found by hash_of: no call looks through all of them.
//   No lock is held while a plan is built, run or released. A child of fork goes on with the op (src/base/guarded.h).
//   Refuses: nothing. One template for every backend: a plan is whatever the backend runs.
#pragma once

#include <algorithm>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

#include "src/base/guarded.h"
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
      const auto held = held_.lock();
      if (!held->items.empty() && held->items.front().is(problem, per_call)) return held->items.front().plan;
    }
    const size_t hash = hash_of(problem);
    const auto held = held_.lock();
    const auto found = held->lookup(hash, problem, per_call);
    if (found == held->items.end()) return nullptr;
    held->items.splice(held->items.begin(), held->items, found);
    return found->plan;
  }

  // Keeps `plan`, or answers with the one another thread was faster with.
  std::shared_ptr<const Plan> insert(const Problem& problem, const PerCall& per_call,
                                     std::shared_ptr<const Plan> plan) {
    std::list<Item> fresh, victim;  // declared before the lock: released after it
    fresh.push_back({problem, per_call, plan, hash_of(problem)});
    const auto held = held_.lock();
    const auto known = held->lookup(fresh.front().hash, problem, per_call);
    if (known != held->items.end()) return known->plan;
    held->index.emplace(fresh.front().hash, fresh.begin());
    held->items.splice(held->items.begin(), fresh);
    if (held->items.size() > limit_) {
      const auto oldest = std::prev(held->items.end());
      const auto [from, to] = held->index.equal_range(oldest->hash);
      held->index.erase(std::find_if(from, to, [&](const auto& entry) { return entry.second == oldest; }));
      victim.splice(victim.begin(), held->items, oldest);
    }
    return plan;
  }

  size_t size() const { return held_.lock()->items.size(); }

  // Shows every plan held to `look`, under the lock: it must not come back here.
  template <class F>
  void each(F&& look) const {
    const auto held = held_.lock();
    for (const Item& item : held->items) look(*item.plan);
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

  struct Plans {
    std::list<Item> items;  // the one used last comes first
    std::unordered_multimap<size_t, Place> index;

    Place lookup(size_t hash, const Problem& problem, const PerCall& per_call) {
      const auto [from, to] = index.equal_range(hash);
      for (auto entry = from; entry != to; ++entry) {
        if (entry->second->is(problem, per_call)) return entry->second;
      }
      return items.end();
    }
  };

  const size_t limit_;
  Guarded<Plans> held_;
};

}  // namespace ctconv
