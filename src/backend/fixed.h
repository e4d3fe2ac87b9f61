// SPDX-License-Identifier: Apache-2.0
// A problem planned once and for all, with the op's own weight and bias: what a stream runs again and again.
//
//   in:  x and y of the problem, a workspace of workspace_bytes() at any address
//   out: y, with the reference's bits;   refuses: a runner that breaks its contract
//   With one thread run() takes no lock, allocates nothing and calls nothing of the system. Shared by threads.
#pragma once

#include <cstddef>

#include "src/base/status.h"

namespace ctconv {

class FixedCall {
 public:
  virtual ~FixedCall() = default;
  virtual size_t workspace_bytes() const = 0;
  virtual Status run(void* x, void* y, void* workspace) const = 0;
};

}  // namespace ctconv
