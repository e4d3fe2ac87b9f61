// SPDX-License-Identifier: Apache-2.0
// Every allocation of the process, counted, and made to fail on demand: operator new here, malloc too where no
// sanitizer owns it.
//
//   in:  a Watch around the calls to look at, maybe with the number of the allocation that fails
//   out: how many there were, and how many blocks are alive more than before
//   Only one Watch at a time. Allocations outside a Watch (the test's own) are never failed.
#pragma once

#include <cstdint>

namespace counting {

class Watch {
 public:
  explicit Watch(int64_t fail_at = -1);  // 0: the first allocation fails; -1: none
  ~Watch();
  int64_t allocations() const;  // by anybody, since this Watch began
  int64_t alive() const;        // operator new minus operator delete since then
  bool failed() const;          // the allocation to fail was reached
};

// The allocator hook's allocations count and fail with the others: true where this one must fail.
bool fails_now();

}  // namespace counting
