// SPDX-License-Identifier: Apache-2.0
// Strides by name instead of by position: the last place that knows a dialect's axis order. See canonicalize.h.
#include "src/problem/canonicalize.h"

#include <stdexcept>

#include "src/problem/region.h"

namespace ctconv {
namespace {

// Axis `a` of the geometry sits at position 3 - rank + a of the three canonical axes.
ActivationLayout activation_layout(const Descriptor& desc, const Geometry& g, const Strides& s) {
  ActivationLayout out;
  const int first = g.batched ? 1 : 0;
  out.n = g.batched ? s[0] : 0;
  out.c = at(s, desc.channels_last ? first + g.rank : first);
  for (int a = 0; a < g.rank; ++a) {
    at(out.axis, 3 - g.rank + a) = at(s, spatial_axis(desc, g, a));
  }
  return out;
}

WeightLayout weight_layout(const WeightAxes& axes, int rank, const Strides& s, int64_t ci) {
  WeightLayout out;
  out.ci = at(s, axes.in);
  out.co = at(s, axes.out);
  if (axes.own_group()) {
    out.g = at(s, axes.group);
  } else if (axes.group >= 0) {
    out.g = ci * out.ci;  // groups lie side by side along the input channels
  }
  for (int a = 0; a < rank; ++a) at(out.tap, 3 - rank + a) = at(s, axes.tap + a);
  return out;
}

Strides dense_weight(const WeightAxes& axes, const Geometry& g, int64_t groups) {
  std::array<int64_t, 3> taps{};
  for (int a = 0; a < g.rank; ++a) at(taps, a) = at(g.axis, a).k;
  const auto extents = weight_extents(axes, groups, g.in_channels, g.out_channels / groups,
                                      std::span(taps).first(static_cast<size_t>(g.rank)));
  return dense_strides(std::span(extents).first(static_cast<size_t>(axes.ndim)));
}

}  // namespace

Problem canonicalize(const Descriptor& desc, const Geometry& g, const Layouts& layouts) {
  Problem p;
  // A dialect that lists a type no engine computes would be served as f32 otherwise. It answers INTERNAL at the border.
  Dtype type;
  if (!to_dtype(g.type, &type)) throw std::logic_error("a judged element type that no engine computes");
  p.types = uniform_types(type);
  p.rank = g.rank;
  p.n = g.n;
  p.groups = desc.groups;
  p.ci = g.in_channels / desc.groups;
  p.co = g.out_channels / desc.groups;
  for (int a = 0; a < g.rank; ++a) {
    const AxisSizes& s = at(g.axis, a);
    at(p.axis, 3 - g.rank + a) = {.i = s.in, .o = s.core, .k = s.k, .s = s.s, .d = s.d, .lo = s.lo, .tail = s.tail};
  }
  const TensorSpec y = output_spec(desc, g);
  p.x = activation_layout(desc, g, layouts.x->strides);
  p.y = activation_layout(desc, g, layouts.y ? layouts.y->strides : dense_strides(y.dims()));
  const WeightAxes axes = weight_axes(desc.weight_order, desc.groups, g.rank);
  p.w = weight_layout(axes, g.rank, layouts.w ? layouts.w->strides : dense_weight(axes, g, desc.groups), p.ci);
  p.epilogue.bias = layouts.bias;
  p.epilogue.activation = layouts.act;
  return p;
}

}  // namespace ctconv
