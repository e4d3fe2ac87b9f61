// SPDX-License-Identifier: Apache-2.0
// How many random layers a sweep draws.
//
//   in:  the number that shows what the sweep is about
//   out: the same; a third of it under a sanitizer, which takes five to fifteen times as long and looks at memory, not
//        at bits. The draws are the first of the same row.
#pragma once

namespace ctconv::rig {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kShare = 3;
#else
inline constexpr int kShare = 1;
#endif

constexpr int drawn(int count) { return count / kShare; }

}  // namespace ctconv::rig
