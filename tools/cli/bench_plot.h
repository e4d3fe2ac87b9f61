// SPDX-License-Identifier: Apache-2.0
// bench --plot: what the table of `ctconv bench` holds, as bars under a roof.
//
//   in:  the rows of each layer, the machine record
//   out: the text of an SVG file: a bar an engine, its median rate and time, a mark at its best; a refusal's reason
//   roof = min(multiply-adds of the record by the threads that ran, flop / bytes * its memory bandwidth)
//   The second holds only where a layer's bytes exceed the last cache: smaller ones stay there from run to run.
//   Winograd does fewer multiplications and bfloat16 products are not those of float32: both may pass it.
//   Bounded: layers are drawn until there are 400 bars; how many are left out is said.
#pragma once

#include <string>
#include <vector>

#include "tools/cli/machine_record.h"
#include "tools/cli/timing.h"

namespace cli {

struct BenchRow {
  std::string engine, gradient, form, refused;  // gradient: of a backward call, what it computes
  double flop = 0, bytes = 0, threads = 0;      // bytes, threads: 0 where the engine does not say
  Timing time;
  std::string label() const { return gradient.empty() ? engine : engine + " " + gradient; }
  double rate() const { return refused.empty() && time.median > 0 ? flop / time.median * 1e-9 : 0; }  // GF/s
};

struct BenchLayer {
  std::string id;
  ctconv::Dtype type;
  std::vector<BenchRow> rows;
};

// The most GF/s of a row by the machine record; 0: not known.
double roof_of(const BenchRow& row, ctconv::Dtype type, const Json& machine);
std::string bench_svg(const std::string& title, const std::vector<BenchLayer>& layers, const MachineRecord& machine);

}  // namespace cli
