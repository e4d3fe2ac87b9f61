// SPDX-License-Identifier: Apache-2.0
// A plan: one problem, one engine, nothing left to decide; built once, shared by threads.
//
//   in:  a Problem, the ordered engines, what the op allows;   out: a Plan that runs any data of that problem
//   refuses: a forced engine that cannot run it (UNSUPPORTED_ENGINE with its reason), no memory
//
//   Workspace of one call: [bias in accumulator type][packed weight][kernel scratch], each kAlignment-aligned,
//   plus kAlignment of slack so that any address will do. Bias and packed weight are there only if they come with the
//   call.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "src/plan/engine.h"
#include "src/plan/packed.h"

namespace ctconv {

struct PlanRequest {
  std::span<const Engine* const> engines;  // in the order `auto` asks
  const Engine* reference = nullptr;       // one of them: what `auto` falls back to; it refuses nothing
  std::string_view engine = "auto";
  PlanContext context;
  bool measure = false;          // time the candidates and remember the winner
  std::string_view versions;     // of the library and its engines, for the tuning file's key
  bool bias_per_call = false;    // the bias is converted into the workspace
  const void* weight = nullptr;  // the op's own raw weight, laid out as Problem::w says; null: comes with the call
  const Allocator* allocator = nullptr;
  Runner runner;                 // for packing and measuring
  PackedStore* store = nullptr;  // packed weights of the op
};

// Parts of one call's workspace, each rounded up to kAlignment.
struct Workspace {
  size_t bias = 0, packed = 0, scratch = 0;
  size_t exact = 0;  // packed weight and scratch of Plan::exact, in the place of the kernel's own
  // The whole, with slack for any address; 0: none needed.
  size_t bytes() const {
    const size_t sum = bias + std::max(packed + scratch, exact);
    return sum ? sum + kAlignment - 1 : 0;
  }
};

struct Plan {
  Problem problem;
  const Engine* engine = nullptr;
  std::unique_ptr<Kernel> kernel;
  std::unique_ptr<Kernel> fallback;      // the reference, for calls whose weights or x the kernel cannot honour
  std::unique_ptr<Kernel> exact;         // asked before it for such a call; packs inside it; may be null
  std::shared_ptr<const Buffer> packed;  // null: packed per call, or nothing to pack
  bool weight_per_call = false;
  Workspace workspace;
  std::string why;                                           // one line for describe
  std::vector<std::pair<std::string, std::string>> refused;  // engine, reason

  size_t workspace_bytes() const { return workspace.bytes(); }
};

Result<std::shared_ptr<const Plan>> make_plan(const Problem& problem, const PlanRequest& request);

// The memory of one execution; bias is raw (bias_type) where the plan converts it. Problem::written says which
// operand is written; the others are only read.
struct RunMemory {
  void* x = nullptr;
  void* w = nullptr;
  void* bias = nullptr;
  int64_t bias_stride = 1;
  void* y = nullptr;
  void* workspace = nullptr;  // workspace_bytes(), any address
};

Status run_plan(const Plan& plan, const RunMemory& memory, const Runner& runner);

// Bias as engines want it: dense, of dtype's accumulator, -0 made +0.
void convert_bias(Dtype dtype, const void* bias, int64_t stride, int64_t count, void* out);

}  // namespace ctconv
