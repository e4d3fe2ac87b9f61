// SPDX-License-Identifier: Apache-2.0
// Dialects spell the same argument differently; which spelling one has is asked of the library, how its numbers are
// written stands in families.cpp.
#include "tools/cli/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tools/cli/families.h"
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

const Value* first_of(const Arguments& args, Spellings names) {
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

// "same" and "valid" in whatever case the dialect writes them, said or by default.
Geometry::Mode read_mode(const std::string& dialect, const Family& family, const Arguments& args) {
  const Value* v = args.find(family.mode_argument);
  std::string mode;
  if (v == nullptr) {
    mode = default_of(dialect, family.mode_argument);
  } else if (v->tag() == CTCONV_VALUE_STRING) {
    mode = lower(v->text());
  }
  if (starts_with(mode, "same")) return Geometry::kSame;
  return mode == "valid" ? Geometry::kValid : Geometry::kExplicit;
}

void read_padding(const std::string& dialect, const Arguments& args, Geometry* g) {
  const Family& family = family_of(dialect);
  const size_t rank = g->rank();
  g->mode = read_mode(dialect, family, args);
  g->begin.assign(rank, 0);
  g->end.assign(rank, 0);
  if (const Value* v = args.find("pad_begin")) g->begin = spread(flat(*v), rank);
  if (const Value* v = args.find("pad_end")) g->end = spread(flat(*v), rank);
  const Value* v = first_of(args, kPadding);
  if (!v || v->tag() == CTCONV_VALUE_STRING) return;
  Sizes p = flat(*v);
  if (p.size() == 2 * rank + 4) p.erase(p.begin(), p.begin() + 4);  // pairs for batch and channel too (NC first)
  p = spread(p, rank);
  if (p.size() == rank) {
    g->begin = g->end = p;
  } else if (p.size() == 2 * rank) {
    const bool halves = family.pads == Family::kBeginsThenEnds;
    for (size_t a = 0; a < rank; ++a) {
      g->begin[a] = p[halves ? a : 2 * a];
      g->end[a] = p[halves ? a + rank : 2 * a + 1];
    }
  }
}

bool zero(const Sizes& v) {
  return std::all_of(v.begin(), v.end(), [](int64_t n) { return n == 0; });
}

[[noreturn]] void lacks(const std::string& what) { throw Fault("GEOMETRY", what); }

class Writer {
 public:
  Writer(const std::string& dialect, const Geometry& g)
      : g_(g), family_(family_of(dialect)), names_(names_of(dialect)) {}

  Arguments take() { return std::move(out_); }
  bool has(Spellings spellings) const {
    return std::any_of(spellings.begin(), spellings.end(), [&](const char* name) { return names_.count(name) != 0; });
  }
  // Under the spelling the dialect has; nothing where it has none.
  void set(Spellings spellings, const Value& v) {
    for (const char* name : spellings) {
      if (!names_.count(name)) continue;
      out_.items.emplace_back(name, v);
      return;
    }
  }
  void set_axes(Spellings spellings, const Sizes& v) { set(spellings, per_axis(v)); }
  void set_padding() {
    const char* word = family_.numbers;
    if (g_.mode == Geometry::kSame) word = family_.same;
    if (g_.mode == Geometry::kValid) word = family_.valid;
    if (word != nullptr) set({family_.mode_argument}, Value(word));
    if (g_.mode != Geometry::kExplicit && word != nullptr) return;
    if (g_.mode == Geometry::kSame) lacks("no \"same\"");
    set_numbers();
  }

 private:
  Value per_axis(const Sizes& v) const {
    if (v.size() == 1 && family_.int_for_all) return Value(v[0]);
    return ctconv::tuple(std::vector<Value>(v.begin(), v.end()));
  }
  // begin and end per axis, as pairs or all begins first.
  Value sides(bool halves) const {
    std::vector<Value> v;
    for (size_t a = 0; a < g_.rank(); ++a) {
      v.emplace_back(g_.begin[a]);
      if (!halves) v.emplace_back(g_.end[a]);
    }
    for (size_t a = 0; halves && a < g_.rank(); ++a) v.emplace_back(g_.end[a]);
    return ctconv::tuple(v);
  }
  void set_numbers() {
    const bool symmetric = g_.begin == g_.end;
    switch (family_.pads) {
      case Family::kOneNumber:
        if (!symmetric) lacks("one padding serves both sides");
        return set_axes(kPadding, g_.begin);
      case Family::kPairs:
        return set(kPadding, g_.rank() == 1 && symmetric ? Value(g_.begin[0]) : sides(false));
      case Family::kBeginsThenEnds:
        return set(kPadding, sides(true));
      case Family::kTwoArguments:
        set_axes({"pad_begin"}, g_.begin);
        return set_axes({"pad_end"}, g_.end);
      case Family::kWordsOnly:
        if (!zero(g_.begin) || !zero(g_.end)) lacks("padding is a word, never numbers");
        return set({family_.mode_argument}, Value(family_.valid));
    }
  }

  const Geometry& g_;
  const Family& family_;
  const std::set<std::string> names_;
  Arguments out_;
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
  const Value* d = first_of(args, kDilation);
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
  const Family& family = family_of(dialect);
  Writer w(dialect, g);
  w.set(kInChannels, Value(g.cin));
  w.set(kOutChannels, Value(g.cout));
  w.set_axes(kKernel, g.k);
  w.set_axes(kStride, g.s);
  w.set_axes(kDilation, g.d);
  if (!w.has(kGroups) && g.groups != 1) lacks("no groups");
  w.set(kGroups, Value(g.groups));
  w.set_padding();
  if (g.output_padding && !zero(*g.output_padding)) {
    if (!w.has({"output_padding"})) lacks("no output_padding");
    w.set_axes({"output_padding"}, *g.output_padding);
  }
  Wording out;
  out.x = {g.n};
  if (!family.channels_last) out.x.push_back(g.cin);
  out.x.insert(out.x.end(), g.in.begin(), g.in.end());
  if (family.channels_last) out.x.push_back(g.cin);
  if (family.weight_with_call) {
    out.weight = {g.cin, g.cout / g.groups};
    out.weight.insert(out.weight.end(), g.k.begin(), g.k.end());
  }
  out.arguments = w.take();
  return out;
}

}  // namespace cli
