// SPDX-License-Identifier: Apache-2.0
// What one command was asked: the parsed options, and the commands themselves.
#pragma once

#include <cstdint>
#include <string>

namespace cli {

struct Request {
  std::string dialect, arguments = "{}";  // as written; parse_arguments reads the latter
  std::string x, weight, bias, output;    // sources (array.h); output: a path, empty: none
  std::string output_size;                // JSON; empty: not given
  std::string begin, end;                 // run: a region of y, numbers and commas; empty: not given
  std::string engine = "auto", device = "cpu";
  std::string activation = "none";
  double alpha = 0.01, beta = 0;  // of the activation
  int threads = 0;
  int reproducible = 0, math = 0;  // as in ctconv_options
  bool tune = false;
  bool backward = false;  // verify, bench: the gradients instead of y
  bool dry = false;       // tune: nothing is kept
  uint64_t seed = 1;
  int repeat = 0;  // 0: as many as fit into `seconds`
  double seconds = 0.5;
  bool tiles = false;                    // run: tile by tile
  bool fresh = false, progress = false;  // with tiles: what an earlier run wrote is forgotten; lines of progress
  std::string memory, tile;              // with tiles: what the process may hold; extents of a tile; empty: chosen
  bool json = false, check = false, side_by_side = false;
  std::string shell;         // completion: whose script
  std::string layers, only;  // bench: a JSON file, and a prefix of the ids in it
  std::string picture;       // explain --svg, bench --plot: a path; empty: none is drawn
};

// Each prints its answer to stdout and returns the exit code: 0, or 1 where an engine differs from the reference.
// A refusal leaves as ctconv::error or cli::Fault.
int run_command(const Request&);
int run_tiles_command(const Request&);  // run --tiles
int shape_command(const Request&);
int explain_command(const Request&);
int verify_command(const Request&);
int bench_command(const Request&);
int info_command(const Request&);
int tune_command(const Request&);
int doctor_command(const Request&);  // 1: something is missing that could be mended

}  // namespace cli
