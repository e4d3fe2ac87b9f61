// SPDX-License-Identifier: Apache-2.0
// The journal of a run by tiles: which of them are written, so that a run that was killed goes on where it was.
//
//   in:  a path; what the run is made of, as named texts
//   out: a text file that only grows. First line: a JSON object {"grid": the tile, "of": the texts, "part": the number
//        of the file that holds y}; each further line the number of a tile that is written. Every line ends in the
//        CRC-32 of itself together with the first line, so that a torn or foreign line is known: its tile is computed
//        again.
//   refuses (Fault JOURNAL): one of another run (what differs is named), a damaged first line, one in use
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tools/cli/tiles_axes.h"

namespace cli {

uint32_t crc32(const std::string& text, uint32_t seed = 0);

class TileJournal {
 public:
  TileJournal(std::string path, nlohmann::json identity);
  ~TileJournal();
  TileJournal(const TileJournal&) = delete;
  TileJournal& operator=(const TileJournal&) = delete;

  // Whether there is something to go on with; tile(), part() and done() are then set. y_shape: what it must be of.
  bool read(const Extents& y_shape);
  // Before anything becomes of an old part: what an earlier run noted holds no more, a loss of power included.
  void forget();
  void keep_below(int64_t count);  // numbers that the grid has not are no tiles
  void begin(const Extents& tile, uint64_t part);
  void add(int64_t number);  // after the tile has reached the disk
  void remove();
  void remove_empty();  // of a run that was refused before it began

  const Extents& tile() const { return tile_; }
  uint64_t part() const { return part_; }
  const std::set<int64_t>& done() const { return done_; }
  int damaged() const { return damaged_; }  // lines

 private:
  void append(const std::string& line);
  bool take(const std::string& line);
  std::string text() const;
  void open_head(const std::string& line, const Extents& y_shape);
  void compare(const nlohmann::json& old) const;
  const std::string path_;
  const nlohmann::json identity_;
  Extents tile_;
  std::set<int64_t> done_;
  int descriptor_ = -1, damaged_ = 0;
  uint32_t seed_ = 0;
  uint64_t part_ = 0;
};

}  // namespace cli
