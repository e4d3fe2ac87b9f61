// SPDX-License-Identifier: Apache-2.0
// What each operand that can be written IS, one element at a time: the tests' own oracle, slow and literal.
//
//   in:  a Problem and the operands it reads;   out: the written operand, to the bit; or in f64 with a bound's scale
//   Per axis, input i, tap t and output o meet where i*s + t*d - lo == o: every tap (or input) is tried.
//   y[n, c, o]      terms over ci, taps d, h, w                x w    acc = fma(x, w, acc), from +0
//                   y = round(act(rescale(acc + bias)))
//   x[n, c, i]      terms over co, taps d, h, w from the last  y w    acc = fma(y, w, acc), from +0
//                   x = round(acc + 0)
//   w[g, ci, co, t] terms over n, inputs d, h, w               x y    chains of 4096 places, added up;  w = round(sum)
//   bias[c]         with w: terms over n, outputs d, h, w      y 1    the same chains;  in the accumulator's type
//   A place is the number of (n, i), or of (n, o), among all, also those that meet nothing.
//   All of it in the accumulator's type; int8 in int32. A rescale is f64, and so is the activation after it.
//   Shares no index code with the engines (src/engine/reference/taps.h solves for the taps, this tries them).
#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include "src/base/activation.h"
#include "tests/rig/layouts.h"
#include "tests/rig/values.h"

namespace ctconv::rig {

// The operands of a problem: element (0, 0, ...) of each; bias: of the accumulator's type, or null.
struct Operand {
  const void *x = nullptr, *w = nullptr, *y = nullptr, *bias = nullptr;
};

// An input, a tap and an output of one axis that meet.
struct Met {
  int64_t i, t, o;
};

// The input that tap t of output o meets; -1: none.
inline int64_t input_at(const Axis& a, int64_t o, int64_t t) {
  const __int128 reach = __int128{o} + a.lo - __int128{t} * a.d;  // == i*s
  if (reach < 0 || reach % a.s != 0 || reach / a.s >= a.i) return -1;
  return static_cast<int64_t>(reach / a.s);
}

// All that meet at one index of the written operand's axis, in the order of their terms.
inline std::vector<Met> met_at(const Axis& a, Written written, int64_t at) {
  using Wide = __int128;
  std::vector<Met> list;
  const auto output = [&](int64_t i, int64_t t) { return Wide(i) * a.s + Wide(t) * a.d - a.lo; };
  const auto inside = [&](Wide o) { return o >= 0 && o < a.o; };
  const int64_t tried = written == Written::kW ? a.i : a.k;
  for (int64_t k = 0; k < tried; ++k) {
    if (written == Written::kY) {
      if (Wide(k) * a.d > Wide(at) + a.lo) break;  // before input 0, as are all further taps
      const int64_t i = input_at(a, at, k);
      if (i >= 0) list.push_back({i, k, at});
    } else {
      const int64_t i = written == Written::kX ? at : k, t = written == Written::kX ? k : at;
      if (inside(output(i, t))) list.push_back({i, t, static_cast<int64_t>(output(i, t))});
    }
  }
  if (written == Written::kX) std::reverse(list.begin(), list.end());
  return list;
}

template <class Acc>
Acc multiply_add(Acc a, Acc b, Acc c) {
  if constexpr (std::is_floating_point_v<Acc>) {
    return std::fma(a, b, c);
  } else {
    return static_cast<Acc>(int64_t{a} * b + c);
  }
}

// A sum of chains; `length` 0: one chain.
template <class Acc>
class Sum {
 public:
  explicit Sum(int64_t length) : length_(length) {}
  void add(int64_t place, double a, double b) {
    const int64_t chain = length_ == 0 ? 0 : place / length_;
    if (chain != chain_) sum_ = sum_ + std::exchange(part_, Acc(0));
    chain_ = chain;
    part_ = multiply_add(static_cast<Acc>(a), static_cast<Acc>(b), part_);
  }
  Acc total() const { return length_ == 0 ? part_ : sum_ + part_; }

 private:
  int64_t length_, chain_ = 0;
  Acc sum_ = Acc(0), part_ = Acc(0);
};

// In f64: the sum, and the sum of the terms' magnitudes.
struct Exact {
  double value = 0, magnitude = 0;
  void add(int64_t, double a, double b) {
    value += a * b;
    magnitude += std::fabs(a * b);
  }
};

template <class T>
T activated(const Activation& act, T v) {
  switch (act.kind) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      return relu(v);
    case Activation::kLeakyRelu:
      return leaky_relu(v, static_cast<T>(act.alpha));
    case Activation::kTanh:
      return tanh_exact_steps(v);
    case Activation::kSigmoid:
      return sigmoid_exact_steps(v);
    case Activation::kClip:
      return clip(v, static_cast<T>(act.alpha), static_cast<T>(act.beta));
  }
  return v;
}

class Definition {
 public:
  Definition(const Problem& p, const Operand& m) : p_(p), m_(m) {}

  // sum.add(place, a, b) for each term of an element of the written operand, in order.
  template <class S>
  void terms(const Element& e, S* sum) {
    switch (p_.written) {
      case Written::kY:
        return terms_of_y(e, sum);
      case Written::kX:
        return terms_of_x(e, sum);
      case Written::kW:
        return terms_of_w(e, sum);
    }
  }

  template <class S>
  void terms_of_bias(int64_t channel, S* sum) const {
    int64_t place = 0;
    for (int64_t n = 0; n < p_.n; ++n) {
      each_point(extents(p_, Written::kY),
                 [&](const Point& o) { sum->add(place++, load(m_.y, p_.types.y, place_in_y(p_, n, channel, o)), 1); });
    }
  }

  // The finished element, before it is rounded to its type.
  template <class Acc>
  double finished(const Element& e) {
    Sum<Acc> sum(p_.written == Written::kW ? kChain : 0);
    terms(e, &sum);
    if (p_.written != Written::kY) return static_cast<double>(sum.total() + Acc(0));
    const Acc v = sum.total() + static_cast<Acc>(bias(e.g * p_.co + e.co));
    const Epilogue& end = p_.epilogue;
    if constexpr (std::is_floating_point_v<Acc>) {
      if (end.rescale.identity()) return static_cast<double>(activated<Acc>(end.activation, v));
    }
    return activated<double>(end.activation, end.rescale.scale * static_cast<double>(v) + end.rescale.zero_point);
  }

  template <class Acc>
  double finished_bias(int64_t channel) const {
    Sum<Acc> sum(kChain);
    terms_of_bias(channel, &sum);
    return static_cast<double>(sum.total());
  }

  double bias(int64_t channel) const {
    if (p_.written != Written::kY || !p_.epilogue.bias || m_.bias == nullptr) return 0;
    return load(m_.bias, p_.types.accumulator, channel);
  }

 private:
  static constexpr int64_t kChain = 4096;

  const std::vector<Met>& met(size_t axis, int64_t at) {
    const auto [known, fresh] = known_[axis].try_emplace(at);
    if (fresh) known->second = met_at(p_.axis[axis], p_.written, at);
    return known->second;
  }

  // f(input, tap, output) for all that meet at one point of the written operand.
  template <class F>
  void each_met(const Point& at, F&& f) {
    const auto &d = met(0, at[0]), &h = met(1, at[1]), &w = met(2, at[2]);
    for (const Met& a : d) {
      for (const Met& b : h) {
        for (const Met& c : w) f(Point{a.i, b.i, c.i}, Point{a.t, b.t, c.t}, Point{a.o, b.o, c.o});
      }
    }
  }

  double x(int64_t n, int64_t g, int64_t ci, const Point& i) const {
    return load(m_.x, p_.types.x, place_in_x(p_, n, g * p_.ci + ci, i));
  }
  double w(int64_t g, int64_t ci, int64_t co, const Point& t) const {
    return load(m_.w, p_.types.w, place_in_w(p_, g, ci, co, t));
  }
  double y(int64_t n, int64_t g, int64_t co, const Point& o) const {
    return load(m_.y, p_.types.y, place_in_y(p_, n, g * p_.co + co, o));
  }

  template <class S>
  void terms_of_y(const Element& e, S* sum) {
    for (int64_t ci = 0; ci < p_.ci; ++ci) {
      each_met(e.at, [&](const Point& i, const Point& t, const Point&) {
        sum->add(0, x(e.n, e.g, ci, i), w(e.g, ci, e.co, t));
      });
    }
  }
  template <class S>
  void terms_of_x(const Element& e, S* sum) {
    for (int64_t co = 0; co < p_.co; ++co) {
      each_met(e.at, [&](const Point&, const Point& t, const Point& o) {
        sum->add(0, y(e.n, e.g, co, o), w(e.g, e.ci, co, t));
      });
    }
  }
  template <class S>
  void terms_of_w(const Element& e, S* sum) {
    const auto& a = p_.axis;
    for (int64_t n = 0; n < p_.n; ++n) {
      each_met(e.at, [&](const Point& i, const Point&, const Point& o) {
        const int64_t place = ((n * a[0].i + i[0]) * a[1].i + i[1]) * a[2].i + i[2];
        sum->add(place, x(n, e.g, e.ci, i), y(n, e.g, e.co, o));
      });
    }
  }

  Problem p_;
  Operand m_;
  std::map<int64_t, std::vector<Met>> known_[3];
};

// f(T()) with the type that the problem's sums are kept in.
template <class F>
void with_accumulator(const Problem& p, F&& f) {
  switch (p.types.accumulator) {
    case Dtype::kF32:
      return f(float());
    case Dtype::kF64:
      return f(double());
    case Dtype::kI32:
      return f(int32_t());
    default:
      std::abort();  // no problem that a test may draw
  }
}

// Values of the written operand in logical order; with w and epilogue.bias the channels of the bias behind it.
struct Numbers {
  std::vector<double> values;
  std::vector<uint64_t> bits;
  void add(Dtype t, double v) {
    uint64_t memory = 0;
    store(&memory, t, 0, v);
    add(&memory, t, 0);
  }
  void add(const void* data, Dtype t, int64_t at) {
    values.push_back(load(data, t, at));
    bits.push_back(bits_of(data, t, at));
  }
};

inline int64_t written_biases(const Problem& p) {
  return p.written == Written::kW && p.epilogue.bias ? p.groups * p.co : 0;
}

inline Numbers defined(const Problem& p, const Operand& m) {
  Numbers out;
  with_accumulator(p, [&](auto acc) {
    using Acc = decltype(acc);
    Definition definition(p, m);
    each_element(p, p.written, [&](const Element& e) { out.add(type_of(p, p.written), definition.finished<Acc>(e)); });
    for (int64_t c = 0; c < written_biases(p); ++c) out.add(p.types.accumulator, definition.finished_bias<Acc>(c));
  });
  return out;
}

// The same sums in f64, bias added, before rescale, activation and rounding: each with what its error is measured by.
inline std::vector<Exact> defined_in_f64(const Problem& p, const Operand& m) {
  std::vector<Exact> out;
  Definition definition(p, m);
  each_element(p, p.written, [&](const Element& e) {
    Exact sum;
    definition.terms(e, &sum);
    sum.add(0, definition.bias(e.g * p.co + e.co), 1);
    out.push_back(sum);
  });
  for (int64_t c = 0; c < written_biases(p); ++c) definition.terms_of_bias(c, &out.emplace_back());
  return out;
}

}  // namespace ctconv::rig
