// SPDX-License-Identifier: Apache-2.0
// What hides behind ctconv_desc and ctconv_op.
//
//   ctconv_desc  a dialect and its Arguments, unjudged; a failed set is remembered
//   ctconv_op    a valid Descriptor, an activation, and the Backend that computes, with the op's own weight and bias
//   An op is immutable but for what its backend keeps between calls, which locks itself (never while a hook runs).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capi/records.h"
#include "src/args/arguments.h"
#include "src/backend/backend.h"
#include "src/dialect/dialect.h"

namespace ctconv {

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
  ctconv::Descriptor desc;
  ctconv::Activation activation;  // of the dialect's arguments, or of the options
  std::unique_ptr<ctconv::Backend> backend;
};
