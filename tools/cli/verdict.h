// SPDX-License-Identifier: Apache-2.0
// One engine's result beside the reference's: whether it keeps its promise, as cells of a table and as JSON.
//
//   An engine that promises the reference's bits must give them; another must stay within what the order of rounding
//   explains (compare.h).
#pragma once

#include <string>
#include <vector>

#include "tools/cli/compare.h"
#include "tools/cli/output.h"

namespace cli {

class Verdict {
 public:
  // bits, form: what the engine says of its plan.
  Verdict(const Difference& difference, std::string bits, std::string form);
  bool ok() const { return ok_; }
  // Behind the engine's name: bits, result, largest error, relative error, share of the bound, form.
  std::vector<std::string> cells() const;
  void write(Json* row) const;

  // The heads of those cells, and the cells of an engine that refuses.
  static std::vector<std::string> heads() {
    return {"bits", "result", ">max error", ">relative", ">of bound", "form or reason"};
  }
  static std::vector<std::string> refused(const std::string& reason) { return {"", "refuses", "", "", "", reason}; }

 private:
  std::string word() const;
  Difference difference_;
  std::string bits_, form_;
  bool exact_, ok_;
};

}  // namespace cli
