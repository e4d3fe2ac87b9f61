// SPDX-License-Identifier: Apache-2.0
// A container's entry by a signed index: axes, ranks and channels are signed here, the standard library's are not.
//
//   in:  a container with operator[], an index from 0 to its size - 1
//   out: the entry;   refuses: nothing, the index is the caller's to keep in range
#pragma once

#include <cstddef>
#include <cstdint>

namespace ctconv {

template <class Container>
constexpr auto& at(Container& container, int64_t index) {
  return container[static_cast<std::size_t>(index)];
}

}  // namespace ctconv
