// SPDX-License-Identifier: Apache-2.0
// The machine record as any op of the CPU tells it: the lines `machine.*` of describe.
#pragma once

#include <string>

#include "tools/cli/layer.h"
#include "tools/cli/output.h"

namespace cli {

struct MachineRecord {
  Json json;            // source, every field, and `ignored` where something was
  std::string text;     // the fields, as CTCONV_MACHINE takes them
  std::string source;   // measured, pinned, tuned, plain
  std::string ignored;  // why CTCONV_MACHINE or the kept record was not taken; empty: nothing was ignored
};
MachineRecord machine_record();

// Where `ctconv tune` keeps it; empty: nowhere.
std::string machine_file();

}  // namespace cli
