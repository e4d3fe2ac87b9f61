// SPDX-License-Identifier: Apache-2.0
// Packing: places of x as lines, weights as tiles. See layout.h for both orders.
//
//   in:  a Layout; x of a stack of images, or the raw weight
//   out: lines with zeros where no input lies; tiles with zeros where a block has no row or a chunk no channel
//   Refuses to pack (false): weights outside the range of values.h.
#pragma once

#include "src/engine/tiles/layout.h"

namespace ctconv::tiles {

// Lines of one chunk of a group, places from .. to; place `from` of part 0 comes to out, parts `pitch` lines apart.
// spare: kSpareWords words.
// Places are those of a stack of images, x is the first of them.
struct LinePart {
  int64_t images, group, chunk, from, to;
};
inline constexpr int64_t kSparePlaces = 64;
constexpr int64_t spare_words(int64_t parts) { return parts * kHalf * kSparePlaces; }
void pack_lines(const Layout& k, const char* x, const LinePart& part, int64_t pitch, uint32_t* spare, uint16_t* out);

Result<bool> pack_weights(const Layout& k, const void* w, uint16_t* packed, const Runner& runner);
std::string packing_key(const Layout& k);

}  // namespace ctconv::tiles
