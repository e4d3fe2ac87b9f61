// SPDX-License-Identifier: Apache-2.0
// Where the measured times are kept (ctconv.h, Environment), and whether they can be.
//
//   in:  CTCONV_TUNING_FILE, XDG_CACHE_HOME, HOME;   out: a sentence, and false where the file could not be written
#pragma once

#include <string>

namespace cli {

// The file `variable` names, else `name` in the user's cache folder; empty: none.
std::string cache_place(const char* variable, const char* name);

struct TuningPlace {
  bool usable = true;  // also where none is wanted
  std::string text;
};
TuningPlace tuning_place();

}  // namespace cli
