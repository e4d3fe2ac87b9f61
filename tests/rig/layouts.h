// SPDX-License-Identifier: Apache-2.0
// Where the elements of a Problem's operands lie, and in which order the rig counts them.
//
//   in:  a Problem, an operand (named as what can be written: kX, kW, kY)
//   out: the place of an element, the span of the operand in memory, all elements in logical order:
//        x and y  n, group, channel, d, h, w      w  group, ci, co, d, h, w
//   y spans its tail too, its elements are those of the core.
#pragma once

#include "src/problem/dense.h"

namespace ctconv::rig {

using Point = std::array<int64_t, 3>;  // d, h, w

// One element of x (n, g, ci, i), of y (n, g, co, o) or of w (g, ci, co, t).
struct Element {
  int64_t n = 0, g = 0, ci = 0, co = 0;
  Point at{};
};

inline int64_t along(const Point& at, const std::array<int64_t, 3>& strides) {
  return at[0] * strides[0] + at[1] * strides[1] + at[2] * strides[2];
}
inline int64_t place_in_x(const Problem& p, int64_t n, int64_t channel, const Point& i) {
  return n * p.x.n + channel * p.x.c + along(i, p.x.axis);
}
inline int64_t place_in_y(const Problem& p, int64_t n, int64_t channel, const Point& o) {
  return n * p.y.n + channel * p.y.c + along(o, p.y.axis);
}
inline int64_t place_in_w(const Problem& p, int64_t g, int64_t ci, int64_t co, const Point& t) {
  return g * p.w.g + ci * p.w.ci + co * p.w.co + along(t, p.w.tap);
}

inline int64_t place_of(const Problem& p, Written operand, const Element& e) {
  if (operand == Written::kY) return place_in_y(p, e.n, e.g * p.co + e.co, e.at);
  if (operand == Written::kX) return place_in_x(p, e.n, e.g * p.ci + e.ci, e.at);
  return place_in_w(p, e.g, e.ci, e.co, e.at);
}

inline Point extents(const Problem& p, Written operand) {
  Point e;
  for (size_t a = 0; a < 3; ++a) {
    const Axis& x = p.axis[a];
    e[a] = operand == Written::kY ? x.o : operand == Written::kX ? x.i : x.k;
  }
  return e;
}

template <class F>
void each_point(const Point& extent, F&& f) {
  for (int64_t d = 0; d < extent[0]; ++d) {
    for (int64_t h = 0; h < extent[1]; ++h) {
      for (int64_t w = 0; w < extent[2]; ++w) f(Point{d, h, w});
    }
  }
}

// f(element) for each element of the operand.
template <class F>
void each_element(const Problem& p, Written operand, F&& f) {
  const int64_t images = operand == Written::kW ? 1 : p.n;
  const int64_t ins = operand == Written::kY ? 1 : p.ci, outs = operand == Written::kX ? 1 : p.co;
  const Point extent = extents(p, operand);
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t ci = 0; ci < ins; ++ci) {
        for (int64_t co = 0; co < outs; ++co) {
          each_point(extent, [&](const Point& at) { f(Element{n, g, ci, co, at}); });
        }
      }
    }
  }
}

// Elements from the lowest to the highest place; element (0, 0, ...) lies -low behind the lowest.
struct Span {
  int64_t low = 0, high = 0;
  bool none = false;
  void add(int64_t extent, int64_t stride) {
    none = none || extent == 0;
    (stride < 0 ? low : high) += (extent - 1) * stride;
  }
  int64_t elements() const { return none ? 0 : high - low + 1; }
};

inline Span span_of(const Problem& p, Written operand) {
  Span s;
  const Point extent = extents(p, operand);
  if (operand == Written::kW) {
    s.add(p.groups, p.w.g);
    s.add(p.ci, p.w.ci);
    s.add(p.co, p.w.co);
    for (size_t a = 0; a < 3; ++a) s.add(extent[a], p.w.tap[a]);
    return s;
  }
  const bool output = operand == Written::kY;
  const ActivationLayout& l = output ? p.y : p.x;
  s.add(p.n, l.n);
  s.add(p.groups * (output ? p.co : p.ci), l.c);
  for (size_t a = 0; a < 3; ++a) s.add(extent[a] + (output ? p.axis[a].tail : 0), l.axis[a]);
  return s;
}

inline Dtype type_of(const Problem& p, Written operand) {
  return operand == Written::kY ? p.types.y : operand == Written::kX ? p.types.x : p.types.w;
}

// Dense strides, but the pitch of a channel, or of a pixel where channels come last, is wider by `gap`: as in a slice
// of a larger tensor.
inline ActivationLayout sliced_layout(const Problem& p, bool output, bool last, int64_t gap) {
  ActivationLayout l = dense_layout(p, output, last);
  const int64_t channels = p.groups * (output ? p.co : p.ci);
  if (last) {
    for (int64_t& s : l.axis) s = s / channels * (channels + gap);
    l.n = l.n / channels * (channels + gap) + gap;
  } else {
    l.c += gap;
    l.n = l.c * (channels + gap);
  }
  return l;
}

// Dense layouts for the extents of p.
inline void lay_out(Problem* p, bool x_last, bool y_last) {
  p->x = dense_layout(*p, false, x_last);
  p->y = dense_layout(*p, true, y_last);
  p->w = dense_weight(*p);
}

}  // namespace ctconv::rig
