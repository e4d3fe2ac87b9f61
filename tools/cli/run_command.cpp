// ctconv run: one layer on one input, its time and rate, and with --check its distance from the reference engine.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "tools/cli/compare.h"
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

}  // namespace

int run_command(const Request& request) {
  std::optional<OutputFile> output;
  if (!request.output.empty()) output.emplace(request.output);
  if (output && output->is_standard_output()) text_to_standard_error();
  Progress progress("run");
  progress.step("preparing");
  const Layer layer(request, Layer::kData);
  const ctconv::Op op = layer.op(request.engine, request.reproducible);
  const ctconv_spec spec = op.output_spec(layer.x_tensor(), layer.extras());
  Array y(ctconv::dtype_of(spec), ctconv::shape_of(spec));

  progress.step("computing");
  const auto execute = [&] { op.execute(layer.x_tensor(), y.tensor(), layer.extras()); };
  const Timing time = measure(execute, request.repeat > 0 ? request.repeat : 1, 0);
  const Facts facts = layer.describe(op);
  const double flop = facts.number("flop");

  Difference difference;
  if (request.check) {
    progress.step("checking against the reference engine");
    const Array reference = layer.execute(layer.op("reference"));
    const Array magnitude = layer.magnitude();
    difference = compare(y, reference, &magnitude, terms_of(facts, y));
  }
  if (output) write_npy(*output, y);
  const Range range = range_of(y);
  const int code = request.check && !difference.explained() ? 1 : 0;
  progress.clear();

  if (request.json) {
    Json out = {{"dialect", request.dialect},
                {"engine", facts.get("engine")},
                {"form", facts.get("form")},
                {"x", {{"shape", layer.x_shape}, {"dtype", name_of(layer.x_type)}}},
                {"weight", {{"shape", layer.weight->shape()}, {"dtype", name_of(layer.weight->dtype())}}},
                {"y", json_of(spec)},
                {"time", {{"median_s", time.median}, {"best_s", time.best}, {"runs", time.runs}}},
                {"flop", flop},
                {"gflops", time.median > 0 ? flop / time.median * 1e-9 : 0}};
    if (y.elements()) out["y"].update({{"min", range.min}, {"max", range.max}, {"mean", range.mean}});
    if (layer.bias) out["bias"] = {{"shape", layer.bias->shape()}, {"dtype", name_of(layer.bias->dtype())}};
    if (output) out["output"] = output->name();
    if (request.check)
      out["check"] = {{"same_bits", difference.same_bits},         {"max_abs_error", difference.max_abs},
                      {"relative_error", difference.relative},     {"of_rounding_bound", difference.of_bound},
                      {"nonfinite_differs", difference.nonfinite}, {"ok", code == 0}};
    print_json(out);
    return code;
  }
  line("x", words(layer.x, layer.x_origin));
  line("weight", words(*layer.weight, layer.weight_origin));
  line("bias", layer.bias ? words(*layer.bias, layer.bias_origin) : "none");
  line("y", fmt::format("{} {}{}", text_of(y.shape()), name_of(y.dtype()), output ? "  -> " + output->name() : ""));
  if (y.elements()) line("", fmt::format("min {:.6g}, max {:.6g}, mean {:.6g}", range.min, range.max, range.mean));
  line("engine", fmt::format("{}: {}", facts.get("engine"), facts.get("form")));
  line("time", time.runs == 1
                   ? show_time(time.median)
                   : fmt::format("{} median of {}, best {}", show_time(time.median), time.runs, show_time(time.best)));
  line("speed", fmt::format("{} GF/s ({} of useful work)", show_rate(flop, time.median), show_flop(flop)));
  if (request.check)
    line("check", difference.same_bits ? "the same bits as the reference engine"
                                       : fmt::format("{}: largest difference from the reference {} ({} of the largest "
                                                     "value, {:.2g} of what rounding may give){}",
                                                     code == 0 ? "ok" : "FAILED", show_error(difference.max_abs),
                                                     show_error(difference.relative), difference.of_bound,
                                                     difference.nonfinite ? ", NaN or Inf in other places" : ""));
  return code;
}

}  // namespace cli
