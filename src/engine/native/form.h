// SPDX-License-Identifier: Apache-2.0
// A form: data planned once by pure functions, and a few functions that read it. See docs/native.md.
//
//   Each form is a namespace with a struct Plan<T> and, always in this order,
//     plan(given)                        the Kernel; null where the form cannot serve the problem
//     describe(plan)                     one line
//     scratch_size(plan)                 bytes of memory of a call
//     packed_size(plan)                  bytes of its packed weights
//     packing_key(plan)                  plans of one op with equal keys read the same packed weights
//     pack_weights(plan, w, packed, ..)  false where a weight is not finite
//     spoils_of(plan)                    what such a weight spoils: borders, or nothing where only x is multiplied
//     compute(plan, memory, runner)      the core of y
//   Plan<T>::seconds is the expected time of a call. T is the computing type: float or double.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "src/engine/native/kit.h"
#include "src/plan/engine.h"

namespace ctconv::native {

// What every form is planned from.
template <class T>
struct Given {
  const Problem& p;
  const PlanContext& context;
  const Grid& grid;
  const Moves<T>& moves;
  double flop;  // useful ones of a call

  int32_t threads() const { return std::max(1, context.threads); }
  int64_t lanes() const { return moves.lanes; }
  bool same_type() const { return size_of(p.types.x) == sizeof(T); }  // x and y hold values of T
  bool strided() const { return grid[0].step != 1 || grid[1].step != 1 || grid[2].step != 1; }
};

template <class Plan>
class FormKernel final : public Kernel {
 public:
  explicit FormKernel(Plan plan) : plan_(std::move(plan)) {}

  std::string form() const override { return describe(plan_); }
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return plan_.seconds; }
  size_t scratch_bytes() const override { return scratch_size(plan_); }
  size_t packed_bytes() const override { return packed_size(plan_); }
  std::string packing() const override { return packing_key(plan_); }
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override {
    return pack_weights(plan_, w, packed, runner);
  }
  Spoils spoils() const override { return spoils_of(plan_); }
  Status run(const Operands& memory, const Runner& runner) const override { return compute(plan_, memory, runner); }

 private:
  const Plan plan_;
};

template <class Plan>
std::unique_ptr<Kernel> kernel_of(Plan plan) {
  return std::make_unique<FormKernel<Plan>>(std::move(plan));
}

// The caller's threads, or the calling one where there are more than the plan has memory for.
inline Runner runner_within(const Runner& given, int32_t threads) {
  return given.workers() <= threads ? given : Runner();
}

// count values of bias, or zeros.
template <class T>
void copy_bias(const void* bias, int64_t count, T* to) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(T);
  if (bias) {
    std::memcpy(to, bias, bytes);
  } else {
    std::memset(to, 0, bytes);
  }
}

// Of a packing: strides and phases, which decide what taps a packed weight holds.
inline std::string phases_key(const Grid& grid) {
  std::string key;
  for (const AxisPhases& a : grid) {
    key += "/s" + std::to_string(a.s) + "f" + std::to_string(a.first_f) + "x" + std::to_string(a.count());
  }
  return key;
}

}  // namespace ctconv::native
