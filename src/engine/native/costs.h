// Measured constants of the cost model: AMD Zen 4 (EPYC 9004, 2 cores, 3.65 GHz), November 2026.
//
//   Only comparisons between forms and engines rest on them; no result does.
//   A form's cost: vector multiply-adds over the rate of its blocks, plus moving values in and out,
//   or the memory traffic where that is longer, plus a fixed call.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ctconv::native {

// Computing and moving overlap, but not quite.
inline double overlapped(double computing, double moving) {
  return std::max(computing, moving) + 0.15 * std::min(computing, moving);
}

inline constexpr double kHertz = 3.65e9;
inline constexpr double kBytesPerSecond = 25e9;     // two threads, far from any cache
inline constexpr double kCallSeconds = 3e-6;        // waking the workers twice
inline constexpr double kFmaCycles = 1.03;          // per vector multiply-add inside a full block
inline constexpr double kCallCycles = 30;           // per block: its prologue and epilogue
inline constexpr double kPositionsStoreCycles = 7;  // per vector of sums: to the tile, interleaved, to y
inline constexpr double kPlaneCycles = 4;           // per vector copied into planes
inline constexpr double kWidenCycles = 2;           // per vector of 16-bit values widened into a panel
inline constexpr double kScatterCycles = 2;         // per element stored alone
inline constexpr double kTransposeCycles = 1.0;     // per element transposed
inline constexpr double kRowCycles = 40;            // per row of y stored, whatever its length
inline constexpr double kTileRowCycles = 120;       // the same out of a transposed tile, phase by phase
inline constexpr double kRowTapCycles = 1.6;        // form rows: per vector and tap
inline constexpr double kRowStoreCycles = 4;        // form rows: per vector interleaved and stored
inline constexpr double kRunCycles = 18;            // per run of lanes copied to y from a tile
inline constexpr double kTaskCycles = 12e3;         // shortest worthwhile task
inline constexpr double kStreamBytes = 24e6;        // outputs beyond this leave the cache anyway: stream them
inline constexpr double kOwnCopies = 6e6;           // copies of a whole input, one for each thread
inline constexpr double kCopyBytes = 8e6;           // padded input held at once, at least one image

inline constexpr int64_t kSlabBytes =
    192 * 1024;  // packed weights of one slab of input channels, in the second-level cache
inline constexpr int64_t kGroupBytes = 48 * 1024;         // rows of sums finished together, near the first-level cache
inline constexpr int64_t kStreamGroupBytes = 256 * 1024;  // the same where y is streamed
inline constexpr int64_t kPanelBytes = 320 * 1024;        // input of such rows, in the second-level cache
inline constexpr int64_t kOwnPanelBytes = 1536 * 1024;    // the padded input of one tile
inline constexpr int64_t kTileBytes = 128 * 1024;         // sums of one tile

// Form channels.
inline constexpr int64_t kMostTransposedPhases = 64;             // w phases in one tile: their sums lie there together
inline constexpr int64_t kReusedTaps = 4, kReusedChannels = 64;  // each input is read more often: worth a better pitch
inline constexpr int64_t kLeastTile = 12, kMostTile = 256;       // positions: one block's rows; what the tables hold
inline constexpr int64_t kHalvedTile = 24;                       // tiles above this are halved for more tasks
inline constexpr int64_t kManyTasks = 12, kSomeTasks = 4;        // per thread: enough; enough if they come out even
inline constexpr double kEven = 0.95;                            // share of the threads' time that is work
inline constexpr double kOwnCopyShare = 0.02;  // of a call, for copies of the whole input (pose.deconv1)

// Form positions.
inline constexpr int64_t kUnitBytes = 24 * 1024;      // sums of all phases of a channel, in the first-level cache
inline constexpr int64_t kChannelsBytes = 32 * 1024;  // sums of the channels of one unit
inline constexpr int64_t kStreamedRun = 4096;         // values staged for streaming stores, at least (seed1.ex)
inline constexpr int64_t kMostStrips = 8, kMostStreamedStrips = 12;  // of a group
inline constexpr int64_t kMostInner = 64;                            // channels interleaved like phases
inline constexpr int64_t kPanelRows = 16;      // rows that read a strip in place; more of them read a copy
inline constexpr double kTasksPerThread = 16;  // wanted
inline constexpr int64_t kEvenTasks = 8;       // per thread: even whatever they hold
inline constexpr double kEvenTiles = 0.93;     // as kEven, for fewer
inline constexpr int64_t kMostTiles = 1024;    // looked at for panels; such planes are large
// Padding some places twice is bearable up to a half more, or a tenth of the computing;
// negligible up to a tenth more, or a fiftieth.
inline constexpr double kBearableCopies = 1.5, kBearableShare = 0.1, kNegligibleCopies = 1.1, kNegligibleShare = 0.02;

}  // namespace ctconv::native
