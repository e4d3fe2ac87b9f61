// SPDX-License-Identifier: Apache-2.0
// Draws a problem by its list of fields; see problems.h.
#include "tests/rig/problems.h"

#include <algorithm>
#include <string_view>

#include "src/problem/fields.h"

namespace ctconv::rig {
namespace {

int64_t full_extent(const Axis& a) { return (a.i - 1) * a.s + a.d * (a.k - 1) + 1; }

// The kinds of fields, in the order of fields.h: sizes first, so that layouts can be drawn for them.
class Drawer {
 public:
  Drawer(Rng& rng, const Limits& limits, Problem* p) : rng_(rng), limits_(limits), p_(*p), kind_(draw(0, 9)) {}

  void operator()(const char*, Written& v) { v = one_of(rng_, limits_.written); }
  void operator()(const char*, Types& v) {
    v = one_of(rng_, limits_.types);
    if (!limits_.any_types) return;
    const auto any = [&] { return one_of(rng_, kDtypes).type; };
    v = uniform_types(any());
    if (one_in(4)) v = {any(), any(), any(), any()};
  }
  void operator()(Rank, int& v) { v = static_cast<int>(draw(1, 3)); }
  void operator()(std::string_view key, SizeField<int64_t> f) {
    f.value = draw(f.least, f.least + 3);
    if (key == "n") f.value = limits_.empty && one_in(6) ? 0 : one_in(2) ? draw(1, 3) : 1;
    if (key == "g") f.value = kind_ == 9 ? draw(1, 9 * limits_.groups) : kind_ >= 7 ? draw(2, limits_.groups) : 1;
    if (key == "ci" || key == "co") f.value = kind_ == 9 ? 1 : draw(1, one_in(3) ? limits_.channels : 6);
  }
  void operator()(std::string_view key, AxisField<std::array<Axis, 3>> f) {
    for (size_t a = static_cast<size_t>(3 - p_.rank); a < 3; ++a) {
      Axis& axis = f.axes[a];
      axis.*f.member = std::max(f.least, drawn(key, axis));
    }
  }
  void operator()(const char*, ActivationLayout& v) {
    const bool output = &v == &p_.y;
    if (!output) cut();
    v = sliced_layout(p_, output, one_in(2), limits_.layouts == Layouts::kSlices && one_in(3) ? draw(1, 5) : 0);
    if (limits_.layouts == Layouts::kSlices && one_in(10)) {
      for (int64_t* s : {&v.n, &v.c, &v.axis[0], &v.axis[1], &v.axis[2]}) *s *= 2;
    }
    std::vector<int64_t> extent = {p_.n, p_.groups * (output ? p_.co : p_.ci)};
    std::vector<int64_t*> stride = {&v.n, &v.c};
    for (size_t a = static_cast<size_t>(3 - p_.rank); a < 3; ++a) {
      extent.push_back(output ? p_.axis[a].o + p_.axis[a].tail : p_.axis[a].i);
      stride.push_back(&v.axis[a]);
    }
    views(extent, stride, p_.written != (output ? Written::kY : Written::kX));
  }
  void operator()(const char*, WeightLayout& v) {
    v = dense_weight(p_);
    if (one_in(3)) {  // co before ci
      v.ci = p_.taps();
      v.co = p_.taps() * p_.ci;
    }
    std::vector<int64_t> extent = {p_.groups, p_.ci, p_.co};
    std::vector<int64_t*> stride = {&v.g, &v.ci, &v.co};
    for (size_t a = static_cast<size_t>(3 - p_.rank); a < 3; ++a) {
      extent.push_back(p_.axis[a].k);
      stride.push_back(&v.tap[a]);
    }
    views(extent, stride, p_.written != Written::kW);
  }
  void operator()(const char*, bool& v) { v = (anything() || p_.written != Written::kX) && one_in(2); }
  void operator()(const char*, Rescale& v) {
    if (!limits_.rescale || !finishes() || one_in(2)) return;
    v = {real(1, 999), static_cast<double>(draw(-20, 20))};
  }
  void operator()(const char*, Activation& v) {
    if (!limits_.activations || !finishes() || one_in(2)) return;
    const ActivationRow& row = one_of(rng_, kActivations);
    v.kind = row.kind;
    if (row.parameters > 0) v.alpha = row.parameters > 1 ? -real(1, 3000) : real(0, 700);
    if (row.parameters > 1) v.beta = v.alpha + real(1, 6000);
  }

 private:
  int64_t draw(int64_t low, int64_t high) { return pick(rng_, low, high); }
  bool one_in(int64_t n) { return draw(1, n) == 1; }
  // A number with few digits; where nobody computes, one with many.
  double real(int64_t low, int64_t high) {
    const auto v = static_cast<double>(draw(low, high));
    return anything() ? v / 3e6 : std::ldexp(v, -10);
  }
  bool anything() const { return limits_.layouts == Layouts::kNumbers; }
  bool finishes() const { return anything() || p_.written == Written::kY; }

  int64_t drawn(std::string_view key, Axis& a) {
    const int64_t full = full_extent(a);
    if (key == "i") return one_in(9) ? 1 : draw(1, limits_.extents[static_cast<size_t>(p_.rank - 1)]);
    if (key == "k") return draw(1, p_.rank == 1 && one_in(3) ? 12 : 4);
    if (key == "s") return one_in(4) ? a.k : a.k % 2 == 0 && one_in(4) ? a.k / 2 : draw(1, limits_.steps);
    if (key == "d") return one_in(3) ? draw(2, limits_.steps) : 1;
    if (key == "lo") {
      if (limits_.far > 0 && one_in(3)) return draw(-limits_.far, full + limits_.far);
      return one_in(3) ? 0 : draw(-1, std::min<int64_t>(full, 6));
    }
    if (key == "o") {
      if (limits_.empty && one_in(12)) return 0;
      if (limits_.far > 0 && one_in(3)) return draw(1, full + 12);
      return std::clamp<int64_t>(full - a.lo - (one_in(3) ? 0 : draw(-3, 5)), 1, full + limits_.far + 12);
    }
    if (key == "tail") return limits_.tails && one_in(8) ? draw(1, 3) : 0;
    return draw(0, 3);
  }

  // Halves counts until the work fits.
  void cut() {
    const auto work = [&] {
      const auto products = static_cast<double>(p_.in_elements()) * static_cast<double>(p_.co * p_.taps());
      return products + static_cast<double>(p_.out_elements());
    };
    while (work() > limits_.products) {
      int64_t* most = &p_.n;
      for (int64_t* count : {&p_.groups, &p_.ci, &p_.co}) most = *count > *most ? count : most;
      if (*most == 1) return;
      *most = (*most + 1) / 2;
    }
  }

  // Where views are asked for: a random order of dimensions, gaps, flips, and where allowed broadcasts.
  void views(const std::vector<int64_t>& extent, const std::vector<int64_t*>& stride, bool only_read) {
    if (anything() && one_in(3)) {
      for (int64_t* s : stride) *s = draw(-1000, 1000);
    }
    if (limits_.layouts != Layouts::kViews) return;
    std::vector<size_t> order(extent.size());
    for (size_t k = 0; k < order.size(); ++k) order[k] = k;
    for (size_t k = order.size(); k-- > 1;) {
      std::swap(order[k], order[static_cast<size_t>(draw(0, static_cast<int64_t>(k)))]);
    }
    int64_t step = 1;
    for (const size_t k : order) {
      step += one_in(4) ? draw(1, 3) : 0;
      *stride[k] = one_in(4) ? -step : step;
      step *= std::max<int64_t>(extent[k], 1);
      if (only_read && one_in(8)) *stride[k] = 0;
    }
  }

  Rng& rng_;
  const Limits& limits_;
  Problem& p_;
  const int64_t kind_;  // 9: depthwise, 7 and 8: grouped
};

}  // namespace

Problem random_problem(Rng& rng, const Limits& limits) {
  Problem p;
  fields(p, Drawer(rng, limits, &p));
  return p;
}

Limits anything() {
  Limits limits;
  limits.written = {std::begin(kEveryWritten), std::end(kEveryWritten)};
  limits.layouts = Layouts::kNumbers;
  limits.extents = {9, 9, 9};
  limits.channels = 6;
  limits.far = 60;
  limits.products = 1e9;
  limits.empty = limits.rescale = limits.any_types = true;
  return limits;
}

Case make_case(const Problem& p, Rng& rng, Values values) {
  Case c;
  c.p = p;
  const auto value = [&](Dtype t) {
    if (is_integer(t)) return static_cast<double>(pick(rng, -9, 9));
    if (values == Values::kSmallInteger) return static_cast<double>(pick(rng, -4, 4));
    return std::ldexp(static_cast<double>(pick(rng, -(1 << 20), 1 << 20)), -20);
  };
  for (const Written operand : kEveryWritten) {
    if (operand == p.written) continue;
    const Span span = span_of(p, operand);
    const Dtype t = type_of(p, operand);
    Memory& m = c.memory(operand);
    m.origin = span.none ? 0 : -span.low;
    m.bytes.resize(static_cast<size_t>(span.elements()) * size_of(t));
    for (int64_t k = 0; k < span.elements(); ++k) store(m.bytes.data(), t, k, value(t));
  }
  if (p.epilogue.bias && p.written == Written::kY) {
    const Dtype t = p.types.accumulator;
    c.bias.resize(static_cast<size_t>(p.groups * p.co) * size_of(t));
    for (int64_t k = 0; k < p.groups * p.co; ++k) store(c.bias.data(), t, k, rounded(p.types.y, value(t)));
  }
  return c;
}

}  // namespace ctconv::rig
