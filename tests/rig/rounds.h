// SPDX-License-Identifier: Apache-2.0
// How many random layers a sweep draws.
//
//   in:  the number that shows what the sweep is about
//   out: the same; a third of it under AddressSanitizer, a tenth under ThreadSanitizer: they take five to twenty times
//        as long and look at memory and at threads, not at bits. The draws are the first of the same row.
#pragma once

namespace ctconv::rig {

#if defined(__SANITIZE_THREAD__)
inline constexpr int kShare = 10;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr int kShare = 3;
#else
inline constexpr int kShare = 1;
#endif

constexpr int drawn(int count) { return count / kShare; }

}  // namespace ctconv::rig
