// Choosing the form; see native.h.
//
//   in:  Problem, PlanContext
//   out: the cheapest of the forms that serve it, or a refusal
#include <algorithm>
#include <vector>

#include "src/engine/native/channels.h"
#include "src/engine/native/depthwise.h"
#include "src/engine/native/native.h"
#include "src/engine/native/positions.h"
#include "src/engine/native/rows.h"

namespace ctconv {
namespace native {
namespace {

// Plans hold tables with an entry a phase, a tap of an input channel, an output channel, and scratch for a padded
// input. Legal sizes reach 2^60, where a plan alone would take all memory; no layer comes near these limits.
bool beyond_tables(const Problem& p) {
  constexpr int64_t kMostStep = (int64_t{1} << 31) - 1, kMostPhases = int64_t{1} << 16, kMostEntries = int64_t{1} << 24;
  constexpr double kMostPadded = 0x1p42;
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
  return padded > kMostPadded || p.taps() * p.ci > kMostEntries || p.groups * p.ci > kMostEntries ||
         p.groups * p.co > kMostEntries;
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
  const Simd<T> s = simd<T>();
  if (s.lanes == 0) return refuse("native: this CPU has no fused multiply-add on vectors");
  std::vector<std::unique_ptr<Kernel>> forms;
  if (auto k = PositionsKernel<T>::plan(p, context, s)) forms.push_back(std::move(k));
  for (bool merge : {false, true}) {
    if (auto k = ChannelsKernel<T>::plan(p, context, s, merge)) forms.push_back(std::move(k));
  }
  if (auto k = DepthwiseKernel<T>::plan(p, context, s)) forms.push_back(std::move(k));
  if (auto k = RowsKernel<T>::plan(p, context, s)) forms.push_back(std::move(k));
  std::unique_ptr<Kernel> best;
  for (auto& k : forms) {
    if (k->scratch_bytes() > context.workspace_limit) continue;
    if (form && k->form().find(form) == std::string::npos) continue;
    if (!best || k->estimated_seconds() < best->estimated_seconds()) best = std::move(k);
  }
  if (!best) return refuse("native: its scratch memory exceeds the workspace limit");
  return best;
}

}  // namespace

Result<std::unique_ptr<Kernel>> plan_form(const Problem& p, const PlanContext& context, const char* form) {
  if (p.empty()) return refuse("native: the output is empty");
  if (!context.weights_finite) return refuse("native: a weight is infinite or not a number");
  if (beyond_tables(p)) return refuse("native: more phases, taps, channels or padding than its tables hold");
  const Problem q = folded(p);
  return p.dtype == Dtype::kF64 ? plan_as<double>(q, context, form) : plan_as<float>(q, context, form);
}

namespace {
Result<std::unique_ptr<Kernel>> plan(const Problem& p, const PlanContext& context) {
  return plan_form(p, context, nullptr);
}
}  // namespace
}  // namespace native

const Engine kNativeEngine{"native", true, &native::plan};

}  // namespace ctconv
