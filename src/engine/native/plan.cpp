// SPDX-License-Identifier: Apache-2.0
// Choosing the form; see native.h.
//
//   in:  Problem, PlanContext
//   out: the cheapest of the forms that serve it, or a refusal
#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "src/engine/native/channels.h"
#include "src/engine/native/costs.h"
#include "src/engine/native/depthwise.h"
#include "src/engine/native/gradients.h"
#include "src/engine/native/limits.h"
#include "src/engine/native/native.h"
#include "src/engine/native/positions.h"
#include "src/engine/native/raw.h"
#include "src/engine/native/rows.h"
#include "src/engine/native/taps.h"
#include "src/engine/native/turned.h"
#include "src/plan/as_forward.h"
#include "src/plan/workspace.h"

namespace ctconv {
namespace native {
namespace {

// All forms, in the order they are asked. Adding one is a line here and a namespace of its own (form.h).
template <class T>
struct Form {
  const char* name;
  std::unique_ptr<Kernel> (*plan)(const Given<T>&);
  bool strided;  // serves data gradients, whose positions lie several input rows apart
};
template <class T>
constexpr Form<T> kForms[] = {
    {"positions", &positions::plan<T>, false},
    {"channels", &channels::plan<T>, true},
    {"merged", &channels::plan_merged<T>, false},
    {"depthwise", &depthwise::plan<T>, true},
    {"rows", &rows::plan<T>, false},
    {"turned", &turned::plan<T>, true},
    {"raw", &raw::plan<T>, true},
    {"taps", &taps::plan<T>, false},
};

// Of a call: with what packing a weight takes where it comes with the call.
double whole_seconds(const Kernel& kernel, const Problem& p, const PlanContext& context) {
  if (!context.weights_per_call) return kernel.estimated_seconds();
  const double weights = static_cast<double>(kernel.packed_bytes()) / static_cast<double>(size_of(p.types.accumulator));
  return kernel.estimated_seconds() + machine().seconds(weights * kPackCycles / std::max(1, context.threads));
}

// Plans hold tables with an entry a phase, a tap and an output channel, and scratch for a padded input; limits.h says
// how many. Products of these counts are each form's own business.
bool beyond_tables(const Problem& p) {
  double padded = static_cast<double>(p.ci);
  int64_t phases = 1;  // all three axes together: stride 256 on three of them would be 2^24
  for (size_t k = 0; k < 3; ++k) {
    const Axis& a = p.axis[k];
    const int64_t reach = a.d * (a.k - 1);
    if (std::max({a.k, a.s, a.d, a.lo, -a.lo, reach}) > kMostStep) return true;
    const int64_t own = a.i == 1 ? a.o : std::min(a.s, a.o);
    if (own > kMostPhases / phases) return true;
    phases *= own;
    padded *= static_cast<double>(a.i) + static_cast<double>(a.lo + a.o + reach) / static_cast<double>(a.s) + 4;
  }
  const double most = std::max({padded * static_cast<double>(p.n) * static_cast<double>(p.groups),
                                static_cast<double>(p.out_elements()), static_cast<double>(p.weight_elements())});
  return padded > kMostPadded || most > kMostElements || p.taps() > kMostTaps || p.groups * p.ci > kMostChannels ||
         p.groups * p.co > kMostChannels;
}

// A region of y may lie far from all that x reaches. Forms then count places of x that do not exist: these counts, too,
// fit int64.
bool beyond_reach(const Problem& p) {
  for (size_t k = 0; k < 3; ++k) {
    const Axis& a = p.axis[k];
    const double rows = std::abs(static_cast<double>(a.lo)) + static_cast<double>(a.o) +
                        static_cast<double>(a.d) * static_cast<double>(a.k);
    if (rows * std::abs(static_cast<double>(p.x.axis[k])) > kMostPlace) return true;
    if (rows * std::abs(static_cast<double>(p.y.axis[k])) > kMostPlace) return true;
  }
  return false;
}

// Rows of y that positions of a data gradient read, as places in memory.
bool beyond_strides(const Problem& p) {
  for (size_t k = 0; k < 3; ++k) {
    const Axis& a = p.axis[k];
    const double rows = static_cast<double>(a.i) * static_cast<double>(a.s) + std::abs(static_cast<double>(a.lo)) +
                        static_cast<double>(a.d) * static_cast<double>(a.k);
    if (rows * std::abs(static_cast<double>(p.y.axis[k])) > kMostPlace) return true;
  }
  return false;
}

// What forms are asked: a problem with x and y in their forward roles, its grid, its useful flop.
struct Asked {
  Problem problem;
  Grid grid;
  double flop = 0;
};

// One input position and a whole kernel per axis, as in a generator's first layer: rows and planes of y are one axis.
Problem folded(const Problem& p) {
  Problem q = p;
  const auto whole = [](const Axis& a) { return a.i == 1 && a.lo == 0 && a.d == 1 && a.o == a.k; };
  Axis& w = q.axis[2];
  for (size_t a : {size_t{1}, size_t{0}}) {
    const Axis& outer = p.axis[a];
    if (outer.i == 1 && outer.k == 1 && outer.o == 1) continue;
    if (!whole(w) || !whole(outer) || p.y.axis[a] != w.o * p.y.axis[2] || p.w.tap[a] != w.k * p.w.tap[2]) break;
    w.k *= outer.k;
    w.o *= outer.o;
    q.axis[a] = Axis{};
  }
  return q;
}

template <class T>
Result<std::unique_ptr<Kernel>> plan_as(const Asked& asked, const PlanContext& context, const char* name) {
  const Problem& p = asked.problem;
  const Moves<T> moves = kit::moves<T>();
  if (moves.lanes == 0) return refuse("native: this CPU has no fused multiply-add on vectors");
  const double budget = scratch_budget(p, context.threads);
  std::unique_ptr<Kernel> best;
  double least = 0;
  bool planned = false, within = false;
  for (const Form<T>& form : kForms<T>) {
    if (name && std::string_view(name) != form.name) continue;
    const Given<T> given{p, context, asked.grid, moves, asked.flop};
    if (given.strided() && !form.strided) continue;
    std::unique_ptr<Kernel> k = form.plan(given);
    if (!k) continue;
    if (!context.weights_finite && k->spoils() != Kernel::Spoils::kNothing) continue;
    planned = true;
    if (static_cast<double>(k->scratch_bytes()) > budget) continue;
    within = true;
    if (k->scratch_bytes() > context.workspace_limit) continue;
    const double seconds = whole_seconds(*k, p, context);
    if (best && seconds >= least) continue;
    least = seconds;
    best = std::move(k);
  }
  if (best) return best;
  if (!planned && !context.weights_finite) return refuse("native: a weight is infinite or not a number");
  if (!planned) return refuse("native: more channels times phases than its tables hold");
  if (!within) return refuse("native: its scratch memory exceeds the padded input by megabytes");
  return refuse("native: its scratch memory exceeds the workspace limit");
}

// Asked before a grid is made: that takes as long as there are phases and taps.
Status check_tables(const Problem& p) {
  if (beyond_tables(p)) return refuse("native: more phases, taps, channels or padding than its tables hold");
  if (beyond_reach(p)) return refuse("native: output rows too far from the input for its tables");
  return {};
}

Result<std::unique_ptr<Kernel>> plan_asked(const Asked& asked, const PlanContext& context, const char* name) {
  const Problem& p = asked.problem;
  return p.types.x == Dtype::kF64 ? plan_as<double>(asked, context, name) : plan_as<float>(asked, context, name);
}

Result<std::unique_ptr<Kernel>> plan_forward(const Problem& p, const PlanContext& context, const char* name) {
  if (p.empty()) return refuse("native: the output is empty");
  const Problem q = folded(p);
  CTCONV_RETURN_IF_ERROR(check_tables(q));
  return plan_asked({q, kit::grid_of(q), useful_flop(q)}, context, name);
}

Result<std::unique_ptr<Kernel>> plan_gradient_x(const Problem& p, const PlanContext& context, const char* name) {
  if (p.empty() || p.out_elements() == 0) return refuse("native: x or y is empty");
  if (const auto forward = as_forward(p)) {
    auto kernel = plan_forward(*forward, context, name);
    if (!kernel.ok()) return kernel;
    return exchanged(p, true, std::move(*kernel));
  }
  if (beyond_strides(p)) return refuse("native: input rows too far from the output for its tables");
  const Problem q = as_convolution(p);
  CTCONV_RETURN_IF_ERROR(check_tables(q));
  auto kernel = plan_asked({q, kit::gradient_grid_of(p), useful_flop(p)}, context, name);
  if (!kernel.ok()) return kernel;
  return exchanged(p, false, std::move(*kernel));
}

}  // namespace

Result<std::unique_ptr<Kernel>> plan_form(const Problem& p, const PlanContext& context, const char* name) {
  switch (p.written) {
    case Written::kY:
      return plan_forward(p, context, name);
    case Written::kX:
      return plan_gradient_x(p, context, name);
    case Written::kW:
      return plan_gradient_w(p, context, name);
  }
  return refuse("native: an operand it has never heard of");
}

namespace {
Result<std::unique_ptr<Kernel>> plan(const Problem& p, const PlanContext& context) {
  return plan_form(p, context, nullptr);
}
}  // namespace
}  // namespace native

const Engine kNativeEngine{"native", Bits::kReference, kEveryFloat, &native::plan};

}  // namespace ctconv
