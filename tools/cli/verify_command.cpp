// ctconv verify: every engine against the reference on one layer. Engines that promise the reference's bits must give
// them; others must stay within what the order of rounding explains. Exit 1 where one does not.
#include <fmt/format.h>

#include "tools/cli/compare.h"
#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"
#include "tools/cli/progress.h"
#include "tools/cli/table.h"

namespace cli {
namespace {

std::string verdict(const Difference& d, bool ok, bool exact) {
  if (d.same_bits) return "same bits";
  if (ok) return "ok";
  if (d.nonfinite) return "NaN or Inf DIFFERS";
  return exact ? "DIFFERS" : "FAILED";
}

}  // namespace

int verify_command(const Request& request) {
  Progress progress("verify");
  progress.step("reference");
  const Layer layer(request, Layer::kAnyData);
  const ctconv::Op reference_op = layer.op("reference");
  const Array reference = layer.execute(reference_op);
  const double terms = terms_of(layer.describe(reference_op), reference);
  progress.step("reference on magnitudes");
  const Array magnitude = layer.magnitude();

  Table table({"engine", "bits", "result", ">max error", ">relative", ">of bound", "form or reason"});
  Json rows = Json::array();
  int code = 0;
  for (const std::string& name : engine_names()) {
    if (name == "reference") continue;
    progress.step(name);
    try {
      const ctconv::Op op = layer.op(name, request.reproducible);
      const Facts facts = layer.describe(op);
      const Difference d = compare(layer.execute(op), reference, &magnitude, terms);
      const bool exact = facts.get("bits") == "reference";
      const bool ok = exact ? d.same_bits : d.explained();
      if (!ok) code = 1;
      table.add({name, facts.get("bits"), verdict(d, ok, exact), show_error(d.max_abs), show_error(d.relative),
                 fmt::format("{:.2g}", d.of_bound), facts.get("form")});
      rows.push_back({{"engine", name},
                      {"ok", ok},
                      {"same_bits", d.same_bits},
                      {"promises_bits", exact},
                      {"bits", facts.get("bits")},
                      {"max_abs_error", d.max_abs},
                      {"relative_error", d.relative},
                      {"of_rounding_bound", d.of_bound},
                      {"nonfinite_differs", d.nonfinite},
                      {"form", facts.get("form")}});
    } catch (const ctconv::error& e) {
      if (e.status() == CTCONV_ERR_MISUSE_ENGINE) continue;  // an engine of other devices
      if (!is_refusal(e)) throw;
      table.add({name, "", "refuses", "", "", "", reason_of(e)});
      rows.push_back({{"engine", name}, {"refused", json_of(e)}});
    }
  }
  progress.clear();
  if (request.json) {
    print_json({{"dialect", request.dialect},
                {"x", layer.x_shape},
                {"y", reference.shape()},
                {"reference", layer.describe(reference_op).get("form")},
                {"engines", rows},
                {"ok", code == 0}});
  } else {
    print("{} -> {} {}, {:.0f} products per output\n\n{}", text_of(layer.x_shape), text_of(reference.shape()),
          name_of(reference.dtype()), terms, table.text());
  }
  return code;
}

}  // namespace cli
