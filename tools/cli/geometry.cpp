// Dialects spell the same argument differently; which spelling one has is asked of the library.
#include "tools/cli/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tools/cli/fault.h"

namespace cli {
namespace {

using ctconv::Value;
using Sizes = std::vector<int64_t>;

bool starts_with(const std::string& s, const char* prefix) { return s.rfind(prefix, 0) == 0; }

std::string lower(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');  // std::tolower asks the locale
  return s;
}

const Value* first_of(const Arguments& args, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const Value* v = args.find(name); v && v->tag() != CTCONV_VALUE_NONE) return v;
  return nullptr;
}

// Whole numbers of an int or a (nested) sequence, flattened.
Sizes flat(const Value& v) {
  if (v.tag() == CTCONV_VALUE_INT) return {v.as_int()};
  Sizes out;
  for (const Value& item : v.items())
    for (int64_t n : flat(item)) out.push_back(n);
  return out;
}

Sizes spread(Sizes v, size_t rank) {
  if (v.size() == 1) v.assign(rank, v[0]);
  return v;
}

// The default of an argument as the dialect prints it, in lower case without quotes.
std::string default_of(const std::string& dialect, const std::string& name) {
  for (int32_t k = 0;; ++k) {
    ctconv_argument a = CTCONV_ARGUMENT_INIT;
    if (ctconv_dialect_argument(dialect.c_str(), k, &a) != CTCONV_OK) return "";
    if (name != a.name) continue;
    std::string text = lower(a.default_text);
    text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == '"' || c == '\''; }), text.end());
    return text;
  }
}

std::set<std::string> names_of(const std::string& dialect) {
  std::set<std::string> names;
  for (int32_t k = 0;; ++k) {
    ctconv_argument a = CTCONV_ARGUMENT_INIT;
    if (ctconv_dialect_argument(dialect.c_str(), k, &a) != CTCONV_OK) return names;
    names.insert(a.name);
  }
}

void read_padding(const std::string& dialect, const Arguments& args, Geometry* g) {
  std::string mode;
  for (const char* name : {"pad_mode", "auto_pad", "padding"}) {
    const Value* v = args.find(name);
    if (v && v->tag() == CTCONV_VALUE_STRING)
      mode = lower(v->text());
    else if (!v && mode.empty())
      mode = default_of(dialect, name);
    if (starts_with(mode, "same")) g->mode = Geometry::kSame;
    if (mode == "valid") g->mode = Geometry::kValid;
    if (!mode.empty() && mode.find_first_not_of("0123456789") != std::string::npos) break;
  }
  g->begin.assign(g->rank(), 0);
  g->end.assign(g->rank(), 0);
  if (const Value* v = args.find("pad_begin")) g->begin = spread(flat(*v), g->rank());
  if (const Value* v = args.find("pad_end")) g->end = spread(flat(*v), g->rank());
  const Value* v = first_of(args, {"padding", "pad", "pads"});
  if (!v || v->tag() == CTCONV_VALUE_STRING) return;
  Sizes p = flat(*v);
  if (p.size() == 2 * g->rank() + 4) p.erase(p.begin(), p.begin() + 4);  // pairs for batch and channel too (NC first)
  p = spread(p, g->rank());
  if (p.size() == g->rank()) {
    g->begin = g->end = p;
  } else if (p.size() == 2 * g->rank()) {
    const bool halves = starts_with(dialect, "onnx");  // all begins, then all ends; others: pairs
    for (size_t a = 0; a < g->rank(); ++a) {
      g->begin[a] = p[halves ? a : 2 * a];
      g->end[a] = p[halves ? a + g->rank() : 2 * a + 1];
    }
  }
}

Value per_axis(const std::string& dialect, const Sizes& v) {
  if (v.size() == 1 && !starts_with(dialect, "onnx")) return Value(v[0]);
  return ctconv::tuple(std::vector<Value>(v.begin(), v.end()));
}

bool zero(const Sizes& v) {
  return std::all_of(v.begin(), v.end(), [](int64_t n) { return n == 0; });
}

[[noreturn]] void lacks(const std::string& what) { throw Fault("GEOMETRY", what); }

struct Writer {
  const std::string& dialect;
  const Geometry& g;
  std::set<std::string> names;
  Arguments out;

  void set(std::initializer_list<const char*> spellings, const Value& v) {
    for (const char* name : spellings) {
      if (!names.count(name)) continue;
      out.items.emplace_back(name, v);
      return;
    }
  }
  bool has(const char* name) const { return names.count(name) != 0; }
  bool plain() const { return zero(g.begin) && zero(g.end); }

  // begin and end per axis, as pairs or all begins first.
  Value sides(bool halves) const {
    std::vector<Value> v;
    for (size_t a = 0; a < g.rank(); ++a) {
      v.emplace_back(g.begin[a]);
      if (!halves) v.emplace_back(g.end[a]);
    }
    for (size_t a = 0; halves && a < g.rank(); ++a) v.emplace_back(g.end[a]);
    return ctconv::tuple(v);
  }

  void padding() {
    const char* word = g.mode == Geometry::kSame ? "same" : "valid";
    const bool symmetric = g.begin == g.end;
    if (has("pad_mode")) {
      set({"pad_mode"}, Value(g.mode == Geometry::kExplicit ? "pad" : word));
      if (g.mode != Geometry::kExplicit) return;
      if (g.rank() > 1) return set({"padding", "pad"}, sides(false));
      if (!symmetric) lacks("one padding serves both sides");
      set({"padding", "pad"}, Value(g.begin[0]));
    } else if (has("auto_pad")) {
      if (g.mode == Geometry::kExplicit) return set({"pads"}, sides(true));
      set({"auto_pad"}, Value(g.mode == Geometry::kSame ? "SAME_UPPER" : "VALID"));
    } else if (starts_with(dialect, "paddle")) {
      if (g.mode == Geometry::kExplicit)
        set({"padding"}, g.rank() == 1 && symmetric ? Value(g.begin[0]) : sides(false));
      else
        set({"padding"}, Value(g.mode == Geometry::kSame ? "SAME" : "VALID"));
    } else if (starts_with(dialect, "keras")) {
      if (g.mode == Geometry::kExplicit && !plain()) lacks("padding is a word, never numbers");
      set({"padding"}, Value(word));
    } else if (g.mode == Geometry::kSame) {
      lacks("no \"same\"");
    } else if (has("pad_begin")) {
      set({"pad_begin"}, per_axis(dialect, g.begin));
      set({"pad_end"}, per_axis(dialect, g.end));
    } else {
      if (!symmetric) lacks("one padding serves both sides");
      set({"padding"}, per_axis(dialect, g.begin));
    }
  }
};

}  // namespace

Geometry read_geometry(const std::string& dialect, const Layer& layer, const Numbers& numbers) {
  Geometry g;
  const Arguments& args = layer.arguments;
  g.n = numbers.n;
  g.groups = numbers.groups;
  g.cin = numbers.ci * numbers.groups;
  g.cout = numbers.co * numbers.groups;
  g.in = numbers.i;
  g.k = numbers.k;
  g.s = numbers.s;
  // As said, not as lowered: paddle's SAME drops the dilation.
  const Value* d = first_of(args, {"dilation", "dilations", "dilation_rate"});
  g.d = d ? spread(flat(*d), g.rank()) : Sizes(g.rank(), 1);
  read_padding(dialect, args, &g);
  if (const Value* op = first_of(args, {"output_padding"})) g.output_padding = spread(flat(*op), g.rank());
  return g;
}

size_t rank_of_dialect(const std::string& dialect) {
  for (size_t at = 1; at < dialect.size(); ++at)
    if (lower(dialect)[at] == 'd' && dialect[at - 1] >= '1' && dialect[at - 1] <= '3') return dialect[at - 1] - '0';
  return 0;
}

Wording write_geometry(const std::string& dialect, const Geometry& g) {
  Writer w{dialect, g, names_of(dialect), {}};
  w.set({"in_channels", "in_channel"}, Value(g.cin));
  w.set({"out_channels", "out_channel", "num_filters", "filters"}, Value(g.cout));
  w.set({"kernel_size", "filter_size", "kernel_shape"}, per_axis(dialect, g.k));
  w.set({"stride", "strides"}, per_axis(dialect, g.s));
  w.set({"dilation", "dilations", "dilation_rate"}, per_axis(dialect, g.d));
  if (w.has("groups") || w.has("group"))
    w.set({"groups", "group"}, Value(g.groups));
  else if (g.groups != 1)
    lacks("no groups");
  w.padding();
  if (g.output_padding && !zero(*g.output_padding)) {
    if (!w.has("output_padding")) lacks("no output_padding");
    w.set({"output_padding"}, per_axis(dialect, *g.output_padding));
  }
  Wording out;
  const bool last = starts_with(dialect, "keras");
  out.x = {g.n};
  if (!last) out.x.push_back(g.cin);
  out.x.insert(out.x.end(), g.in.begin(), g.in.end());
  if (last) out.x.push_back(g.cin);
  if (starts_with(dialect, "onnx") || starts_with(dialect, "paddle.nn.functional")) {
    out.weight = {g.cin, g.cout / g.groups};
    out.weight.insert(out.weight.end(), g.k.begin(), g.k.end());
  }
  out.arguments = std::move(w.out);
  return out;
}

}  // namespace cli
