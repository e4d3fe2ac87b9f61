// SPDX-License-Identifier: Apache-2.0
// No output takes the place of an input that is still needed, or is of another kind.
//
//   in:  a request: its sources (-x, -w, -b, @file, --layers) and its outputs (-o of --tiles, --svg, --plot). Elsewhere
//        -o may be -x: it is read whole before y is written.
//   refuses (Fault OPTION): an output that is the file of a source, by whatever name, before anything is computed
#pragma once

#include "tools/cli/request.h"

namespace cli {

void keep_inputs(const Request& request);

}  // namespace cli
