// SPDX-License-Identifier: Apache-2.0
// ctconv explain: the formula with this layer's numbers, which engine runs it and why, why the others do not;
// with --side-by-side what every dialect makes of the same words.
#include <fmt/format.h>

#include "tools/cli/fault.h"
#include "tools/cli/formula.h"
#include "tools/cli/geometry.h"
#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"
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

}  // namespace

int explain_command(const Request& request) {
  const Layer layer(request, Layer::kWeights);
  const ctconv::Op op = layer.op(request.engine, request.reproducible);
  const ctconv_spec y = op.output_spec(layer.x_tensor(), layer.extras());
  const Facts facts = layer.describe(op);
  const Numbers n = numbers_of(facts.get("problem"));
  Table table({"engine", "", ">estimated", "form or reason"});
  const Json engine_rows = engines(layer, facts.get("engine"), request.reproducible, &table);
  std::string dialect_text;
  Json dialect_rows;
  if (request.side_by_side) dialect_rows = side_by_side(read_geometry(request.dialect, layer, n), &dialect_text);

  if (request.json) {
    Json out = {{"dialect", request.dialect}, {"call", call_text(request.dialect, layer.arguments)},
                {"x", layer.x_shape},         {"y", ctconv::shape_of(y)},
                {"axes", axes_of(n)},         {"describe", json_of(facts)},
                {"engines", engine_rows}};
    if (request.side_by_side) out["dialects"] = dialect_rows;
    print_json(out);
    return 0;
  }
  print("{}\nx {} -> y {}\n\n", call_text(request.dialect, layer.arguments), text_of(layer.x_shape),
        text_of(ctconv::shape_of(y)));
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
  print("work    {} that no direct method can avoid, {} moved once\n\n", show_flop(facts.number("flop")),
        show_bytes(facts.number("bytes")));
  const double seconds = facts.number("estimated_ms") * 1e-3, threads = facts.number("threads");
  // An engine of a device has no threads.
  const std::string where = threads > 0 ? fmt::format(" on {:.0f} thread{}", threads, threads == 1 ? "" : "s") : "";
  print("short   {} runs this layer{}, in about {} ({} GF/s) by its own estimate\n", facts.get("engine"), where,
        show_time(seconds), show_rate(facts.number("flop"), seconds));
  print("engine  {}: {}\nbits    {}\nwhy     {}\nmemory  {} workspace, {} packed weight\nproblem {}\n\n{}",
        facts.get("engine"), facts.get("form"), facts.get("bits"), facts.get("why"),
        show_bytes(facts.number("workspace_bytes")), show_bytes(facts.number("packed_bytes")), facts.get("problem"),
        table.text());
  if (request.side_by_side)
    print("\nthe same words in every dialect of this rank: o = (i-1)*s + d*(k-1) + 1 - lo - hi\n{}", dialect_text);
  return 0;
}

}  // namespace cli
