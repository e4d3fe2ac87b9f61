// SPDX-License-Identifier: Apache-2.0
// What an engine is: it says itself whether it can run a problem, and if so hands out a Kernel with no decision left.
//
//   in:  a Problem and what the op allows (threads, workspace, weakest bits);   out: a Kernel, or the reason it
//        refuses
//   One ordered table of engines lives in capi/engines.cpp. An engine knows no other engine.
#pragma once

#include <limits>
#include <memory>
#include <string>

#include "src/base/memory.h"
#include "src/base/runner.h"
#include "src/base/status.h"
#include "src/plan/bits.h"
#include "src/plan/knows.h"
#include "src/problem/problem.h"

namespace ctconv {

struct PlanContext {
  int32_t threads = 1;                // workers the call will have
  bool caller_runner = false;         // the runner is the caller's own hook
  Bits weakest = Bits::kMachine;      // a kernel whose bits are weaker is not taken
  bool weights_finite = true;         // false: known to hold an Inf or NaN (unknown counts as true)
  bool weights_per_call = false;      // packing happens inside every execute
  size_t workspace_limit = SIZE_MAX;  // scratch() must not exceed it
  double beat_seconds = std::numeric_limits<double>::infinity();  // an engine that cannot be faster may refuse early
};

// The place of an operand that is only read: who holds it const hands it over by this.
inline void* read_only(const void* operand) { return const_cast<void*>(operand); }

// Memory of one call. Problem::written says which of x, w, y is written (of y the core; with w also bias); the others
// are only read. Where w is written, w or bias may be null: the other alone is wanted, and x is read for w only.
struct Operands {
  void* x = nullptr;
  void* w = nullptr;             // raw weight, strides as Problem::w says
  const void* packed = nullptr;  // what pack() wrote
  void* bias = nullptr;          // groups*co dense values of types.accumulator, -0 made +0; null: none
  void* y = nullptr;
  void* scratch = nullptr;  // scratch_bytes(), kAlignment-aligned, content meaningless
};

// Immutable and shared by threads once made.
class Kernel {
 public:
  virtual ~Kernel() = default;

  // One line: the kernel form and its numbers, for describe.
  virtual std::string form() const = 0;
  // The promise its results keep.
  virtual Bits bits() const = 0;
  // Expected seconds of one execute on this machine class: what `auto` compares.
  virtual double estimated_seconds() const = 0;
  virtual size_t scratch_bytes() const { return 0; }

  // Packed weights: bytes, a key under which kernels of the same op share one copy, and the packing itself.
  virtual size_t packed_bytes() const { return 0; }
  virtual std::string packing() const { return {}; }
  // False: the weights hold values that this kernel cannot honour exactly; the caller then takes an exact kernel.
  virtual Result<bool> pack(const void* w, void* packed, const Runner& runner) const {
    (void)w;
    (void)packed;
    (void)runner;
    return true;
  }
  virtual const char* weights_not_honoured() const {
    return "the weight holds an Inf or NaN, which padding zeros would turn into NaN";
  }

  // What a weight that is not finite spoils beyond its own sums, where pack answers false but has packed all the same:
  // anything, outputs whose taps leave x (the kernel multiplies zeros there), nothing. See mended.h.
  enum class Spoils { kAnything, kBorders, kNothing };
  virtual Spoils spoils() const { return Spoils::kAnything; }

  // True: each call is asked about its x and bias; where the answer is false an exact kernel computes that call.
  virtual bool looks_at_input() const { return false; }
  virtual Result<bool> honours_input(const Operands& memory, const Runner& runner) const {
    (void)memory;
    (void)runner;
    return true;
  }

  virtual Status run(const Operands& memory, const Runner& runner) const = 0;
};

struct Engine {
  const char* name;
  Bits strongest;  // of its kernels
  Knows knows;
  // UNSUPPORTED_ENGINE with the reason as message where the engine refuses; NO_MEMORY may also occur. Called by `plan`.
  Result<std::unique_ptr<Kernel>> (*make)(const Problem& problem, const PlanContext& context);

  // The same, after the engine's own list of what it knows was asked; never a kernel weaker than context.weakest.
  // A data gradient goes to an engine that writes no x as the forward problem it is, where it is one (as_forward.h).
  Result<std::unique_ptr<Kernel>> plan(const Problem& problem, const PlanContext& context) const;
};

// "<engine>: <reason>", the refusal every engine answers with.
inline Status refuse(std::string reason) { return Status(Code::UNSUPPORTED_ENGINE, std::move(reason)); }

}  // namespace ctconv
