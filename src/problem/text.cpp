// SPDX-License-Identifier: Apache-2.0
// Printing and parsing of the one-line form, both by the list of fields; see text.h.
#include "src/problem/text.h"

#include <algorithm>
#include <vector>

#include "src/base/checked.h"
#include "src/base/number.h"
#include "src/base/utf8.h"
#include "src/problem/dense.h"
#include "src/problem/fields.h"

namespace ctconv {
namespace {

std::string number(double v) { return show_general(v, 17); }

std::string join(std::initializer_list<int64_t> values, char separator) {
  std::string s;
  for (int64_t v : values) {
    if (!s.empty()) s += separator;
    s += std::to_string(v);
  }
  return s;
}

// Appends the words of the fields that are not as a line without them says.
struct Printer {
  const Problem& p;
  std::string s;

  void word(const std::string& w) { s += (s.empty() ? "" : " ") + w; }

  void operator()(const char* key, const Written& v) {
    if (v != Written::kY) word(std::string(key) + "=" + name_of(v));
  }
  void operator()(const char* key, const Types& v) {
    if (v == uniform_types(v.x)) return word(name_of(v.x));
    word(std::string(key) + "=" + name_of(v.x) + ":" + name_of(v.w) + ":" + name_of(v.y) + ":" +
         name_of(v.accumulator));
  }
  void operator()(Rank, const int&) {}
  void operator()(const char* key, const SizeField<const int64_t>& v) { word(key + std::to_string(v.value)); }
  void operator()(const char* key, const AxisField<const std::array<Axis, 3>>& v) {
    if (v.member == &Axis::tail && !p.has_tail()) return;
    std::string sizes;
    for (size_t a = static_cast<size_t>(3 - p.rank); a < 3; ++a) {
      sizes += (sizes.empty() ? "" : "x") + std::to_string(v.axes[a].*v.member);
    }
    word(key + sizes);
  }
  void operator()(const char* key, const ActivationLayout& v) {
    const Order order = order_of(v, p, &v == &p.y);
    if (order == Order::kChannelsFirst) return word(std::string(key) + "=first");
    if (order == Order::kChannelsLast) return word(std::string(key) + "=last");
    word(std::string(key) + "=" + join({v.n, v.c, v.axis[0], v.axis[1], v.axis[2]}, ':'));
  }
  void operator()(const char* key, const WeightLayout& v) {
    word(std::string(key) + "=" + join({v.g, v.ci, v.co, v.tap[0], v.tap[1], v.tap[2]}, ':'));
  }
  void operator()(const char* key, const bool& v) {
    if (v) word(key);
  }
  void operator()(const char* key, const Rescale& v) {
    if (!v.identity()) word(std::string(key) + "=" + number(v.scale) + ":" + number(v.zero_point));
  }
  void operator()(const char*, const Activation& v) {
    if (v.kind == Activation::kNone) return;
    const ActivationRow& row = row_of(v.kind);
    std::string w = row.name;
    if (row.parameters > 0) w += ":" + number(v.alpha);
    if (row.parameters > 1) w += ":" + number(v.beta);
    word(w);
  }
};

bool read_double(std::string_view text, double* out) { return read_number(text, out) && *out == *out; }

// The parts of "a:b:c", at least one.
std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t cut = text.find(separator);
    parts.push_back(text.substr(0, cut));
    if (cut == std::string_view::npos) return parts;
    text.remove_prefix(cut + 1);
  }
}

bool read_ints(std::string_view text, char separator, std::vector<int64_t>* out) {
  out->clear();
  for (std::string_view part : parts_of(text, separator)) {
    int64_t v = 0;
    if (!read_number(part, &v)) return false;
    out->push_back(v);
  }
  return true;
}

bool read_dtype(std::string_view text, Dtype* out) {
  for (const DtypeRow& row : kDtypes) {
    if (text != row.name) continue;
    *out = row.type;
    return true;
  }
  return false;
}

Status bad(std::string_view word, const char* why) {
  return Status(Code::MISUSE_OPTION, "problem text: '" + std::string(cut_utf8(word, 60)) + "' " + why);
}

// Reads word after word; each is offered to every field until one takes it.
class Parser {
 public:
  Status take(std::string_view word) {
    word_ = word;
    taken_ = false;
    fields(p_, *this);
    if (!taken_) return bad(word, "is not a word of the problem text");
    return std::exchange(status_, Status());
  }
  Status finish();
  const Problem& problem() const { return p_; }

  void operator()(const char* key, Written& v) {
    std::string_view rest;
    if (!assigned(key, &rest)) return;
    for (Written w : kEveryWritten) {
      if (rest == name_of(w)) return done(v = w);
    }
    done(bad(word_, "names no operand: y, x or w"));
  }
  void operator()(const char* key, Types& v) {
    std::string_view rest;
    Dtype one;
    if (read_dtype(word_, &one)) return done(v = uniform_types(one));
    if (!assigned(key, &rest)) return;
    const auto names = parts_of(rest, ':');
    Dtype* const to[] = {&v.x, &v.w, &v.y, &v.accumulator};
    bool known = names.size() == 4;
    for (size_t n = 0; known && n < 4; ++n) known = read_dtype(names[n], to[n]);
    done(known ? Status() : bad(word_, "needs four element types: of x, w, y and the sums"));
  }
  void operator()(Rank, int&) {}  // told by the axes
  void operator()(const char* key, SizeField<int64_t> v) {
    std::string_view digits;
    if (!counted(key, &digits)) return;
    const bool fits = read_number(digits, &v.value) && v.value >= v.least;
    done(fits ? Status() : bad(word_, "needs a whole number in range"));
  }
  void operator()(const char* key, AxisField<std::array<Axis, 3>> v) {
    std::string_view digits;
    if (!counted(key, &digits)) return;
    seen_input_ = seen_input_ || v.member == &Axis::i;
    seen_output_ = seen_output_ || v.member == &Axis::o;
    done(axes(digits, v));
  }
  void operator()(const char* key, ActivationLayout& v) {
    std::string_view rest;
    if (assigned(key, &rest)) done((&v == &p_.y ? y_ : x_) = rest);
  }
  void operator()(const char* key, WeightLayout&) {
    std::string_view rest;
    if (assigned(key, &rest)) done(w_ = rest);
  }
  void operator()(const char* key, bool& v) {
    if (word_ == key) done(v = true);
  }
  void operator()(const char* key, Rescale& v) {
    std::string_view rest;
    if (!assigned(key, &rest)) return;
    const auto numbers = parts_of(rest, ':');
    const bool fits =
        numbers.size() == 2 && read_double(numbers[0], &v.scale) && read_double(numbers[1], &v.zero_point);
    done(fits ? Status() : bad(word_, "needs a scale and a zero point"));
  }
  void operator()(const char*, Activation& v) {
    const auto words = parts_of(word_, ':');
    for (const ActivationRow& row : kActivations) {
      if (row.kind == Activation::kNone || words[0] != row.name) continue;
      v.kind = row.kind;
      return done(parameters(row, words, &v));
    }
  }

 private:
  // True where the word is "<key>=<rest>".
  bool assigned(std::string_view key, std::string_view* rest) const {
    if (word_.substr(0, key.size()) != key || word_.substr(key.size(), 1) != "=") return false;
    *rest = word_.substr(key.size() + 1);
    return true;
  }
  // True where the word is "<key><digits>".
  bool counted(std::string_view key, std::string_view* digits) const {
    if (word_.substr(0, key.size()) != key) return false;
    *digits = word_.substr(key.size());
    return !digits->empty() && ((*digits)[0] == '-' || ((*digits)[0] >= '0' && (*digits)[0] <= '9'));
  }
  template <class Value>
  void done(const Value& value) {
    taken_ = true;
    if constexpr (std::is_same_v<Value, Status>) {
      if (!value.ok()) status_ = Status(value.detail());
    }
  }

  Status axes(std::string_view digits, AxisField<std::array<Axis, 3>> field) {
    std::vector<int64_t> v;
    if (!read_ints(digits, 'x', &v) || v.size() > 3) return bad(word_, "needs 1 to 3 sizes joined by x");
    if (seen_rank_ && static_cast<int>(v.size()) != p_.rank) {
      return bad(word_, "has another rank than the sizes before it");
    }
    p_.rank = static_cast<int>(v.size());
    seen_rank_ = true;
    for (size_t a = 0; a < v.size(); ++a) {
      if (v[a] < field.least) return bad(word_, "has a size that is too small");
      p_.axis[3 - v.size() + a].*field.member = v[a];
    }
    return {};
  }

  Status parameters(const ActivationRow& row, const std::vector<std::string_view>& words, Activation* out) const {
    const auto wanted = static_cast<size_t>(row.parameters);
    if (words.size() <= wanted) return bad(word_, "has too few numbers");
    if (words.size() > wanted + 1) return bad(word_, "has more than its numbers");
    if (wanted > 0 && !read_double(words[1], &out->alpha)) return bad(word_, "has no number after the colon");
    if (wanted > 1 && !read_double(words[2], &out->beta)) return bad(word_, "has no number after the colon");
    return {};
  }

  Status strides(const std::string& text, bool output, ActivationLayout* l) const {
    if (text == "first" || text == "last") {
      *l = dense_layout(p_, output, text == "last");
      return {};
    }
    std::vector<int64_t> v;
    if (!read_ints(text, ':', &v) || v.size() != 5) return bad(text, "is neither first, last nor five strides");
    *l = {v[0], v[1], {v[2], v[3], v[4]}};
    return {};
  }

  Status judge_sizes() const;

  Problem p_;
  std::string_view word_;  // the one at hand
  bool taken_ = false;
  Status status_;
  bool seen_rank_ = false;  // some word has told how many axes there are
  bool seen_input_ = false, seen_output_ = false;
  std::string x_ = "first", y_ = "first", w_;
};

// Sums and products of the sizes fit 63 bits. An extent of 0 counts as 1: strides are products of the others.
Status Parser::judge_sizes() const {
  const auto beyond = [] { return bad("", "has sizes beyond 63 bits"); };
  const Checked n = std::max<int64_t>(p_.n, 1);
  Checked x_count = n * p_.groups * p_.ci, y_count = n * p_.groups * p_.co;
  Checked w_count = Checked(p_.groups) * p_.ci * p_.co;
  for (const Axis& a : p_.axis) {
    const Checked end = Checked(a.o) + a.tail;
    const Checked full = (Checked(a.i) - 1) * a.s + Checked(a.d) * (a.k - 1) + 1;
    const int64_t lo = std::max<int64_t>(a.lo, 0);
    if (!(end + lo).ok() || !(full + lo).ok() || a.lo > kMostLo) return beyond();
    x_count = x_count * a.i;
    y_count = y_count * std::max<int64_t>(end.value(), 1);
    w_count = w_count * a.k;
  }
  for (const Checked& count : {x_count, y_count, w_count}) {
    if (!(count * 8).ok()) return beyond();
  }
  return {};
}

Status Parser::finish() {
  if (!seen_input_ || !seen_output_) return bad("", "names no input (i) or no output (o) extents");
  CTCONV_RETURN_IF_ERROR(judge_sizes());
  CTCONV_RETURN_IF_ERROR(strides(x_, false, &p_.x));
  CTCONV_RETURN_IF_ERROR(strides(y_, true, &p_.y));
  p_.w = dense_weight(p_);
  if (w_.empty()) return {};
  std::vector<int64_t> v;
  if (!read_ints(w_, ':', &v) || v.size() != 6) return bad(w_, "is not six weight strides");
  p_.w = {v[0], v[1], v[2], {v[3], v[4], v[5]}};
  return {};
}

}  // namespace

std::string to_text(const Problem& p) {
  Printer printer{p, {}};
  fields(p, printer);
  return std::move(printer.s);
}

Result<Problem> problem_from_text(std::string_view line) {
  Parser parser;
  while (!line.empty()) {
    const size_t start = line.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) break;
    line.remove_prefix(start);
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r\n"));
    CTCONV_RETURN_IF_ERROR(parser.take(word));
    line.remove_prefix(word.size());
  }
  CTCONV_RETURN_IF_ERROR(parser.finish());
  return parser.problem();
}

}  // namespace ctconv
