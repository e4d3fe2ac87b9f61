// SPDX-License-Identifier: Apache-2.0
// The loop of a run by tiles: while a tile is computed the next window is read and the last tile written.
//
//   in:  the files, the grid, the journal: tiles that it names are left out
//   out: tiles of y in their file, and a line of the journal for each once it is on the disk
//        what that took; how far it is, on a terminal or (told) as lines on standard error ten seconds apart
//   refuses (Fault FILE): a disk or a file that fails; what is written by then is noted
#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <string>

#include "tools/cli/tiles_file.h"
#include "tools/cli/tiles_grid.h"
#include "tools/cli/tiles_journal.h"

namespace cli {

// The files of one run, and the grid it goes through.
struct TileWork {
  const TileAxes& axes;
  TileFile x, y;
  std::optional<TileGrid> grid;
};

// Windows and tiles at hand at a time: two of each, where there is more than one tile.
int64_t tile_bytes(const TileWork& work, const TileGrid& grid);

struct TileRate {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  int64_t bytes = 0, tiles = 0;
  double seconds() const;
};

// stopped: set by a signal; the running tile is then finished and kept.
TileRate compute_tiles(TileWork* work, TileJournal* journal, bool told, const volatile std::sig_atomic_t& stopped);

}  // namespace cli
