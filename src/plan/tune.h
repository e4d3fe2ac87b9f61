// tuning = measure: times the candidate kernels of a problem on made-up data and remembers the winner in a file.
//
//   in:  a problem, its candidate kernels;   out: seconds per candidate, in the same order; false where nothing could be measured
//   The file (CTCONV_TUNING_FILE, else <cache home>/ctconv/tuning.tsv) has one line per problem:
//     <version> TAB <cpu features> TAB <threads> TAB <problem text> TAB engine=seconds ...
//   A line of another version or machine, or one that cannot be read, is ignored with a log line.
#pragma once

#include <string>
#include <vector>

#include "src/plan/plan.h"

namespace ctconv {

struct TuneCandidate {
  const char* engine;
  const Kernel* kernel;
};

bool measure(const Problem& problem, const std::vector<TuneCandidate>& candidates, const PlanRequest& request, std::vector<double>* seconds);

}  // namespace ctconv
