// SPDX-License-Identifier: Apache-2.0
// A unit of arithmetic: what multiplies and adds a block of output rows over packed lines and packed tiles.
//
//   in:  Block: x as lines of 32 channels, weights as tiles of 16 pairs of channels times 16 rows, both in bf16 parts
//   out: sums[position*32 + row] = bias[row] + the sum over chunks, taps, products of parts, pairs of channels
//        in this order; how the unit rounds inside is its own definition (unit_*.cpp)
//   A line is 64 bytes: one position's channels of one chunk and part. A tap is a number of lines.
//   Positions come as rows of one width: those of the input, without the padding between, or all of a slab as one.
//   Refuses: nothing; whether this CPU has the unit is asked before (missing).
#pragma once

#include <cstdint>
#include <span>

namespace ctconv::tiles {

inline constexpr int64_t kChannels = 32;  // of a chunk, and of a line
inline constexpr int64_t kRows = 32;      // of a block: two halves of 16
inline constexpr int64_t kHalf = 16;
inline constexpr int64_t kTile = kHalf * kChannels;  // values of one tile: 16 pairs of channels, 16 rows

// Parts of x and of w that are multiplied.
struct Product {
  uint8_t x, w;
};

struct Block {
  const uint16_t* x;            // the first position's line of chunk 0, part 0
  int64_t x_chunk, x_part;      // values from one to the next
  const int64_t* tap;           // values from a position to what its taps read
  int64_t taps, chunks, pairs;  // pairs of channels of the last chunk that are not padding
  const uint16_t* w;            // [chunk][tap][part][half][pair][row][2]
  int64_t w_parts, halves;      // halves: 1 or 2
  std::span<const Product> products;
  const float* bias;   // kRows of them
  const int64_t* row;  // lines times kChannels from position 0 to the first of each row of positions
  int64_t rows, width;
  float* sums;
};

struct Unit {
  const char* name;
  // Why this CPU cannot run it; null: it can.
  const char* (*missing)();
  // Vectors of 16 rows times a pair of channels that it sums a cycle.
  double (*rate)();
  int64_t step;     // positions: sums and x are touched in steps of so many
  bool short_rows;  // rows of few positions cost no more a position than long ones
  // Around the blocks of one task.
  void (*begin)();
  void (*sum)(const Block& block);
  void (*end)();
};

extern const Unit kDotUnit, kModelUnit, kAmxUnit;

}  // namespace ctconv::tiles
