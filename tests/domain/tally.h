// SPDX-License-Identifier: Apache-2.0
// What the trials of one run came to, in memory that parent and children share.
//
//   in:  an outcome with the instruction set and the implementation it ran on;   out: counts, printed as one table
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

namespace ctconv::domain {

struct Tally {
  static constexpr int kIsas = 8, kForms = 256, kName = 96;
  struct Counts {
    std::atomic<int64_t> tried, taken, refused, outside, wrong, slow, crashed, endless;
  };
  struct Form {
    char name[kName];
    std::atomic<int64_t> count;
  };
  Counts isa[kIsas];
  Form forms[kForms];
  std::atomic<int64_t> used;
  std::atomic_flag lock;

  void count_form(const std::string& name) {
    while (lock.test_and_set()) {
    }
    int64_t k = 0;
    while (k < used && std::strncmp(forms[k].name, name.c_str(), kName - 1) != 0) ++k;
    if (k < kForms) {
      if (k == used) {
        std::strncpy(forms[k].name, name.c_str(), kName - 1);
        ++used;
      }
      ++forms[k].count;
    }
    lock.clear();
  }
};

}  // namespace ctconv::domain
