// SPDX-License-Identifier: Apache-2.0
// Packing x; see pack.h.
//
//   Channels innermost: each position's channels are copied. Otherwise: some places of all pairs of channels side by
//   side in the spare memory, zeros included, then transposed into lines.
#include <algorithm>
#include <cstring>

#include "src/base/checked.h"
#include "src/engine/tiles/pack.h"

namespace ctconv::tiles {
namespace {

// A row of the planes that holds input: its first place, and where that lies in x.
struct RowAt {
  int64_t place, x;
};

RowAt row_at(const Layout& k, int64_t row) {
  const kit::Planes& g = k.planes;
  const int64_t rows = g.axis[0].count * g.axis[1].count, n = row / rows;
  const int64_t d = row % rows / g.axis[1].count, h = row % g.axis[1].count;
  const int64_t place = n * k.image_places() + (g.axis[0].before + d) * g.stride[0] +
                        (g.axis[1].before + h) * g.stride[1] + g.axis[2].before;
  return {place, n * k.p.x.n + (g.axis[0].first + d) * k.p.x.axis[0] + (g.axis[1].first + h) * k.p.x.axis[1] +
                     g.axis[2].first * k.p.x.axis[2]};
}

// The first row that ends behind `place`; rows where there is none.
int64_t row_behind(const Layout& k, int64_t rows, int64_t place) {
  int64_t low = 0, high = rows;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (row_at(k, middle).place + k.planes.axis[2].count > place) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// Calls input(place, x, count) for what lies in x, and zeros(place, count) between, in the order of places.
template <class Input, class Zeros>
void for_stretches(const Layout& k, const LinePart& part, Input input, Zeros zeros) {
  const kit::Planes& g = k.planes;
  const int64_t from = part.from, to = part.to;
  const int64_t rows = g.axis[2].count ? part.images * g.axis[0].count * g.axis[1].count : 0;
  int64_t cursor = from;
  for (int64_t r = row_behind(k, rows, from); r < rows; ++r) {
    const RowAt row = row_at(k, r);
    const int64_t begin = std::max(row.place, from), end = std::min(row.place + g.axis[2].count, to);
    if (begin >= to) break;
    if (cursor < begin) zeros(cursor, begin - cursor);
    input(begin, row.x + (begin - row.place) * k.p.x.axis[2], end - begin);
    cursor = end;
  }
  if (cursor < to) zeros(cursor, to - cursor);
}

// What a chunk holds.
struct Chunk {
  const char* x;     // its first channel
  int64_t channels;  // 1 .. kChannels
  int64_t bytes;     // of a value
};

void copy_lines(const Layout& k, const Chunk& chunk, const LinePart& part, int64_t pitch, uint16_t* out) {
  const auto line = [&](int64_t place) { return out + (place - part.from) * kChannels; };
  for_stretches(
      k, part,
      [&](int64_t place, int64_t x, int64_t count) {
        k.lines.copy(chunk.x + x * chunk.bytes, k.p.x.axis[2], k.p.types.x, chunk.channels, count, line(place),
                     pitch * kChannels, k.split.parts);
      },
      [&](int64_t place, int64_t count) {
        for (int64_t q = 0; q < k.split.parts; ++q) {
          std::memset(line(place) + q * pitch * kChannels, 0, static_cast<size_t>(count * kChannels) * 2);
        }
      });
}

// kSparePlaces places at most.
void transpose_lines(const Layout& k, const Chunk& chunk, const LinePart& part, int64_t pitch, uint32_t* spare,
                     uint16_t* out) {
  constexpr int64_t kPart = kHalf * kSparePlaces;
  const int64_t pairs = ceil_div(chunk.channels, int64_t{2}), channel = k.p.x.c * chunk.bytes;
  for_stretches(
      k, part,
      [&](int64_t place, int64_t x, int64_t count) {
        for (int64_t c = 0; c < pairs; ++c) {
          const char* low = chunk.x + x * chunk.bytes + 2 * c * channel;
          k.lines.pair(low, 2 * c + 1 < chunk.channels ? low + channel : nullptr, k.p.x.axis[2], k.p.types.x, count,
                       spare + c * kSparePlaces + place - part.from, kPart, k.split.parts);
        }
      },
      [&](int64_t place, int64_t count) {
        for (int64_t c = 0; c < k.split.parts * kHalf; ++c) {  // all parts of all pairs
          std::fill_n(spare + c * kSparePlaces + place - part.from, count, 0);
        }
      });
  for (int64_t q = 0; q < k.split.parts; ++q) {
    for (int64_t c = pairs; c < kHalf; ++c) std::fill_n(spare + q * kPart + c * kSparePlaces, part.to - part.from, 0);
    k.moves.transpose(reinterpret_cast<const float*>(spare + q * kPart), kSparePlaces, kHalf, part.to - part.from,
                      reinterpret_cast<float*>(out + q * pitch * kChannels), kHalf);
  }
}

}  // namespace

void pack_lines(const Layout& k, const char* x, const LinePart& part, int64_t pitch, uint32_t* spare, uint16_t* out) {
  const int64_t c0 = part.chunk * kChannels, bytes = kit::bytes_of(k.p.types.x);
  const Chunk chunk{.x = x + (part.group * k.p.ci + c0) * k.p.x.c * bytes,
                    .channels = std::min(kChannels, k.p.ci - c0),
                    .bytes = bytes};
  if (k.p.x.c == 1) return copy_lines(k, chunk, part, pitch, out);
  for (int64_t from = part.from; from < part.to; from += kSparePlaces) {
    const LinePart piece{part.images, part.group, part.chunk, from, std::min(part.to, from + kSparePlaces)};
    transpose_lines(k, chunk, piece, pitch, spare, out + (from - part.from) * kChannels);
  }
}

}  // namespace ctconv::tiles
