// SPDX-License-Identifier: Apache-2.0
// What the engine `winograd` computes, one output at a time: the order of its sums, written down in scalar code.
//
//   in:  a Problem that the engine serves, its operands;   out: y in logical order
//   An axis h or w is a list of phases of 1, 2 or 3 taps. Its tiles begin at the lowest u of any phase: with a dilation
//   d each residue u mod d has tiles of its own. A tile reads 1 or 4 neighbouring rows x0 .. of x (rows beyond are 0).
//     most taps 1   tiles of 1   one tap:     v = x0              u = g0                           y = m
//     most taps 2   tiles of 3   two taps:    v of 4 points       u = g0, (g0+g1)/2, (g0-g1)/2, g1
//                                             y = m0+(m1+m2), m1-m2, (m1+m2)+m3
//                                one tap:     v = x1, x2, x3      u = g0                           y = m
//     most taps 3   tiles of 2   three taps:  v of 4 points       u = g0, (g0+g2+g1)/2, (g0+g2-g1)/2, g2
//                                             y = m0+(m1+m2), (m1-m2)+m3
//                                two taps:    v = x1-x2, x2, x3-x2   u = g0, g0+g1, g1             y = m0+m1, m1+m2
//     4 points: v = x0-x2, x1+x2, x2-x1, x3-x1.   g0 is the tap of the oldest row
//   Edges: with dilation 1 the u that meets the first row of x alone, by its newest tap, is computed as if its axis had
//   that tap only: v = the row, u = g, y = m. So is the last u, where its oldest tap meets the last row, unless a phase
//   of fewer taps has an output there.
//   Both axes: x along h, then w, in f32; g along h, then w, in f64, then rounded; m along h, then w, in f32.
//   m of a point = chain of fma from +0 over the taps of d (the newest row first), input channels within.
//   y = round(act(sum + bias)).   Shares no code with the engine.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "tests/rig/definition.h"

namespace ctconv::winograd_test {

using Four = std::array<double, 4>;

// Along one axis: what an output belongs to.
struct Place {
  int64_t most = 1, taps = 1;          // taps a phase has at most; of this output's phase
  int64_t output = 0;                  // of its tile
  std::vector<int64_t> rows;           // of x, that the tile reads
  std::vector<int64_t> tap_of_oldest;  // taps of the kernel, the one that reads the oldest row first
  int64_t first() const { return most > taps ? 1 : 0; }
  int64_t points() const { return taps == most && most > 1 ? 4 : most == 1 ? 1 : 3; }
};

inline int64_t floor_of(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

// Taps of phase f of an axis, those of the newest row first.
inline std::vector<int64_t> taps_of(const Axis& a, int64_t f) {
  std::vector<int64_t> taps;
  for (int64_t t = 0; t < a.k; ++t) {
    if ((t * a.d) % a.s == f) taps.push_back(t);
  }
  return taps;
}

// An axis of one row is as if its stride were so long that every tap is a phase of its own.
inline int64_t stride_of(const Axis& a) {
  return a.i == 1 ? std::max<int64_t>({(a.k - 1) * a.d + 1, a.lo + a.o, 1}) : a.s;
}

inline Place place_of(const Axis& axis, int64_t o) {
  Axis a = axis;
  a.s = stride_of(axis);
  Place p;
  int64_t least_u = INT64_MAX, last_u = INT64_MIN, least_taps_at_last = 0;
  for (int64_t other = 0; other < std::min(a.o, a.s); ++other) {  // the first output of each phase
    const int64_t u = floor_of(other + a.lo, a.s);
    least_u = std::min(least_u, u);
    p.most = std::max(p.most, static_cast<int64_t>(taps_of(a, other + a.lo - u * a.s).size()));
  }
  for (int64_t other = std::max<int64_t>(0, a.o - a.s); other < a.o; ++other) {  // the last output of each phase
    const int64_t u = floor_of(other + a.lo, a.s);
    const auto taps = static_cast<int64_t>(taps_of(a, other + a.lo - u * a.s).size());
    least_taps_at_last = u > last_u ? taps : std::min(least_taps_at_last, taps);
    last_u = std::max(last_u, u);
  }
  const int64_t u = floor_of(o + a.lo, a.s), m = p.most == 1 ? 1 : p.most == 2 ? 3 : 2;
  std::vector<int64_t> taps = taps_of(a, o + a.lo - u * a.s);
  p.taps = static_cast<int64_t>(taps.size());
  p.tap_of_oldest.assign(taps.rbegin(), taps.rend());
  const int64_t step = p.most == 1 ? 1 : a.d / (a.s > 1 ? a.d : 1);  // dilation comes with stride 1 alone
  if (p.most > 1 && a.d == 1) {
    const bool low = least_u == 0;
    const bool high = last_u == a.i + p.most - 2 && least_taps_at_last == p.most && (last_u > 0 || !low);
    if ((low && u == 0) || (high && u == last_u)) {
      const bool newest = low && u == 0;
      p.tap_of_oldest = {newest ? p.tap_of_oldest.back() : p.tap_of_oldest.front()};
      p.rows = {newest ? u : u - (p.most - 1)};
      p.most = p.taps = 1;
      return p;
    }
    if (low) ++least_u;
  }
  const int64_t along = (u - least_u) / step;
  p.output = along % m;
  const int64_t first = u - p.output * step - (p.most - 1) * step;
  for (int64_t r = 0; r < (p.most == 1 ? 1 : 4); ++r) p.rows.push_back(first + r * step);
  return p;
}

template <class T>
std::array<T, 4> points_of_x(const Place& p, const std::array<T, 4>& x) {
  if (p.taps < p.most) {
    if (p.taps == 1) return {x[1], x[2], x[3], T(0)};
    return {x[1] - x[2], x[2], x[3] - x[2], T(0)};
  }
  if (p.most == 1) return {x[0], T(0), T(0), T(0)};
  return {x[0] - x[2], x[1] + x[2], x[2] - x[1], x[3] - x[1]};
}

inline Four points_of_w(const Place& p, const Four& g) {
  if (p.taps == 1) return {g[0], g[0], g[0], 0};
  if (p.taps == 3) return {g[0], ((g[0] + g[2]) + g[1]) * 0.5, ((g[0] + g[2]) - g[1]) * 0.5, g[2]};
  if (p.most == 3) return {g[0], g[0] + g[1], g[1], 0};
  return {g[0], (g[0] + g[1]) * 0.5, (g[0] - g[1]) * 0.5, g[1]};
}

inline float output_of(const Place& p, const std::array<float, 4>& m) {
  if (p.taps == 1) return m[static_cast<size_t>(p.output)];
  if (p.most == 3 && p.taps == 2) return p.output == 0 ? m[0] + m[1] : m[1] + m[2];
  const float both = m[1] + m[2], apart = m[1] - m[2];
  if (p.output == 0) return m[0] + both;
  if (p.taps == 3) return apart + m[3];
  return p.output == 1 ? apart : both + m[3];
}

class Definition {
 public:
  Definition(const Problem& p, const rig::Operand& m) : p_(p), m_(m) {
    for (size_t a = 0; a < 3; ++a) {
      for (int64_t o = 0; o < p.axis[a].o; ++o) places_[a].push_back(place_of(p.axis[a], o));
    }
  }

  double operator()(const rig::Element& e) const {
    const Place& h = places_[1][static_cast<size_t>(e.at[1])];
    const Place& w = places_[2][static_cast<size_t>(e.at[2])];
    std::array<float, 4> sums{};
    for (int64_t b = 0; b < w.points(); ++b) {
      std::array<float, 4> column{};
      for (int64_t a = 0; a < h.points(); ++a) column[static_cast<size_t>(a)] = chain(e, h, w, a, b);
      sums[static_cast<size_t>(b)] = output_of(h, column);
    }
    const float bias = p_.epilogue.bias && m_.bias != nullptr
                           ? static_cast<float>(rig::load(m_.bias, Dtype::kF32, e.g * p_.co + e.co))
                           : 0.0f;
    return rig::activated<float>(p_.epilogue.activation, output_of(w, sums) + bias);
  }

 private:
  float chain(const rig::Element& e, const Place& h, const Place& w, int64_t a, int64_t b) const {
    const Axis& d = p_.axis[0];
    Axis wide = d;
    wide.s = stride_of(d);
    const int64_t u = floor_of(e.at[0] + d.lo, wide.s);
    float sum = 0;
    for (const int64_t t : taps_of(wide, e.at[0] + d.lo - u * wide.s)) {
      const int64_t row = u - t * d.d / wide.s;
      for (int64_t ci = 0; ci < p_.ci; ++ci)
        sum = std::fma(point_x(e, h, w, a, b, row, ci), point_w(e, h, w, a, b, t, ci), sum);
    }
    return sum;
  }

  float point_x(const rig::Element& e, const Place& h, const Place& w, int64_t a, int64_t b, int64_t d,
                int64_t ci) const {
    std::array<float, 4> along_w{};
    for (size_t q = 0; q < w.rows.size(); ++q) {
      std::array<float, 4> x{};
      for (size_t r = 0; r < h.rows.size(); ++r) x[r] = value_x(e.n, e.g * p_.ci + ci, {d, h.rows[r], w.rows[q]});
      along_w[q] = points_of_x(h, x)[static_cast<size_t>(a)];
    }
    return points_of_x(w, along_w)[static_cast<size_t>(b)];
  }

  float value_x(int64_t n, int64_t c, const rig::Point& i) const {
    for (size_t k = 0; k < 3; ++k) {
      if (i[k] < 0 || i[k] >= p_.axis[k].i) return 0;
    }
    return static_cast<float>(rig::load(m_.x, p_.types.x, rig::place_in_x(p_, n, c, i)));
  }

  float point_w(const rig::Element& e, const Place& h, const Place& w, int64_t a, int64_t b, int64_t t,
                int64_t ci) const {
    Four along_w{};
    for (size_t q = 0; q < w.tap_of_oldest.size(); ++q) {
      Four g{};
      for (size_t r = 0; r < h.tap_of_oldest.size(); ++r) {
        g[r] = rig::load(m_.w, p_.types.w,
                         rig::place_in_w(p_, e.g, ci, e.co, {t, h.tap_of_oldest[r], w.tap_of_oldest[q]}));
      }
      along_w[q] = points_of_w(h, g)[static_cast<size_t>(a)];
    }
    return static_cast<float>(points_of_w(w, along_w)[static_cast<size_t>(b)]);
  }

  Problem p_;
  rig::Operand m_;
  std::vector<Place> places_[3];
};

inline rig::Numbers numbers_of(const Problem& p, const rig::Operand& m) {
  rig::Numbers out;
  const Definition definition(p, m);
  rig::each_element(p, Written::kY, [&](const rig::Element& e) { out.add(p.types.y, definition(e)); });
  return out;
}

}  // namespace ctconv::winograd_test
