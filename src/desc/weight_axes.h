// SPDX-License-Identifier: Apache-2.0
// Where each axis of a weight stands: an order is a row of data, and no other stage asks which order it has.
//
//   in:  a WeightOrder, groups, rank (spatial axes)
//   out: WeightAxes: the position of every axis by name;   extents by position where the sizes are known
//   refuses: nothing
//   A new order is a name in WeightOrder and a row of kWeightOrders, both in the same place.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "src/base/at.h"
#include "src/base/tensor.h"

namespace ctconv {

enum class WeightOrder {
  kInOutTaps,       // (Cin, Cout/groups, k...)
  kGroupInOutTaps,  // (groups, Cin/groups, Cout/groups, k...) where groups > 1, else (Cin, Cout, k...)
  kTapsOutIn,       // (k..., Cout, Cin)
  kInOutOneTaps,    // (Cin, Cout/groups, 1, k)
};

struct WeightAxes {
  int ndim = 0;
  int in = -1;     // input channels: of one group where groups have an axis of their own, else of all
  int out = -1;    // output channels of one group
  int tap = -1;    // the first tap; the others follow it
  int one = -1;    // an axis of extent 1; -1: there is none
  int group = -1;  // the axis that counts the groups: one of their own, or `in`; -1: neither

  constexpr bool own_group() const { return group >= 0 && group != in; }
};

// The axes of each order from the outermost in, and whether groups lie side by side along the input channels.
struct WeightOrderRow {
  std::array<int WeightAxes::*, 4> axes;
  bool groups_along_in;
};
inline constexpr WeightOrderRow kWeightOrders[] = {
    {{&WeightAxes::in, &WeightAxes::out, &WeightAxes::tap}, true},                       // kInOutTaps
    {{&WeightAxes::group, &WeightAxes::in, &WeightAxes::out, &WeightAxes::tap}, false},  // kGroupInOutTaps
    {{&WeightAxes::tap, &WeightAxes::out, &WeightAxes::in}, false},                      // kTapsOutIn
    {{&WeightAxes::in, &WeightAxes::out, &WeightAxes::one, &WeightAxes::tap}, true},     // kInOutOneTaps
};

constexpr WeightAxes weight_axes(WeightOrder order, int64_t groups, int rank) {
  const WeightOrderRow& row = at(kWeightOrders, static_cast<int64_t>(order));
  WeightAxes axes;
  for (int WeightAxes::*axis : row.axes) {
    if (axis == nullptr) break;
    if (axis == &WeightAxes::group && groups <= 1) continue;
    axes.*axis = axes.ndim;
    axes.ndim += axis == &WeightAxes::tap ? rank : 1;
  }
  if (row.groups_along_in) axes.group = axes.in;
  return axes;
}

// in: of all groups; out: of one group. A size that is not known may be 0 and stays 0.
constexpr std::array<int64_t, kMaxNdim> weight_extents(const WeightAxes& axes, int64_t groups, int64_t in, int64_t out,
                                                       std::span<const int64_t> taps) {
  std::array<int64_t, kMaxNdim> extent{};
  if (axes.own_group()) at(extent, axes.group) = groups;
  at(extent, axes.in) = axes.own_group() ? in / groups : in;
  at(extent, axes.out) = out;
  if (axes.one >= 0) at(extent, axes.one) = 1;
  int next = axes.tap;
  for (int64_t tap : taps) at(extent, next++) = tap;
  return extent;
}

}  // namespace ctconv
