// SPDX-License-Identifier: Apache-2.0
// What oneDNN is asked, and which layout it works in.
//
//   refuses: a problem outside the range oneDNN was fuzzed in (domain.h); reproducible; f64; weights that hold an
//   Inf or NaN; an empty problem; a caller's own runner with more than one worker (threads.h says why); what
//   kernel.cpp refuses
//   layout:  the primitive always works channels-last, sides that lie otherwise are reordered; channels-first only
//   where channels-last is refused. Never `any` for x and y: it often picks something slower.
//   Measured on 101 layers given channels-first (Zen 4, 2 threads, oneDNN 3.7.2, 2026-11-21): its own channels-first
//   path takes 0.85 to 19 times as long as reorder, channels-last, reorder; over 10 % longer on 64 layers, over 3 %
//   shorter on 8, most of them layers (`conv:any`) where neither is fast.
#include "src/engine/onednn/onednn.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "src/base/number.h"
#include "src/engine/onednn/cost.h"
#include "src/engine/onednn/descriptors.h"
#include "src/engine/onednn/domain.h"
#include "src/engine/onednn/failure.h"
#include "src/engine/onednn/kernel.h"
#include "src/engine/onednn/threads.h"

namespace ctconv {
namespace {

using onednn::Route;

constexpr Types kTypes[] = {uniform_types(Dtype::kF32), uniform_types(Dtype::kF16), uniform_types(Dtype::kBf16)};
constexpr Knows kKnown{.written = kForwardOnly, .types = kTypes, .activations = true};

Status judge(const Problem& p, const PlanContext& context) {
  if (p.empty() || p.in_elements() == 0) return refuse("onednn: empty problem");
  if (!context.weights_finite) return refuse("onednn: the weight holds an Inf or NaN");
  if (CTCONV_ONEDNN_THREADPOOL && context.caller_runner && context.threads > 1) {
    return refuse(
        "onednn: a caller's own runner may start another call on a waiting thread, where oneDNN keeps its active pool");
  }
  return {};
}

// Generating a primitive takes longer than many layers: not where another engine is faster than the best of them.
Status worth_it(const Problem& p, const PlanContext& context) {
  const auto bytes = static_cast<double>(size_of(p.types.x));
  double reordered = 0;
  if (!onednn::input_of(p).channels_last) reordered += 2 * bytes * static_cast<double>(p.in_elements());
  if (!onednn::output_of(p).channels_last) reordered += 2 * bytes * static_cast<double>(p.out_elements());
  const double least = onednn::least_seconds(p, std::max(1, context.threads), reordered);
  if (least < context.beat_seconds) return {};
  return refuse("onednn: " + show_general(least * 1e3, 3) + " ms at least, another engine is expected to take " +
                show_general(context.beat_seconds * 1e3, 3) + " ms");
}

// oneDNN prints its errors to stdout unless told otherwise; a library that answers with a status prints nothing.
// A shared libdnnl belongs to the whole process: its verbosity is not ours to set.
bool silence() {
#if defined(CTCONV_ONEDNN_IS_OURS)
  if (std::getenv("ONEDNN_VERBOSE") == nullptr && std::getenv("DNNL_VERBOSE") == nullptr) dnnl_set_verbose(0);
#endif
  return true;
}

Result<std::unique_ptr<Kernel>> plan_anywhere(const Problem& p, const PlanContext& context) {
  static const bool silent = silence();
  (void)silent;
  try {
    CTCONV_RETURN_IF_ERROR(judge(p, context));
    CTCONV_RETURN_IF_ERROR(worth_it(p, context));
    auto last = onednn::make_kernel(p, context, Route::kLast);
    if (last.ok() || last.status().code() == Code::NO_MEMORY) return last;
    if (!onednn::input_of(p).channels_first || !onednn::output_of(p).channels_first) return last;
    auto first = onednn::make_kernel(p, context, Route::kFirst);
    return first.ok() ? std::move(first) : std::move(last);
  } catch (...) {
    return onednn::status_in_flight(onednn::During::kPlan);
  }
}

Result<std::unique_ptr<Kernel>> plan(const Problem& p, const PlanContext& context) {
  if (!p.empty() && p.in_elements() != 0) {
    std::string outside = onednn::domain_refusal(p);
    if (!outside.empty()) return refuse(std::move(outside));
  }
  return plan_anywhere(p, context);
}

}  // namespace

const Engine kOnednnEngine = {"onednn", Bits::kMachine, kKnown, plan};
const Engine onednn::kAnywhereEngine = {"onednn", Bits::kMachine, kKnown, plan_anywhere};

}  // namespace ctconv
