// SPDX-License-Identifier: Apache-2.0
// tuning = measure: times the candidate kernels of a problem on made-up data and remembers the winner in a file.
//
//   in:  a problem, its candidate kernels;   out: seconds per candidate, in the same order; or why nothing was measured
//   The file is CTCONV_TUNING_FILE, else $XDG_CACHE_HOME/ctconv/tuning.tsv, else ~/.cache/ctconv/tuning.tsv; how it is
//   kept stands in tuning_file.h. Its key names all that a time depends on (tuning_key); its values are
//     engine=seconds ...
#pragma once

#include <string>
#include <vector>

#include "src/plan/plan.h"

namespace ctconv {

struct TuneCandidate {
  const char* engine;
  const Kernel* kernel;
};

// What the machine and the build add to the key.
struct TuneMachine {
  std::string versions;  // of the library and of the engines that are libraries of their own
  std::string model;     // of the processor
  std::string features;
};

// kTuningFields fields: versions, model, features, element types, threads, problem text.
std::string tuning_key(const TuneMachine& machine, int32_t threads, const Problem& problem);

// Empty: *seconds are measured, or remembered from an earlier measurement. Else the reason why they are not.
std::string measure(const Problem& problem, const std::vector<TuneCandidate>& candidates, const PlanRequest& request,
                    std::vector<double>* seconds);

}  // namespace ctconv
