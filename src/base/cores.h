// SPDX-License-Identifier: Apache-2.0
// How many cores the process may use, by its affinity mask and by the quota of its container.
//
//   mask    of the process, that is of its main thread (what taskset and cpusets set): a caller that has pinned itself
//           to one core still has the process's cores
//   quota   cgroup v2: cpu.max; v1: cpu.cfs_quota_us over cpu.cfs_period_us; the least of the process's own group and
//           all groups above it. A group that cannot be seen from inside the container is passed over.
//   count   min(mask, quota rounded up), at least 1
//   Not asked: OMP_NUM_THREADS and the like. Refuses: nothing; what cannot be read does not limit.
#pragma once

#include <sched.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace ctconv {

// A set of cores that needs no memory: Linux knows at most 8,192.
class CoreMask {
 public:
  // The process's, now; empty where the kernel does not say.
  static CoreMask of_process();
  // The calling thread's, now.
  static CoreMask of_thread();

  int32_t count() const { return CPU_COUNT_S(sizeof bits_, set()); }
  void remove(int cpu) {
    const auto bit = static_cast<size_t>(cpu);  // a negative one is beyond the set
    if (bit < 8 * sizeof bits_) CPU_CLR_S(bit, sizeof bits_, set());
  }
  cpu_set_t* set() { return reinterpret_cast<cpu_set_t*>(bits_); }
  const cpu_set_t* set() const { return reinterpret_cast<const cpu_set_t*>(bits_); }
  static constexpr size_t bytes() { return sizeof bits_; }
  friend bool operator==(const CoreMask& a, const CoreMask& b) { return CPU_EQUAL_S(sizeof a.bits_, a.set(), b.set()); }

 private:
  unsigned long bits_[8192 / (8 * sizeof(unsigned long))] = {};
};

// Cores' worth of CPU time that the container allows, read below `root` ("" on a real machine: <root>/proc/self/cgroup
// and <root>/sys/fs/cgroup); 0: no limit found.
double cpu_quota(const std::string& root);

// The quota of this process, read once; and as people read it: "1.5 cores", "none".
double cpu_quota();
std::string cpu_quota_text();

// The count above. Reads the mask anew.
int32_t allowed_cores();

}  // namespace ctconv
