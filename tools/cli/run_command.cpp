// SPDX-License-Identifier: Apache-2.0
// ctconv run: one layer on one input, its time and rate, and with --check its distance from the reference engine.
// With --begin and --end one region of y.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "tools/cli/compare.h"
#include "tools/cli/fault.h"
#include "tools/cli/layer.h"
#include "tools/cli/npy.h"
#include "tools/cli/output.h"
#include "tools/cli/output_file.h"
#include "tools/cli/print.h"
#include "tools/cli/progress.h"
#include "tools/cli/table.h"
#include "tools/cli/timing.h"

namespace cli {
namespace {

struct Range {
  double min = INFINITY, max = -INFINITY, mean = 0;
};

Range range_of(const Array& a) {
  Range r;
  for (size_t i = 0; i < a.elements(); ++i) {
    const double v = a.get(i);
    r.min = std::fmin(r.min, v);
    r.max = std::fmax(r.max, v);
    r.mean += v;
  }
  if (a.elements()) r.mean /= static_cast<double>(a.elements());
  return r;
}

void line(const char* key, const std::string& text) { print("{:<9} {}\n", key, text); }

std::string words(const Array& a, const std::string& origin) {
  return fmt::format("{} {}  ({})", text_of(a.shape()), name_of(a.dtype()), origin);
}

// What a run leaves to tell.
struct Run {
  const Request& request;
  const Layer& layer;
  Array y;
  ctconv_spec spec;
  Timing time;
  Facts facts;
  Difference difference;  // where the request asks for a check
  Range range;
  std::string output;  // name of the file written; empty: none

  bool failed() const { return request.check && !difference.explained(); }
  double flop() const { return facts.number("flop"); }
};

Json json_of_run(const Run& run) {
  const Layer& layer = run.layer;
  const Timing& time = run.time;
  const double flop = run.flop();
  Json out = {{"dialect", run.request.dialect},
              {"engine", run.facts.get("engine")},
              {"form", run.facts.get("form")},
              {"x", {{"shape", layer.x_shape}, {"dtype", name_of(layer.x_type)}}},
              {"weight", {{"shape", layer.weight->shape()}, {"dtype", name_of(layer.weight->dtype())}}},
              {"y", json_of(run.spec)},
              {"time", {{"median_s", time.median}, {"best_s", time.best}, {"runs", time.runs}}},
              {"flop", flop},
              {"gflops", time.median > 0 ? flop / time.median * 1e-9 : 0}};
  if (run.y.elements()) {
    out["y"].update({{"min", run.range.min}, {"max", run.range.max}, {"mean", run.range.mean}});
  }
  if (layer.bias) out["bias"] = {{"shape", layer.bias->shape()}, {"dtype", name_of(layer.bias->dtype())}};
  if (!run.output.empty()) out["output"] = run.output;
  if (!layer.begin.empty()) out["region"] = {{"begin", layer.begin}, {"end", layer.end}};
  if (run.request.check) {
    const Difference& d = run.difference;
    out["check"] = {{"same_bits", d.same_bits},         {"max_abs_error", d.max_abs},
                    {"relative_error", d.relative},     {"of_rounding_bound", d.of_bound},
                    {"nonfinite_differs", d.nonfinite}, {"ok", !run.failed()}};
  }
  return out;
}

std::string check_text(const Run& run) {
  const Difference& d = run.difference;
  if (d.same_bits) return "the same bits as the reference engine";
  return fmt::format(
      "{}: largest difference from the reference {} ({} of the largest value, {:.2g} of what rounding may give){}",
      run.failed() ? "FAILED" : "ok", show_error(d.max_abs), show_error(d.relative), d.of_bound,
      d.nonfinite ? ", NaN or Inf in other places" : "");
}

void print_lines(const Run& run) {
  const Layer& layer = run.layer;
  const Timing& time = run.time;
  const std::string written = run.output.empty() ? "" : "  -> " + run.output;
  line("x", words(layer.x, layer.x_origin));
  line("weight", words(*layer.weight, layer.weight_origin));
  line("bias", layer.bias ? words(*layer.bias, layer.bias_origin) : "none");
  if (!layer.begin.empty()) line("region", text_of(layer.begin) + " to " + text_of(layer.end) + " of y");
  line("y", fmt::format("{} {}{}", text_of(run.y.shape()), name_of(run.y.dtype()), written));
  if (run.y.elements()) {
    line("", fmt::format("min {:.6g}, max {:.6g}, mean {:.6g}", run.range.min, run.range.max, run.range.mean));
  }
  line("engine", fmt::format("{}: {}", run.facts.get("engine"), run.facts.get("form")));
  std::string times = show_time(time.median);
  if (time.runs > 1) times += fmt::format(" median of {}, best {}", time.runs, show_time(time.best));
  line("time", times);
  line("speed", fmt::format("{} GF/s ({} of useful work)", show_rate(run.flop(), time.median), show_flop(run.flop())));
  if (run.request.check) line("check", check_text(run));
}

}  // namespace

int run_command(const Request& request) {
  if (request.tiles) return run_tiles_command(request);
  if (request.fresh || request.progress || !request.tile.empty() || !request.memory.empty())
    throw Fault("OPTION", "--memory, --tile, --fresh and --progress go with --tiles");
  std::optional<OutputFile> output;
  if (!request.output.empty()) output.emplace(request.output);
  if (output && output->is_standard_output()) text_to_standard_error();
  Progress progress("run");
  progress.step("preparing");
  Layer layer(request, Layer::kData);
  const ctconv::Op op = layer.op(request.engine, request.reproducible);
  layer.read_region(op);
  const ctconv_spec spec = op.output_spec(layer.x_tensor(), layer.extras());
  Array y(ctconv::dtype_of(spec), ctconv::shape_of(spec));

  const int repeat = request.repeat > 0 ? request.repeat : 1;
  progress.step("computing", seconds_of(layer.describe(op)) * (repeat + 1));
  const auto execute = [&] { op.execute(layer.x_tensor(), y.tensor(), layer.extras()); };
  const Timing time = measure(execute, repeat, 0);
  Facts facts = layer.describe(op);

  Difference difference;
  if (request.check) {
    const ctconv::Op reference_op = layer.op("reference");
    // Twice: on the numbers, then on their magnitudes.
    progress.step("checking against the reference engine", seconds_of(layer.describe(reference_op)) * 2);
    const Array reference = layer.execute(reference_op);
    const Array magnitude = layer.magnitude();
    difference = compare(y, reference, &magnitude, terms_of(facts, y));
  }
  if (output) write_npy(*output, y);
  const Range range = range_of(y);
  progress.clear();

  const Run run{
      request, layer, std::move(y), spec, time, std::move(facts), difference, range, output ? output->name() : ""};
  if (request.json) {
    print_json(json_of_run(run));
  } else {
    print_lines(run);
  }
  return run.failed() ? 1 : 0;
}

}  // namespace cli
