// What hides behind ctconv_desc and ctconv_op.
//
//   ctconv_desc  a dialect and its Arguments, unjudged; a failed set is remembered
//   ctconv_op    a valid Descriptor, the op's own weights, the caller's hooks, and the plans built so far
//   An op is immutable but for its plan cache, packed store and spare workspace, which lock themselves (never while a
//   hook runs).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capi/records.h"
#include "src/args/arguments.h"
#include "src/base/memory.h"
#include "src/base/pool.h"
#include "src/base/spare.h"
#include "src/dialect/dialect.h"
#include "src/plan/cache.h"

namespace ctconv {

class GpuOp;  // capi/gpu.h

// The op's own copy of a tensor, or a borrowed view.
struct OwnTensor {
  TensorView view;
  Buffer copy;
  bool there = false;
};

struct Options {
  std::string device = "cpu", engine = "auto";
  bool cuda = false;
  int32_t ordinal = 0;
  int32_t threads = 0, plan_limit = 32;
  size_t workspace_limit = SIZE_MAX;
  Epilogue activation;
  bool measure = false, allow_tf32 = false, borrow_weights = false;
  int32_t reproducible = 0;  // 0 any bits but reduced ones, 1 the reference's, 2 the reference's or stable ones
  int32_t math = 0;          // 1: operands may be rounded below their own type
  std::optional<ctconv_runner> runner;
  Allocator allocator;
};

// NULL: defaults. Judges everything but devices and modules.
Status read_options(const ctconv_options* in, Options* out);

}  // namespace ctconv

struct ctconv_desc {
  const ctconv::Dialect* dialect = nullptr;
  std::string version;
  ctconv::Arguments args;
  std::optional<ctconv::Status::Detail> failed_set;

  // What a failed set left, else the dialect's judgement.
  ctconv::Result<ctconv::Descriptor> interpret() const;
};

struct ctconv_op {
  ctconv_op(ctconv::Descriptor d, ctconv::Options o);
  ~ctconv_op();

  ctconv::Descriptor desc;
  ctconv::Options options;
  ctconv::Runner runner;
  std::unique_ptr<ctconv::PoolHold> pool;  // where the runner is ours
  ctconv::OwnTensor weight, bias;
  ctconv::Buffer bias_values;  // of the op's own bias, as engines want it
  mutable ctconv::PackedStore packed;
  mutable ctconv::PlanCache plans;
  mutable ctconv::SpareBuffer spare;   // the workspace of the last call that brought none
  std::unique_ptr<ctconv::GpuOp> gpu;  // device "cuda" only
};
