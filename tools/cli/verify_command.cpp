// SPDX-License-Identifier: Apache-2.0
// ctconv verify: every engine against the reference on one layer. Engines that promise the reference's bits must give
// them; others must stay within what the order of rounding explains. Exit 1 where one does not.
#include <fmt/format.h>

#include "tools/cli/compare.h"
#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"
#include "tools/cli/progress.h"
#include "tools/cli/table.h"
#include "tools/cli/verdict.h"
#include "tools/cli/verify_backward.h"

namespace cli {
namespace {

std::vector<std::string> named(const std::string& engine, std::vector<std::string> cells) {
  cells.insert(cells.begin(), engine);
  return cells;
}

int verify_forward(const Request& request) {
  Progress progress("verify");
  progress.step("numbers");
  const Layer layer(request, Layer::kAnyData);
  const ctconv::Op reference_op = layer.op("reference");
  const double seconds = seconds_of(layer.describe(reference_op));
  progress.step("reference", seconds);
  const Array reference = layer.execute(reference_op);
  const double terms = terms_of(layer.describe(reference_op), reference);
  progress.step("reference on magnitudes", seconds);
  const Array magnitude = layer.magnitude();

  Table table(named("engine", Verdict::heads()));
  Json rows = Json::array();
  int code = 0;
  for (const std::string& name : engine_names()) {
    if (name == "reference") continue;
    progress.step(name);
    try {
      const ctconv::Op op = layer.op(name, request.reproducible);
      const Facts facts = layer.describe(op);
      progress.step(name, seconds_of(facts));
      const Difference difference = compare(layer.execute(op), reference, &magnitude, terms);
      const Verdict verdict(difference, facts.get("bits"), facts.get("form"));
      if (!verdict.ok()) code = 1;
      table.add(named(name, verdict.cells()));
      rows.push_back({{"engine", name}});
      verdict.write(&rows.back());
    } catch (const ctconv::error& e) {
      if (e.status() == CTCONV_ERR_MISUSE_ENGINE) continue;  // an engine of other devices
      if (!is_refusal(e)) throw;
      table.add(named(name, Verdict::refused(reason_of(e))));
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

}  // namespace

int verify_command(const Request& request) {
  return request.backward ? verify_backward(request) : verify_forward(request);
}

}  // namespace cli
