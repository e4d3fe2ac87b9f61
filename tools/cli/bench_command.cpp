// SPDX-License-Identifier: Apache-2.0
// ctconv bench: time and useful GF/s of every engine, on one layer or on a JSON file of layers (bench/layers.json).
//
//   With --backward three rows an engine: dx; dw with db; all of them in one call.
//   With --plot the same rows as a picture (bench_plot.h), written when all are there.
//   The file is layers_file.h's; its layers run in the `ctconv` dialect.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "tools/cli/bench_plot.h"
#include "tools/cli/fault.h"
#include "tools/cli/gradients.h"
#include "tools/cli/input.h"
#include "tools/cli/layer.h"
#include "tools/cli/layers_file.h"
#include "tools/cli/output.h"
#include "tools/cli/output_file.h"
#include "tools/cli/print.h"
#include "tools/cli/progress.h"
#include "tools/cli/svg.h"
#include "tools/cli/table.h"

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

void time_forward(const Layer& layer, const Request& request, BenchRow* row) {
  const ctconv::Op op = layer.op(row->engine, request.reproducible);
  const Facts facts = layer.describe(op);
  const ctconv_spec spec = op.output_spec(layer.x_tensor(), layer.extras());
  Array y(ctconv::dtype_of(spec), ctconv::shape_of(spec));
  const ctconv::Tensor x = layer.x_tensor(), ty = y.tensor();
  row->time = measure([&] { op.execute(x, ty, layer.extras()); }, request.repeat, request.seconds);
  row->flop = facts.number("flop");
  row->bytes = facts.number("bytes");
  row->threads = facts.number("threads");
  row->form = (row->engine == "auto" ? facts.get("engine") + ": " : "") + facts.get("form");
}

// The plans of a backward call, dx's first: "native: rows; native: blocks".
std::string forms_of(const Facts& facts, bool engines) {
  std::string out;
  for (const std::string plan : {"dx", "dw"}) {
    if (facts.get(plan + ".engine").empty()) continue;
    out += (out.empty() ? "" : "; ") + (engines ? facts.get(plan + ".engine") + ": " : "") + facts.get(plan + ".form");
  }
  return out;
}

void time_backward(const Layer& layer, const Request& request, const Gradients& gradients, Wanted wanted,
                   BenchRow* row) {
  const ctconv::Op op = layer.op(row->engine, request.reproducible);
  const Facts facts = gradients.describe(op, wanted);
  Written written = gradients.allocate(wanted);
  row->time = measure([&] { gradients.run(op, &written); }, request.repeat, request.seconds);
  row->flop = flop_of(facts);
  row->bytes = facts.number("dx.bytes") + facts.number("dw.bytes");
  row->threads = std::max(facts.number("dx.threads"), facts.number("dw.threads"));
  row->form = forms_of(facts, row->engine == "auto");
}

class Bench {
 public:
  Bench(const Layer& layer, const Request& request, Progress& progress, const std::string& id)
      : layer_(layer), request_(request), progress_(progress), id_(id) {
    if (request.backward) gradients_.emplace(layer, layer.op("auto"));
  }

  std::vector<BenchRow> rows() {
    for (const std::string& name : engines_of(request_)) {
      if (!request_.backward) {
        add({name}, [&](BenchRow* row) { time_forward(layer_, request_, row); });
        continue;
      }
      for (const Wanted wanted : kWanted) {
        add({name, name_of(wanted)}, [&](BenchRow* row) { time_backward(layer_, request_, *gradients_, wanted, row); });
      }
    }
    return std::move(rows_);
  }

 private:
  template <class Timed>
  void add(BenchRow row, Timed&& timed) {
    progress_.step(id_ + " " + row.label());
    try {
      timed(&row);
    } catch (const ctconv::error& e) {
      if (e.status() == CTCONV_ERR_MISUSE_ENGINE && request_.engine == "auto") return;  // an engine of other devices
      if (!is_refusal(e) || request_.engine != "auto") throw;
      row.refused = reason_of(e);
    }
    rows_.push_back(row);
  }

  const Layer& layer_;
  const Request& request_;
  Progress& progress_;
  std::string id_;
  std::optional<Gradients> gradients_;
  std::vector<BenchRow> rows_;
};

Json json_of_rows(const std::vector<BenchRow>& rows) {
  Json out = Json::array();
  for (const BenchRow& r : rows) {
    Json row = {{"engine", r.engine}};
    if (!r.gradient.empty()) row["gradient"] = r.gradient;
    if (!r.refused.empty()) {
      row["refused"] = r.refused;
    } else {
      row.update({{"form", r.form},
                  {"median_s", r.time.median},
                  {"best_s", r.time.best},
                  {"runs", r.time.runs},
                  {"flop", r.flop},
                  {"gflops", r.flop / r.time.median * 1e-9}});
    }
    out.push_back(row);
  }
  return out;
}

// Rows of a file of layers come one by one, so the columns are as wide as they may get. No rows: the header.
void print_rows(const std::string& id, const std::vector<BenchRow>& rows) {
  constexpr const char* kRow = "{:<26} {:<13} {:>10} {:>10} {:>8}  {}\n";
  if (rows.empty()) print(kRow, "layer", "engine", "median", "best", "GF/s", "form");
  for (const BenchRow& r : rows) {
    const std::string label = &r == rows.data() ? id : "";
    if (!r.refused.empty())
      print(kRow, label, r.label(), "", "", "", "refuses: " + r.refused);
    else
      print(kRow, label, r.label(), show_time(r.time.median), show_time(r.time.best), show_rate(r.flop, r.time.median),
            r.form);
  }
  finish_text();
}

// What --plot asks for; nothing without it. Refuses a place that cannot be written before anything is timed.
class Plotting {
 public:
  explicit Plotting(const Request& request) {
    if (request.picture.empty()) return;
    file_.emplace(request.picture);
    if (file_->is_standard_output()) text_to_standard_error();
  }
  void add(const std::string& id, const Layer& layer, const std::vector<BenchRow>& rows) {
    if (file_) layers_.push_back({id, layer.x_type, rows});
  }
  // The name of the file written; empty: none.
  std::string write(const std::string& title) {
    if (!file_) return "";
    write_picture(*file_, bench_svg(title, layers_, machine_record()));
    return file_->name();
  }

 private:
  std::optional<OutputFile> file_;
  std::vector<BenchLayer> layers_;
};

void say_picture(const std::string& name) {
  if (!name.empty()) print("picture {}\n", name);
}

// What can be known of a layer without its numbers: arguments, shapes, activation, the engine's name.
void judge(const Request& request) {
  const Layer layer(request, Layer::kShapes);
  const ctconv::Tensor x = layer.x_tensor();
  const ctconv::WeightSpec spec = layer.desc.weight_spec(&x);
  const ctconv::Tensor weight(nullptr, ctconv::dtype_of(spec.weight), ctconv::shape_of(spec.weight));
  ctconv::CallExtras extras = layer.extras();
  extras.weight = &weight;
  (void)ctconv::Op(layer.desc, layer.options(request.engine.c_str(), request.reproducible)).output_spec(x, extras);
}

// All of them before the first is timed; a refusal names the layer.
void judge_all(const Request& request, const std::vector<NamedRequest>& layers) {
  for (const NamedRequest& layer : layers) {
    const std::string place = fmt::format("{}: layer '{}': ", input_name(request.layers), layer.id);
    try {
      judge(layer.request);
    } catch (const ctconv::error& e) {
      ctconv_error record = e.record();
      const std::string text = place + record.message;
      std::snprintf(record.message, sizeof record.message, "%s", text.c_str());
      throw ctconv::error(record);
    } catch (const Fault& e) {
      throw Fault(e.name(), place + e.what());
    }
  }
}

int bench_file(const Request& request, Plotting* plotting) {
  const std::vector<NamedRequest> layers = read_layers(request);
  judge_all(request, layers);
  Progress progress("bench");
  Json out = Json::array();
  for (const auto& [id, one] : layers) {
    const Layer layer(one, Layer::kAnyData);
    const std::string label = fmt::format("{} ({} of {})", id, out.size() + 1, layers.size());
    const auto rows = Bench(layer, one, progress, label).rows();
    progress.part(out.size() + 1, layers.size());
    progress.clear();
    if (!request.json && out.empty()) print_rows("", {});
    if (!request.json) print_rows(id, rows);
    plotting->add(id, layer, rows);
    out.push_back({{"id", id}, {"engines", json_of_rows(rows)}});
  }
  const std::string picture = plotting->write("ctconv bench --layers " + input_name(request.layers));
  if (request.json)
    print_json(out);
  else
    say_picture(picture);
  return 0;
}

}  // namespace

int bench_command(const Request& request) {
  Plotting plotting(request);
  if (!request.layers.empty()) return bench_file(request, &plotting);
  if (request.dialect.empty()) throw Fault("OPTION", "a dialect and its arguments, or --layers FILE, is needed");
  Progress progress("bench");
  const Layer layer(request, Layer::kAnyData);
  const auto rows = Bench(layer, request, progress, request.dialect).rows();
  progress.clear();
  plotting.add("x " + text_of(layer.x_shape), layer, rows);
  const std::string picture = plotting.write("ctconv bench " + request.dialect + " " + request.arguments);
  if (request.json) {
    Json out = {{"dialect", request.dialect}, {"x", layer.x_shape}, {"engines", json_of_rows(rows)}};
    if (!picture.empty()) out["picture"] = picture;
    print_json(out);
    return 0;
  }
  print_rows("", {});
  print_rows(text_of(layer.x_shape), rows);
  say_picture(picture);
  return 0;
}

}  // namespace cli
