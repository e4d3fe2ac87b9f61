// SPDX-License-Identifier: Apache-2.0
// What the native engine's tests have beside the bench (tests/rig): a runner that starts threads, a problem as words.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "src/plan/engine.h"

namespace ctconv::native_test {

// Starts a thread per worker and call: slow, honest, for tests.
inline void threads_for(void* user, int64_t count, Runner::Task task, void* data) {
  const int workers = *static_cast<int*>(user);
  std::atomic<int64_t> next{0};
  std::vector<std::thread> pool;
  for (int w = 0; w < workers; ++w) {
    pool.emplace_back([&, w] {
      for (int64_t i; (i = next.fetch_add(1)) < count;) task(data, i, w);
    });
  }
  for (auto& t : pool) t.join();
}

inline std::string text(const Problem& p) {
  std::string s = std::string(name_of(p.types.x)) + " n" + std::to_string(p.n) + " g" + std::to_string(p.groups) +
                  " ci" + std::to_string(p.ci) + " co" + std::to_string(p.co);
  for (const Axis& a : p.axis) {
    s += " [i" + std::to_string(a.i) + " o" + std::to_string(a.o) + " k" + std::to_string(a.k) + " s" +
         std::to_string(a.s) + " d" + std::to_string(a.d) + " lo" + std::to_string(a.lo) + "]";
  }
  s += " x(" + std::to_string(p.x.n) + "," + std::to_string(p.x.c) + "," + std::to_string(p.x.axis[0]) + "," +
       std::to_string(p.x.axis[1]) + "," + std::to_string(p.x.axis[2]) + ")";
  s += " y(" + std::to_string(p.y.n) + "," + std::to_string(p.y.c) + "," + std::to_string(p.y.axis[0]) + "," +
       std::to_string(p.y.axis[1]) + "," + std::to_string(p.y.axis[2]) + ")";
  return s + " act" + std::to_string(p.epilogue.activation.kind) + (p.epilogue.bias ? " bias" : "");
}

}  // namespace ctconv::native_test
