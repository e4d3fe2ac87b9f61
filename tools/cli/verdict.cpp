// SPDX-License-Identifier: Apache-2.0
// Words and numbers of a verdict; see verdict.h.
#include "tools/cli/verdict.h"

#include <fmt/format.h>

#include <utility>

#include "tools/cli/table.h"

namespace cli {

Verdict::Verdict(const Difference& difference, std::string bits, std::string form)
    : difference_(difference), bits_(std::move(bits)), form_(std::move(form)) {
  exact_ = bits_ == "reference";
  ok_ = exact_ ? difference.same_bits : difference.explained();
}

std::string Verdict::word() const {
  if (difference_.same_bits) return "same bits";
  if (ok_) return "ok";
  if (difference_.nonfinite) return "NaN or Inf DIFFERS";
  return exact_ ? "DIFFERS" : "FAILED";
}

std::vector<std::string> Verdict::cells() const {
  const Difference& d = difference_;
  return {bits_, word(), show_error(d.max_abs), show_error(d.relative), fmt::format("{:.2g}", d.of_bound), form_};
}

void Verdict::write(Json* row) const {
  const Difference& d = difference_;
  row->update({{"ok", ok_},
               {"same_bits", d.same_bits},
               {"promises_bits", exact_},
               {"bits", bits_},
               {"max_abs_error", d.max_abs},
               {"relative_error", d.relative},
               {"of_rounding_bound", d.of_bound},
               {"nonfinite_differs", d.nonfinite},
               {"form", form_}});
}

}  // namespace cli
