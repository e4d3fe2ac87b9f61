// Where the measured times are kept (ctconv.h, Environment), and whether they can be.
//
//   in:  CTCONV_TUNING_FILE, XDG_CACHE_HOME, HOME;   out: a sentence, and false where the file could not be written
#pragma once

#include <string>

namespace cli {

struct TuningPlace {
  bool usable = true;  // also where none is wanted
  std::string text;
};
TuningPlace tuning_place();

}  // namespace cli
