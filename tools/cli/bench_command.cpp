// ctconv bench: time and useful GF/s of every engine, on one layer or on a JSON file of layers (bench/layers.json).
//
//   The file is layers_file.h's; its layers run in the `ctconv` dialect.
#include <fmt/format.h>

#include "tools/cli/fault.h"
#include "tools/cli/layer.h"
#include "tools/cli/layers_file.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"
#include "tools/cli/progress.h"
#include "tools/cli/table.h"
#include "tools/cli/timing.h"

namespace cli {
namespace {

// auto: every engine but the reference, which is slow; else the one named.
std::vector<std::string> engines_of(const Request& request) {
  if (request.engine == "auto") {
    std::vector<std::string> names{"auto"};
    for (const auto& name : engine_names())
      if (name != "reference") names.push_back(name);
    return names;
  }
  return {request.engine};
}

struct Row {
  std::string engine, form, refused;
  double flop = 0;
  Timing time;
};

std::vector<Row> bench(const Layer& layer, const Request& request, Progress& progress, const std::string& id) {
  std::vector<Row> rows;
  for (const std::string& name : engines_of(request)) {
    progress.step(id + " " + name);
    Row row;
    row.engine = name;
    try {
      const ctconv::Op op = layer.op(name, request.reproducible);
      const Facts facts = layer.describe(op);
      const ctconv_spec spec = op.output_spec(layer.x_tensor(), layer.extras());
      Array y(ctconv::dtype_of(spec), ctconv::shape_of(spec));
      const ctconv::Tensor x = layer.x_tensor(), ty = y.tensor();
      row.time = measure([&] { op.execute(x, ty, layer.extras()); }, request.repeat, request.seconds);
      row.flop = facts.number("flop");
      row.form = (name == "auto" ? facts.get("engine") + ": " : "") + facts.get("form");
    } catch (const ctconv::error& e) {
      if (e.status() == CTCONV_ERR_MISUSE_ENGINE && request.engine == "auto") continue;  // an engine of other devices
      if (!is_refusal(e) || request.engine != "auto") throw;
      row.refused = reason_of(e);
    }
    rows.push_back(row);
  }
  return rows;
}

Json json_of_rows(const std::vector<Row>& rows) {
  Json out = Json::array();
  for (const Row& r : rows) {
    if (!r.refused.empty())
      out.push_back({{"engine", r.engine}, {"refused", r.refused}});
    else
      out.push_back({{"engine", r.engine},
                     {"form", r.form},
                     {"median_s", r.time.median},
                     {"best_s", r.time.best},
                     {"runs", r.time.runs},
                     {"flop", r.flop},
                     {"gflops", r.flop / r.time.median * 1e-9}});
  }
  return out;
}

// Rows of a file of layers come one by one, so the columns are as wide as they may get. No rows: the header.
void print_rows(const std::string& id, const std::vector<Row>& rows) {
  constexpr const char* kRow = "{:<26} {:<10} {:>10} {:>10} {:>8}  {}\n";
  if (rows.empty()) print(kRow, "layer", "engine", "median", "best", "GF/s", "form");
  for (const Row& r : rows) {
    const std::string label = &r == rows.data() ? id : "";
    if (!r.refused.empty())
      print(kRow, label, r.engine, "", "", "", "refuses: " + r.refused);
    else
      print(kRow, label, r.engine, show_time(r.time.median), show_time(r.time.best), show_rate(r.flop, r.time.median),
            r.form);
  }
  finish_text();
}

int bench_file(const Request& request) {
  const std::vector<NamedRequest> layers = read_layers(request);
  Progress progress("bench");
  Json out = Json::array();
  for (const auto& [id, one] : layers) {
    const Layer layer(one, Layer::kAnyData);
    const auto rows = bench(layer, one, progress, fmt::format("{} ({} of {})", id, out.size() + 1, layers.size()));
    progress.clear();
    if (!request.json && out.empty()) print_rows("", {});
    if (!request.json) print_rows(id, rows);
    out.push_back({{"id", id}, {"engines", json_of_rows(rows)}});
  }
  if (request.json) print_json(out);
  return 0;
}

}  // namespace

int bench_command(const Request& request) {
  if (!request.layers.empty()) return bench_file(request);
  if (request.dialect.empty()) throw Fault("OPTION", "a dialect and its arguments, or --layers FILE, is needed");
  Progress progress("bench");
  const Layer layer(request, Layer::kAnyData);
  const auto rows = bench(layer, request, progress, request.dialect);
  progress.clear();
  if (!request.json) print_rows("", {});
  if (request.json)
    print_json({{"dialect", request.dialect}, {"x", layer.x_shape}, {"engines", json_of_rows(rows)}});
  else
    print_rows(text_of(layer.x_shape), rows);
  return 0;
}

}  // namespace cli
