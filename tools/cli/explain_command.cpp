// SPDX-License-Identifier: Apache-2.0
// ctconv explain: the formula with this layer's numbers, which engine runs it and why, why the others do not;
// with --side-by-side what every dialect makes of the same words; with --svg a picture of it.
#include <fmt/format.h>

#include <optional>

#include "tools/cli/explain_svg.h"
#include "tools/cli/fault.h"
#include "tools/cli/formula.h"
#include "tools/cli/geometry.h"
#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/output_file.h"
#include "tools/cli/overlap.h"
#include "tools/cli/print.h"
#include "tools/cli/svg.h"
#include "tools/cli/table.h"

namespace cli {
namespace {

std::string call_text(const std::string& dialect, const Arguments& args) {
  std::string out = dialect + "(";
  for (size_t i = 0; i < args.items.size(); ++i)
    out += (i ? ", " : "") + args.items[i].first + "=" + text_of(args.items[i].second);
  return out + ")";
}

Json axes_of(const Numbers& n) {
  Json axes = Json::array();
  for (size_t a = 0; a < n.rank(); ++a)
    axes.push_back({{"axis", axis_name(n.rank(), a)},
                    {"i", n.i[a]},
                    {"k", n.k[a]},
                    {"s", n.s[a]},
                    {"d", n.d[a]},
                    {"lo", n.lo[a]},
                    {"hi", n.hi(a)},
                    {"tail", n.tail[a]},
                    {"o", n.o[a] + n.tail[a]},
                    {"formula", n.formula(a)}});
  return axes;
}

// Every engine on this layer: chosen, able, or refusing with its reason.
Json engines(const Layer& layer, const std::string& chosen, int reproducible, Table* table) {
  Json rows = Json::array();
  for (const std::string& name : engine_names()) {
    try {
      const Facts facts = layer.describe(layer.op(name, reproducible));
      table->add({name, name == chosen ? "chosen" : "able", show_time(facts.number("estimated_ms") * 1e-3),
                  facts.get("form")});
      rows.push_back({{"engine", name},
                      {"able", true},
                      {"estimated_ms", facts.number("estimated_ms")},
                      {"form", facts.get("form")}});
    } catch (const ctconv::error& e) {
      if (!is_refusal(e)) throw;
      table->add({name, "refuses", "", reason_of(e)});
      rows.push_back({{"engine", name}, {"able", false}, {"refused", json_of(e)}});
    }
  }
  return rows;
}

Numbers lower(const std::string& dialect, const Wording& wording, ctconv_spec* y) {
  const ctconv::Desc desc = make_desc(dialect, wording.arguments);
  const ctconv::Tensor x(nullptr, ctconv::kFloat32, wording.x);
  const ctconv::Tensor weight(nullptr, ctconv::kFloat32, wording.weight);
  const ctconv::Op op(desc);
  ctconv::CallExtras extras;
  if (!wording.weight.empty()) extras.weight = &weight;
  *y = op.output_spec(x, extras);
  return numbers_of(Facts(op.describe(x, extras)).get("problem"));
}

Json side_by_side(const Geometry& g, std::string* text) {
  std::vector<std::string> columns{"dialect"};
  for (size_t a = 0; a < g.rank(); ++a) columns.push_back(axis_name(g.rank(), a));
  columns.push_back("");
  Table table(columns);
  Json rows = Json::array();
  for (int32_t i = 0; i < ctconv_dialect_count(); ++i) {
    const std::string dialect = ctconv_dialect_name(i);
    const size_t rank = rank_of_dialect(dialect);
    if (rank != 0 && rank != g.rank()) continue;
    std::vector<std::string> cells{dialect};
    Json row = {{"dialect", dialect}};
    try {
      const Wording wording = write_geometry(dialect, g);
      row["call"] = call_text(dialect, wording.arguments);
      ctconv_spec y{};
      const Numbers n = lower(dialect, wording, &y);
      for (size_t a = 0; a < n.rank(); ++a) cells.push_back(n.short_formula(a));
      row["y"] = ctconv::shape_of(y);
      row["axes"] = axes_of(n);
    } catch (const Fault& e) {
      cells.push_back(std::string("cannot say it: ") + e.what());
      row["cannot_say"] = e.what();
    } catch (const ctconv::error& e) {
      cells.push_back(std::string("refuses: ") + e.name());
      row["refused"] = json_of(e);
    }
    table.add(cells);
    rows.push_back(row);
  }
  *text = table.text();
  return rows;
}

// Zeros where the dialect has none, or where it was not what made the extent.
std::vector<int64_t> output_padding_of(const Request& request, const Layer& layer, const Numbers& n) {
  const Geometry g = read_geometry(request.dialect, layer, n);
  if (g.mode != Geometry::kExplicit || !g.output_padding) return std::vector<int64_t>(n.rank(), 0);
  return *g.output_padding;
}

// What is known of one layer.
struct Explained {
  const Request& request;
  const Layer& layer;
  std::vector<int64_t> y;
  Facts facts;
  Numbers numbers;
  Overlap overlap;
  std::string call;
  Json engine_rows, dialect_rows;
  std::string engine_text, dialect_text;
  std::string picture;  // name of the file written; empty: none

  std::string shapes() const { return fmt::format("x {} -> y {}", text_of(layer.x_shape), text_of(y)); }
};

Json json_of_layer(const Explained& e) {
  Json out = {{"dialect", e.request.dialect}, {"call", e.call},
              {"x", e.layer.x_shape},         {"y", e.y},
              {"axes", axes_of(e.numbers)},   {"overlap", json_of(e.overlap, e.numbers)},
              {"describe", json_of(e.facts)}, {"engines", e.engine_rows}};
  if (e.request.side_by_side) out["dialects"] = e.dialect_rows;
  if (!e.picture.empty()) out["picture"] = e.picture;
  return out;
}

void print_formula(const Explained& e) {
  const Numbers& n = e.numbers;
  print("extent  o = (i - 1)*s + d*(k - 1) + 1 - lo - hi\n");
  for (size_t a = 0; a < n.rank(); ++a) print("  {}     {}\n", axis_name(n.rank(), a), n.formula(a));
  print(
      "        lo, hi: rows cropped in front and behind (hi is padding minus output_padding; added rows have no "
      "crop)\n");
  print(
      "value   y[n, c, o] = bias[c] + sum over {} input channel{} and the pairs (i, t) with i*s + t*d - lo == o\n"
      "                     of x[n, ci, i] * weight[ci, c, t]\n",
      n.ci,
      n.ci == 1 ? "" : fmt::format("s{}", n.groups > 1 ? fmt::format(" of the group ({} groups)", n.groups) : ""));
  const std::vector<std::string> overlap = lines_of(e.overlap, n);
  print("overlap {}\n", overlap[0]);
  for (size_t a = 0; a < n.rank(); ++a) print("  {}     {}\n", axis_name(n.rank(), a), overlap[a + 1]);
}

void print_engine(const Explained& e) {
  const Facts& facts = e.facts;
  const double seconds = facts.number("estimated_ms") * 1e-3, threads = facts.number("threads");
  // An engine of a device has no threads.
  const std::string where = threads > 0 ? fmt::format(" on {:.0f} thread{}", threads, threads == 1 ? "" : "s") : "";
  print("short   {} runs this layer{}, in about {} ({} GF/s) by its own estimate\n", facts.get("engine"), where,
        show_time(seconds), show_rate(facts.number("flop"), seconds));
  print("engine  {}: {}\nbits    {}\nwhy     {}\nmemory  {} workspace, {} packed weight\nproblem {}\n\n{}",
        facts.get("engine"), facts.get("form"), facts.get("bits"), facts.get("why"),
        show_bytes(facts.number("workspace_bytes")), show_bytes(facts.number("packed_bytes")), facts.get("problem"),
        e.engine_text);
}

void print_layer(const Explained& e) {
  print("{}\n{}\n\n", e.call, e.shapes());
  print_formula(e);
  print("work    {} that no direct method can avoid, {} moved once\n\n", show_flop(e.facts.number("flop")),
        show_bytes(e.facts.number("bytes")));
  print_engine(e);
  if (e.request.side_by_side)
    print("\nthe same words in every dialect of this rank: o = (i-1)*s + d*(k-1) + 1 - lo - hi\n{}", e.dialect_text);
  if (!e.picture.empty()) print("\npicture {}\n", e.picture);
}

}  // namespace

int explain_command(const Request& request) {
  std::optional<OutputFile> picture;
  if (!request.picture.empty()) picture.emplace(request.picture);
  if (picture && picture->is_standard_output()) text_to_standard_error();
  const Layer layer(request, Layer::kWeights);
  const ctconv::Op op = layer.op(request.engine, request.reproducible);
  const ctconv_spec y = op.output_spec(layer.x_tensor(), layer.extras());
  const Facts facts = layer.describe(op);
  const Numbers n = numbers_of(facts.get("problem"));
  Explained e{
      request, layer, ctconv::shape_of(y), facts, n, overlap_of(n), call_text(request.dialect, layer.arguments)};
  Table table({"engine", "", ">estimated", "form or reason"});
  e.engine_rows = engines(layer, facts.get("engine"), request.reproducible, &table);
  e.engine_text = table.text();
  if (request.side_by_side) {
    e.dialect_rows = side_by_side(read_geometry(request.dialect, layer, n), &e.dialect_text);
  }
  if (picture) {
    write_picture(*picture, layer_svg(e.call, e.shapes(), n, e.overlap, output_padding_of(request, layer, n)));
    e.picture = picture->name();
  }
  if (request.json) {
    print_json(json_of_layer(e));
  } else {
    print_layer(e);
  }
  return 0;
}

}  // namespace cli
