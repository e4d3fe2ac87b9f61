// SPDX-License-Identifier: Apache-2.0
// Measured constants of the cost model, and the sizes by which work is cut.
//
//   AMD Zen 4 (EPYC 9004, 2 cores, 3.65 GHz), November 2026. Where one layer taught a number, its name stands by it.
//   Only comparisons between forms and engines rest on them; no result does.
//   Cycles are the same everywhere. What a cycle and a byte take, multiply-adds a cycle and caches stand in the machine
//   record (src/machine); sizes for a cache shrink with it and do not grow: larger ones gained nothing on 48 KB + 2 MB.
//   A form's cost: vector multiply-adds over the rate of its blocks, plus moving values in and out,
//   or the memory traffic where that is longer, plus a fixed call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "src/machine/machine.h"
#include "src/problem/problem.h"

namespace ctconv::native {

// Computing and moving overlap, but not quite.
inline constexpr double kNotOverlapped = 0.15;
inline double overlapped(double computing, double moving) {
  return std::max(computing, moving) + kNotOverlapped * std::min(computing, moving);
}

inline constexpr double kMovedShare = 25.0 / 27;    // of the bandwidth past the caches
inline constexpr double kWakeCycles = 10950;        // per call: waking the workers twice, three microseconds
inline constexpr double kFmaCycles = 1.03;          // per vector multiply-add inside a full block
inline constexpr double kCallCycles = 30;           // per block: its prologue and epilogue
inline constexpr double kPositionsStoreCycles = 7;  // per vector of sums: to the tile, interleaved, to y
// What is added where y is larger than so many second-level caches.
inline constexpr double kFarStoreCycles = 12, kFarCaches = 16;
inline constexpr double kPlaneCycles = 4;          // per vector copied into planes
inline constexpr double kGatheredPlanes = 4;       // times as much where channels lie innermost in x
inline constexpr double kWidenCycles = 2;          // per vector of 16-bit values widened into a panel
inline constexpr double kNarrowCycles = 2;         // per vector of sums narrowed to a 16-bit type
inline constexpr double kScatterCycles = 2;        // per element stored alone
inline constexpr double kTransposeCycles = 1.0;    // per element transposed
inline constexpr double kScatteredTranspose = 4;   // times as much where the transposed rows are not contiguous in y
inline constexpr double kCopiedTranspose = 1.5;    // times as much for a copy of x with channels innermost
inline constexpr double kRowCycles = 40;           // per row of y stored, whatever its length
inline constexpr double kTileRowCycles = 120;      // the same out of a transposed tile, phase by phase
inline constexpr double kRowTapCycles = 1.6;       // form rows: per vector and tap
inline constexpr double kChannelTapCycles = 1.2;   // form depthwise: the same
inline constexpr double kRowStoreCycles = 4;       // forms rows and depthwise: per vector interleaved and stored
inline constexpr double kRunCycles = 18;           // per run of lanes copied to y from a tile
inline constexpr double kRunVectorCycles = 2;      // and per vector of it
inline constexpr double kTaskCycles = 12e3;        // shortest worthwhile task
inline constexpr double kTablesShare = 4;          // tasks so many times as long outweigh the tables they make
inline constexpr int64_t kStreamBytes = 24000000;  // outputs beyond this leave the cache anyway: stream them
inline constexpr double kOwnCopies = 6e6;          // copies of a whole input, one for each thread
inline constexpr double kCopyBytes = 8e6;          // padded input held at once, at least one image

// Small pieces: what a task of the form positions, a channel of the form rows and the broken vector at the end of its
// rows cost beside their values.
inline constexpr double kSmallTaskCycles = 600, kChannelCycles = 100, kBrokenCycles = 60;
// Per line of y that leaves the cache between two elements stored alone; the share of the last cache that y then fills.
inline constexpr double kFarScatterCycles = 16, kFarShare = 0.2;

inline constexpr int64_t kLine = 64;          // bytes of a cache line
inline constexpr int kManyAccumulators = 24;  // instruction sets with 32 registers keep so many vectors of sums

inline constexpr int64_t kBlockRows = 8, kFewBlockRows = 6;  // form positions: then three or two vectors still fit

// A call of so many cycles on each thread.
inline double call_seconds(double cycles, const Problem& p, int32_t threads) {
  const Machine& m = machine();
  const double moving = moved_bytes(p) / (kMovedShare * m.bandwidth(threads));
  return overlapped(m.seconds(cycles), moving) + m.seconds(kWakeCycles);
}

// Cycles of a block's step that takes so many with one multiply-add a cycle. Loads keep pace: processors with two
// multiply-adds a cycle have two loads of such vectors.
inline double on_ports(double cycles) { return cycles / machine().fma; }

// A size chosen for the plain record's cache, on this machine's.
inline int64_t shrunk(int64_t bytes, int64_t cache, int64_t plain) {
  return cache >= plain ? bytes
                        : static_cast<int64_t>(static_cast<double>(bytes) * static_cast<double>(cache) /
                                               static_cast<double>(plain));
}
inline int64_t in_l1(int64_t bytes) { return shrunk(bytes, machine().l1, Machine().l1); }
inline int64_t in_l2(int64_t bytes) { return shrunk(bytes, machine().l2, Machine().l2); }

// Cycles of storing y element by element. Few of them share a line; many lines do not wait for the next one.
inline double scatter_cycles(const Problem& p) {
  const auto outputs = static_cast<double>(p.out_elements()), size = static_cast<double>(size_of(p.types.y));
  const auto line = static_cast<double>(kLine), step = static_cast<double>(std::abs(p.y.axis[2]));
  const bool far = outputs * size > kFarShare * static_cast<double>(std::max(machine().l2, machine().l3));
  return outputs * (kScatterCycles + (far ? kFarScatterCycles * std::min(1.0, step * size / line) : 0));
}

// Cycles a vector of y costs beside its own where y is large: its rows lie far apart, and it comes from memory first.
inline double far_store_cycles(const Problem& p) {
  const double y = static_cast<double>(p.out_elements()) * static_cast<double>(size_of(p.types.y));
  const double caches = y / static_cast<double>(std::max(machine().l2, machine().l1));
  return kFarStoreCycles * std::min(1.0, caches / kFarCaches);
}

inline bool leaves_cache(const Problem& p, size_t element) {
  const int64_t most = shrunk(kStreamBytes, std::max(machine().l2, machine().l3), Machine().l3);
  return static_cast<double>(p.out_elements()) * static_cast<double>(element) > static_cast<double>(most);
}

// Packed weights of one slice of input channels, in the second-level cache; channels of a slice, at least.
inline constexpr int64_t kSliceBytes = 192 * 1024, kLeastSlice = 8;
inline constexpr int64_t kBandBytes = 48 * 1024;         // rows of sums finished together, near the first-level cache
inline constexpr int64_t kStreamBandBytes = 256 * 1024;  // the same where y is streamed
inline constexpr int64_t kPanelBytes = 320 * 1024;       // input of such rows, in the second-level cache
inline constexpr int64_t kTilePanelBytes = 1536 * 1024;  // the padded input of one tile
inline constexpr int64_t kTileBytes = 128 * 1024;        // sums of one tile

// Form channels.
inline constexpr int64_t kAloneElements = 8192;                  // copied by one thread rather than by all
inline constexpr int64_t kMostTransposedPhases = 64;             // w phases in one tile: their sums lie there together
inline constexpr int64_t kReusedTaps = 4, kReusedChannels = 64;  // each input is read more often: worth a better pitch
inline constexpr int64_t kAliasBytes = 2048;  // positions a multiple of this apart share two first-level cache sets
inline constexpr int64_t kApart = 16;         // elements between positions that would
inline constexpr int64_t kMostGapBytes = 1 << 20;            // of such a copy of x
inline constexpr double kSmallWeightBytes = 64e6;            // up to here a packed weight may double by padding
inline constexpr int64_t kLeastTile = 12, kMostTile = 256;   // positions: one block's rows; what the tables hold
inline constexpr int64_t kHalvedTile = 24;                   // tiles above this are halved for more tasks
inline constexpr int64_t kManyTasks = 12, kSomeTasks = 4;    // per thread: enough; enough if they come out even
inline constexpr double kEven = 0.95;                        // share of the threads' time that is work
inline constexpr double kOwnCopyShare = 0.02;                // of a call, for copies of the whole input (pose.deconv1)
inline constexpr int64_t kPanelTileBytes = 512 * 1024;       // of x that a tile reads, where it has a panel
inline constexpr int64_t kPositionSteps = 16;                // multiply-adds a position costs beside its own
inline constexpr double kBroadcastCycles = 1.25;             // per row of a block and tap, where loads are the limit
inline constexpr double kBoxCallCycles = kCallCycles + 10;   // per block: its tables are made per box
inline constexpr double kDirectCycles = 2, kSumsCycles = 4;  // per vector stored in y; in sums and read again
inline constexpr int64_t kPackedPerTask = 32768;             // products of lanes, taps and channels
inline constexpr int64_t kMostPackedChannels = 8;            // of a packing task

// Form positions.
inline constexpr int64_t kUnitBytes = 24 * 1024;      // sums of all phases of a channel, in the first-level cache
inline constexpr int64_t kChannelsBytes = 32 * 1024;  // sums of the channels of one unit
inline constexpr int64_t kStreamedRun = 4096;         // values that wait for streaming stores, at least (seed1.ex)
inline constexpr int64_t kMostStrips = 8, kMostStreamedStrips = 12;  // of a band
inline constexpr int64_t kMostInner = 64;                            // channels interleaved like phases
inline constexpr int64_t kPanelRows = 16;      // rows that read a strip in place; more of them read a copy
inline constexpr int64_t kBlockSteps = 8;      // multiply-adds a block costs beside its own
inline constexpr double kLoadCycles = 2;       // per vector of a block and tap, where loads are the limit
inline constexpr double kTasksPerThread = 16;  // wanted
inline constexpr int64_t kEvenTasks = 8;       // per thread: even whatever they hold
inline constexpr double kEvenTiles = 0.93;     // as kEven, for fewer
inline constexpr int64_t kMostTiles = 1024;    // looked at for panels; such planes are large
// Padding some places twice is bearable up to a half more, or a tenth of the computing;
// negligible up to a tenth more, or a fiftieth.
inline constexpr double kBearableCopies = 1.5, kBearableShare = 0.1, kNegligibleCopies = 1.1, kNegligibleShare = 0.02;

// Form depthwise.
inline constexpr double kWidenedTapCycles = 0.6;  // per vector and tap widened in the routine
inline constexpr int64_t kFewRowTaps = 8;         // of a phase along w; more of them read a widened panel
// Panels of 16-bit types and their outputs, in elements of the computing type: the second-level cache holds both.
inline constexpr int64_t kPanelElements = 65536, kWideElements = 16384;
inline constexpr int64_t kNearBytes = 16 * 1024, kRowBlock = 8;  // outputs in all phases; positions of a block
inline constexpr int64_t kMostPart = 512, kLeastPart = 64;       // channels of a task
inline constexpr int64_t kLeastRowTile = 8;        // positions, so that what neighbours share is the smaller part
inline constexpr int64_t kRowTileOutputs = 32768;  // of a task where x is read in place

// Form turned.
inline constexpr int64_t kTurnedBytes = 384 * 1024;      // panels of x and y of a piece, in the second-level cache
inline constexpr int64_t kLeastTurnedBytes = 16 * 1024;  // the same where threads share out little
inline constexpr int64_t kTurnedVectors = 4;             // lanes of a piece, at least
inline constexpr int64_t kTurnedImages = 64;             // the same, where they are images
inline constexpr int64_t kMostTurnedChannels = 16;  // output channels of a group: more of them are lanes themselves
inline constexpr int64_t kMostShortRow = 256;       // output columns of a tiny map, of a short row
inline constexpr int64_t kLeastTurnedRow = 16;      // output columns worth being lanes
inline constexpr double kTurnCycles = 0.9;          // per element turned, in or out
inline constexpr double kDepthwiseRowCycles = 300;  // per output row of the form depthwise inside: its tables
inline constexpr double kInnerCallCycles = 800;     // per run of the inner form
// Per run of outputs written to planes that lie in memory, and per line of it: mednext.up1.
inline constexpr double kFarRunCycles = 250, kFarLineCycles = 14;
inline constexpr double kOthersLineCycles = 15;  // per line that another thread wrote last: centernet.dla.256

inline constexpr double kPackCycles = 3;  // per weight packed, where it comes with the call

inline constexpr double kChainCycles = 4;     // from one multiply-add of a sum to its next
inline constexpr double kTapTableCycles = 4;  // form channels: per tap of a box of positions
// Per vector of weights that no prefetch foresees: a share of the taps is real, others at each position.
inline constexpr double kScatteredWeightCycles = 150, kFewRealTaps = 1.0 / 8;
inline constexpr double kTapsLoadCycles = 1.5;  // form taps: per vector of weights read

// Form raw.
inline constexpr int64_t kRawRows = 6;     // of a block
inline constexpr int64_t kRawChunk = 512;  // places of a panel that all rows of a task read one after the other
inline constexpr int64_t kRawSharedBytes = 4 << 20;  // panels that all workers read; larger ones go to memory and back
inline constexpr double kRawPanelCycles = 1.5;       // per value brought into a panel
inline constexpr double kRawRunCycles = 12;          // per run of them, and of outputs
inline constexpr double kRawScanCycles = 0.3;        // per weight looked at
inline constexpr double kRawLineCycles = 8;          // per line of the weight read once more

}  // namespace ctconv::native
