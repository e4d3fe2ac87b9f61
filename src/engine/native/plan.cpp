// Choosing the form; see native.h.
//
//   in:  Problem, PlanContext
//   out: the cheapest of the forms that serve it, or a refusal
#include <algorithm>
#include <vector>

#include "src/engine/native/channels.h"
#include "src/engine/native/depthwise.h"
#include "src/engine/native/limits.h"
#include "src/engine/native/native.h"
#include "src/engine/native/positions.h"
#include "src/engine/native/rows.h"
#include "src/plan/workspace.h"

namespace ctconv {
namespace native {
namespace {

// Plans hold tables with an entry a phase, a tap and an output channel, and scratch for a padded input; limits.h says
// how many. Products of these counts are each form's own business.
bool beyond_tables(const Problem& p) {
  double padded = static_cast<double>(p.ci);
  int64_t phases = 1;  // all three axes together: stride 256 on three of them would be 2^24
  for (const Axis& a : p.axis) {
    if (std::max({a.k, a.s, a.d, a.lo, a.d * (a.k - 1)}) > kMostStep) return true;
    const int64_t own = a.i == 1 ? a.o : std::min(a.s, a.o);
    if (own > kMostPhases / phases) return true;
    phases *= own;
    padded *=
        static_cast<double>(a.i) + static_cast<double>(a.lo + a.o + a.d * (a.k - 1)) / static_cast<double>(a.s) + 4;
  }
  const double most = std::max({padded * static_cast<double>(p.n) * static_cast<double>(p.groups),
                                static_cast<double>(p.out_elements()), static_cast<double>(p.weight_elements())});
  return padded > kMostPadded || most > kMostElements || p.taps() > kMostTaps || p.groups * p.ci > kMostChannels ||
         p.groups * p.co > kMostChannels;
}

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
Result<std::unique_ptr<Kernel>> plan_as(const Problem& p, const PlanContext& context, const char* form) {
  const Moves<T> s = kit::moves<T>();
  if (s.lanes == 0) return refuse("native: this CPU has no fused multiply-add on vectors");
  const double budget = scratch_budget(p, context.threads);
  std::unique_ptr<Kernel> best;
  bool planned = false, within = false;
  const auto consider = [&](std::unique_ptr<Kernel> k) {
    if (!k || (form && k->form().find(form) == std::string::npos)) return;
    planned = true;
    if (static_cast<double>(k->scratch_bytes()) > budget) return;
    within = true;
    if (k->scratch_bytes() > context.workspace_limit) return;
    if (!best || k->estimated_seconds() < best->estimated_seconds()) best = std::move(k);
  };
  consider(PositionsKernel<T>::plan(p, context, s));
  for (bool merge : {false, true}) consider(ChannelsKernel<T>::plan(p, context, s, merge));
  consider(DepthwiseKernel<T>::plan(p, context, s));
  consider(RowsKernel<T>::plan(p, context, s));
  if (best) return best;
  if (!planned) return refuse("native: more channels times phases than its tables hold");
  if (!within) return refuse("native: its scratch memory exceeds the padded input by megabytes");
  return refuse("native: its scratch memory exceeds the workspace limit");
}

}  // namespace

Result<std::unique_ptr<Kernel>> plan_form(const Problem& p, const PlanContext& context, const char* form) {
  if (p.empty()) return refuse("native: the output is empty");
  if (!context.weights_finite) return refuse("native: a weight is infinite or not a number");
  if (beyond_tables(p)) return refuse("native: more phases, taps, channels or padding than its tables hold");
  const Problem q = folded(p);
  return p.types.x == Dtype::kF64 ? plan_as<double>(q, context, form) : plan_as<float>(q, context, form);
}

namespace {
Result<std::unique_ptr<Kernel>> plan(const Problem& p, const PlanContext& context) {
  return plan_form(p, context, nullptr);
}
}  // namespace
}  // namespace native

const Engine kNativeEngine{"native", Bits::kReference, kForwardFloats, &native::plan};

}  // namespace ctconv
