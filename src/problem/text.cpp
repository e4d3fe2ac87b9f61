// Printing and parsing of the one-line form; see text.h.
#include "src/problem/text.h"

#include <algorithm>
#include <vector>

#include "src/base/checked.h"
#include "src/base/number.h"
#include "src/base/utf8.h"

namespace ctconv {
namespace {

constexpr const char* kActivations[] = {"none", "relu", "leaky_relu", "tanh", "sigmoid", "clip"};

std::string number(double v) { return show_general(v, 17); }

std::string join(std::initializer_list<int64_t> values, char separator) {
  std::string s;
  for (int64_t v : values) s += (s.empty() ? "" : std::string(1, separator)) + std::to_string(v);
  return s;
}

template <class Get>
std::string per_axis(const Problem& p, Get get) {
  std::string s;
  for (size_t a = static_cast<size_t>(3 - p.rank); a < 3; ++a)
    s += (s.empty() ? "" : "x") + std::to_string(get(p.axis[a]));
  return s;
}

std::string layout(const ActivationLayout& l, const Problem& p, bool output) {
  const Order order = order_of(l, p, output);
  if (order == Order::kChannelsFirst) return "first";
  if (order == Order::kChannelsLast) return "last";
  return join({l.n, l.c, l.axis[0], l.axis[1], l.axis[2]}, ':');
}

bool read_double(std::string_view text, double* out) { return read_number(text, out) && *out == *out; }

bool read_ints(std::string_view text, char separator, std::vector<int64_t>* out) {
  out->clear();
  while (true) {
    const size_t cut = text.find(separator);
    int64_t v = 0;
    if (!read_number(text.substr(0, cut), &v)) return false;
    out->push_back(v);
    if (cut == std::string_view::npos) return true;
    text.remove_prefix(cut + 1);
  }
}

ActivationLayout dense(const Problem& p, bool output, bool last) {
  ActivationLayout l;
  const int64_t channels = p.groups * (output ? p.co : p.ci);
  int64_t step = last ? channels : 1;
  for (size_t a = 3; a-- > 0;) {
    if (a >= static_cast<size_t>(3 - p.rank)) l.axis[a] = step;
    step *= output ? std::max<int64_t>(p.axis[a].o + p.axis[a].tail, 1) : p.axis[a].i;
  }
  l.c = last ? 1 : step;
  l.n = last ? step : step * channels;
  return l;
}

Status bad(std::string_view word, const char* why) {
  return Status(Code::MISUSE_OPTION, "problem text: '" + std::string(cut_utf8(word, 60)) + "' " + why);
}

struct Parser {
  Problem p;
  bool seen_rank = false;  // some word has told how many axes there are
  bool seen_input = false, seen_output = false;
  std::string x = "first", y = "first";
  std::string w;

  Status axes(std::string_view word, std::string_view digits, int64_t least, int64_t Axis::*field) {
    std::vector<int64_t> v;
    if (!read_ints(digits, 'x', &v) || v.empty() || v.size() > 3) return bad(word, "needs 1 to 3 sizes joined by x");
    if (seen_rank && static_cast<int>(v.size()) != p.rank)
      return bad(word, "has another rank than the sizes before it");
    p.rank = static_cast<int>(v.size());
    seen_rank = true;
    for (size_t a = 0; a < v.size(); ++a) {
      if (v[a] < least) return bad(word, "has a size that is too small");
      p.axis[3 - v.size() + a].*field = v[a];
    }
    return {};
  }

  Status whole(std::string_view word, std::string_view digits, int64_t least, int64_t* out) {
    if (!read_number(digits, out) || *out < least) return bad(word, "needs a whole number in range");
    return {};
  }

  Status activation(std::string_view word) {
    for (int kind = 1; kind < 6; ++kind) {
      const std::string_view name = kActivations[kind];
      if (word.substr(0, name.size()) != name || (word.size() > name.size() && word[name.size()] != ':')) continue;
      p.act.kind = static_cast<Epilogue::Kind>(kind);
      const int wanted = kind == Epilogue::kClip ? 2 : kind == Epilogue::kLeakyRelu ? 1 : 0;
      std::string_view rest = word.substr(name.size());
      for (int n = 0; n < wanted; ++n) {
        if (rest.empty()) return bad(word, "has too few numbers");
        rest.remove_prefix(1);
        const std::string_view digits = rest.substr(0, rest.find(':'));
        if (!read_double(digits, n == 0 ? &p.act.alpha : &p.act.beta))
          return bad(word, "has no number after the colon");
        rest.remove_prefix(digits.size());
      }
      return rest.empty() ? Status() : bad(word, "has more than its numbers");
    }
    return bad(word, "is not a word of the problem text");
  }

  Status strides(const std::string& text, bool output, ActivationLayout* l) {
    if (text == "first" || text == "last") {
      *l = dense(p, output, text == "last");
      return {};
    }
    std::vector<int64_t> v;
    if (!read_ints(text, ':', &v) || v.size() != 5) return bad(text, "is neither first, last nor five strides");
    *l = {v[0], v[1], {v[2], v[3], v[4]}};
    return {};
  }

  Status word(std::string_view t) {
    const auto after = [&](std::string_view prefix, std::string_view* rest) {
      if (t.substr(0, prefix.size()) != prefix) return false;
      *rest = t.substr(prefix.size());
      return true;
    };
    const auto digit = [](std::string_view s) { return !s.empty() && (s[0] == '-' || (s[0] >= '0' && s[0] <= '9')); };
    std::string_view rest;
    for (Dtype type : {Dtype::kF32, Dtype::kF16, Dtype::kBf16, Dtype::kF64}) {
      if (t == name_of(type)) {
        p.dtype = type;
        return {};
      }
    }
    if (t == "bias") {
      p.bias = true;
      return {};
    }
    if (after("x=", &rest)) {
      x = rest;
      return Status();
    }
    if (after("y=", &rest)) {
      y = rest;
      return Status();
    }
    if (after("w=", &rest)) {
      w = rest;
      return Status();
    }
    if (after("ci", &rest) && digit(rest)) return whole(t, rest, 1, &p.ci);
    if (after("co", &rest) && digit(rest)) return whole(t, rest, 1, &p.co);
    if (after("tail", &rest) && digit(rest)) return axes(t, rest, 0, &Axis::tail);
    if (after("lo", &rest) && digit(rest)) return axes(t, rest, 0, &Axis::lo);
    if (after("n", &rest) && digit(rest)) return whole(t, rest, 0, &p.n);
    if (after("g", &rest) && digit(rest)) return whole(t, rest, 1, &p.groups);
    if (after("i", &rest) && digit(rest)) {
      seen_input = true;
      return axes(t, rest, 1, &Axis::i);
    }
    if (after("o", &rest) && digit(rest)) {
      seen_output = true;
      return axes(t, rest, 0, &Axis::o);
    }
    if (after("k", &rest) && digit(rest)) return axes(t, rest, 1, &Axis::k);
    if (after("s", &rest) && digit(rest)) return axes(t, rest, 1, &Axis::s);
    if (after("d", &rest) && digit(rest)) return axes(t, rest, 1, &Axis::d);
    return activation(t);
  }

  Status finish() {
    if (!seen_input || !seen_output) return bad("", "names no input (i) or no output (o) extents");
    // An extent of 0 counts as 1: strides are products of the others.
    const Checked n = std::max<int64_t>(p.n, 1);
    Checked x_count = n * p.groups * p.ci, y_count = n * p.groups * p.co, w_count = Checked(p.groups) * p.ci * p.co;
    for (const Axis& a : p.axis) {
      const Checked end = Checked(a.o) + a.tail;
      if (!end.ok() || !(end + a.lo).ok()) return bad("", "has sizes beyond 63 bits");
      x_count = x_count * a.i;
      y_count = y_count * std::max<int64_t>(end.value(), 1);
      w_count = w_count * a.k;
      const Checked full = (Checked(a.i) - 1) * a.s + Checked(a.d) * (a.k - 1) + 1 + a.lo;
      if (!full.ok()) return bad("", "has sizes beyond 63 bits");
    }
    if (!(x_count * 8).ok() || !(y_count * 8).ok() || !(w_count * 8).ok()) return bad("", "has sizes beyond 63 bits");
    CTCONV_RETURN_IF_ERROR(strides(x, false, &p.x));
    CTCONV_RETURN_IF_ERROR(strides(y, true, &p.y));
    if (w.empty()) {
      int64_t step = 1;
      for (size_t a = 3; a-- > static_cast<size_t>(3 - p.rank);) {
        p.w.tap[a] = step;
        step *= p.axis[a].k;
      }
      p.w.co = step;
      p.w.ci = step * p.co;
      p.w.g = step * p.co * p.ci;
      return {};
    }
    std::vector<int64_t> v;
    if (!read_ints(w, ':', &v) || v.size() != 6) return bad(w, "is not six weight strides");
    p.w = {v[0], v[1], v[2], {v[3], v[4], v[5]}};
    return {};
  }
};

}  // namespace

std::string to_text(const Problem& p) {
  std::string s = name_of(p.dtype);
  s += " n" + std::to_string(p.n) + " g" + std::to_string(p.groups) + " ci" + std::to_string(p.ci) + " co" +
       std::to_string(p.co);
  s += " i" + per_axis(p, [](const Axis& a) { return a.i; }) + " k" + per_axis(p, [](const Axis& a) { return a.k; });
  s += " s" + per_axis(p, [](const Axis& a) { return a.s; }) + " d" + per_axis(p, [](const Axis& a) { return a.d; });
  s += " lo" + per_axis(p, [](const Axis& a) { return a.lo; }) + " o" + per_axis(p, [](const Axis& a) { return a.o; });
  if (p.has_tail()) s += " tail" + per_axis(p, [](const Axis& a) { return a.tail; });
  s += " x=" + layout(p.x, p, false) + " y=" + layout(p.y, p, true);
  s += " w=" + join({p.w.g, p.w.ci, p.w.co, p.w.tap[0], p.w.tap[1], p.w.tap[2]}, ':');
  if (p.bias) s += " bias";
  if (p.act.kind != Epilogue::kNone) {
    s += std::string(" ") + kActivations[p.act.kind];
    if (p.act.kind == Epilogue::kLeakyRelu) s += ":" + number(p.act.alpha);
    if (p.act.kind == Epilogue::kClip) s += ":" + number(p.act.alpha) + ":" + number(p.act.beta);
  }
  return s;
}

Result<Problem> problem_from_text(std::string_view line) {
  Parser parser;
  while (!line.empty()) {
    const size_t start = line.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) break;
    line.remove_prefix(start);
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r\n"));
    CTCONV_RETURN_IF_ERROR(parser.word(word));
    line.remove_prefix(word.size());
  }
  CTCONV_RETURN_IF_ERROR(parser.finish());
  return parser.p;
}

}  // namespace ctconv
