// SPDX-License-Identifier: Apache-2.0
// Phases of one axis; see phases.h for the formula.
//
//   in:  Axis
//   out: AxisPhases and Stretches
#include "src/kit/phases.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "src/base/checked.h"

namespace ctconv::kit {

AxisPhases phases_of(const Axis& axis) {
  AxisPhases a;
  a.i = axis.i;
  a.o = axis.o;
  a.lo = axis.lo;
  a.s = axis.s;
  if (axis.i == 1) a.s = std::max<int64_t>({(axis.k - 1) * axis.d + 1, axis.lo + axis.o, 1});
  const int64_t g = std::gcd(a.s, axis.d);
  a.t_step = a.s / g;
  a.v_step = axis.d / g;

  const int64_t count = std::min(a.s, a.o);
  a.phases.resize(static_cast<size_t>(count));
  for (int64_t first = 0; first < count; ++first) {  // the phase of output row `first`
    Phase& p = at(a.phases, first);
    p.f = a.lo + first - floor_div(a.lo + first, a.s) * a.s;
    p.u_begin = ceil_div(a.lo - p.f, a.s);
    p.u_end = floor_div(a.lo + a.o - 1 - p.f, a.s) + 1;
  }
  for (int64_t t = 0; t < axis.k; ++t) {
    const int64_t shifted = t * axis.d - a.lo;
    const int64_t first = shifted - floor_div(shifted, a.s) * a.s;
    if (first >= count) continue;
    Phase& p = at(a.phases, first);
    if (p.taps++ == 0) {
      p.t0 = t;
      p.v0 = floor_div(t * axis.d, a.s);
    }
  }

  a.u0 = a.phases[0].u_begin;
  int64_t u_end = a.phases[0].u_end;
  std::map<std::pair<int64_t, int64_t>, int32_t> lists;  // as many as phases where the dilation is as large
  for (Phase& p : a.phases) {
    a.u0 = std::min(a.u0, p.u_begin);
    u_end = std::max(u_end, p.u_end);
    if (p.taps > 0) a.v_max = std::max(a.v_max, p.v0 + (p.taps - 1) * a.v_step);
    const std::pair<int64_t, int64_t> key{p.taps ? p.v0 : 0, p.taps};
    p.tap_list = lists.try_emplace(key, static_cast<int32_t>(lists.size())).first->second;
  }
  a.tap_lists = static_cast<int32_t>(lists.size());
  a.un = u_end - a.u0;
  a.first_f = a.phases[0].f;
  a.late = 0;
  while (a.late < count && a.phase(a.late).u_begin == a.u0) ++a.late;
  return a;
}

Grid grid_of(const Problem& p) { return {phases_of(p.axis[0]), phases_of(p.axis[1]), phases_of(p.axis[2])}; }

AxisPhases gradient_phases_of(const Axis& axis) {
  AxisPhases a;
  a.i = axis.o;
  a.o = axis.i;
  a.step = axis.i == 1 ? 1 : axis.s;
  a.t_step = -1;
  a.v_step = axis.d;
  Phase p;
  p.u_end = axis.i;
  p.t0 = axis.k - 1;
  p.v0 = axis.lo - (axis.k - 1) * axis.d;
  p.taps = axis.k;
  a.un = axis.i;
  a.v_max = axis.lo;
  a.phases.push_back(p);
  return a;
}

Grid gradient_grid_of(const Problem& p) {
  return {gradient_phases_of(p.axis[0]), gradient_phases_of(p.axis[1]), gradient_phases_of(p.axis[2])};
}

// Between two of them a tap of the phase begins or stops to meet the input.
int64_t most_stretches(const AxisPhases& axis) {
  int64_t most = 0;
  for (const Phase& p : axis.phases) most += std::min(2 * p.taps + 1, std::max<int64_t>(1, p.u_end - p.u_begin));
  return most;
}

std::vector<Stretch> stretches_of(const AxisPhases& axis, const Phase& phase, int64_t u_begin, int64_t u_end) {
  std::vector<Stretch> out;
  for (int64_t u = u_begin; u < u_end;) {
    // Tap j is real where 0 <= row - v_j < i, v_j ascending: j in [first with v_j > row - i, first with v_j > row).
    const int64_t row = u * axis.step;
    const int64_t j_begin = std::clamp<int64_t>(floor_div(row - axis.i - phase.v0, axis.v_step) + 1, 0, phase.taps);
    const int64_t j_end = std::clamp<int64_t>(floor_div(row - phase.v0, axis.v_step) + 1, j_begin, phase.taps);
    // The nearest u at which a tap starts or stops to be real.
    const auto reaches = [&](int64_t place) { return std::max(u + 1, ceil_div(place, axis.step)); };
    int64_t next = u_end;
    if (j_begin < phase.taps) next = std::min(next, reaches(phase.v0 + j_begin * axis.v_step + axis.i));
    if (j_end < phase.taps) next = std::min(next, reaches(phase.v0 + j_end * axis.v_step));
    out.push_back({u, next, j_begin, j_end});
    u = next;
  }
  return out;
}

}  // namespace ctconv::kit
