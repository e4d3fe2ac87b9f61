// Strides by name instead of by position: the last place that knows a dialect's axis order. See canonicalize.h.
#include "src/problem/canonicalize.h"

#include <stdexcept>

namespace ctconv {
namespace {

using Strides = std::array<int64_t, kMaxNdim>;

// Dense row-major strides; extents of 0 count as 1 so that an empty tensor has harmless strides.
Strides dense_strides(const int64_t* shape, int ndim) {
  Strides s{};
  int64_t step = 1;
  for (int a = ndim; a-- > 0;) {
    s[static_cast<size_t>(a)] = step;
    step *= shape[a] > 0 ? shape[a] : 1;
  }
  return s;
}

// Axis `a` of the geometry sits at position 3 - rank + a of the three canonical axes.
ActivationLayout activation_layout(const Descriptor& desc, const Geometry& g, const Strides& s) {
  ActivationLayout out;
  const int first = g.batched ? 1 : 0;
  out.n = g.batched ? s[0] : 0;
  out.c = s[static_cast<size_t>(desc.channels_last ? first + g.rank : first)];
  for (int a = 0; a < g.rank; ++a) {
    out.axis[static_cast<size_t>(3 - g.rank + a)] = s[static_cast<size_t>(first + (desc.channels_last ? 0 : 1) + a)];
  }
  return out;
}

WeightLayout weight_layout(const Descriptor& desc, const Geometry& g, const Strides& s, int64_t ci) {
  WeightLayout out;
  size_t tap = 0;
  switch (desc.weight_order) {
    case WeightOrder::kInOutTaps:
    case WeightOrder::kInOutOneTaps:
      out.g = ci * s[0];
      out.ci = s[0];
      out.co = s[1];
      tap = desc.weight_order == WeightOrder::kInOutOneTaps ? 3 : 2;
      break;
    case WeightOrder::kGroupInOutTaps: {
      const size_t grouped = desc.groups > 1 ? 1 : 0;
      out.g = grouped ? s[0] : 0;
      out.ci = s[grouped];
      out.co = s[grouped + 1];
      tap = grouped + 2;
      break;
    }
    case WeightOrder::kTapsOutIn:
      out.co = s[static_cast<size_t>(g.rank)];
      out.ci = s[static_cast<size_t>(g.rank + 1)];
      break;
  }
  for (int a = 0; a < g.rank; ++a) out.tap[static_cast<size_t>(3 - g.rank + a)] = s[tap + static_cast<size_t>(a)];
  return out;
}

Strides dense_weight(const Descriptor& desc, const Geometry& g) {
  std::array<int64_t, kMaxNdim> shape{};
  int n = 0;
  const auto push = [&](int64_t extent) { shape[static_cast<size_t>(n++)] = extent; };
  const auto push_taps = [&] {
    for (int a = 0; a < g.rank; ++a) push(g.axis[static_cast<size_t>(a)].k);
  };
  const int64_t out = g.out_channels / desc.groups;
  switch (desc.weight_order) {
    case WeightOrder::kInOutTaps:
      push(g.in_channels);
      push(out);
      push_taps();
      break;
    case WeightOrder::kInOutOneTaps:
      push(g.in_channels);
      push(out);
      push(1);
      push_taps();
      break;
    case WeightOrder::kGroupInOutTaps:
      if (desc.groups > 1) push(desc.groups);
      push(g.in_channels / desc.groups);
      push(out);
      push_taps();
      break;
    case WeightOrder::kTapsOutIn:
      push_taps();
      push(out);
      push(g.in_channels);
      break;
  }
  return dense_strides(shape.data(), n);
}

}  // namespace

Problem canonicalize(const Descriptor& desc, const Geometry& g, const Layouts& layouts) {
  Problem p;
  // A dialect that lists a type no engine computes would be served as f32 otherwise. It answers INTERNAL at the border.
  if (!to_dtype(g.type, &p.dtype)) throw std::logic_error("a judged element type that no engine computes");
  p.rank = g.rank;
  p.n = g.n;
  p.groups = desc.groups;
  p.ci = g.in_channels / desc.groups;
  p.co = g.out_channels / desc.groups;
  for (int a = 0; a < g.rank; ++a) {
    const AxisSizes& s = g.axis[static_cast<size_t>(a)];
    p.axis[static_cast<size_t>(3 - g.rank + a)] = {
        .i = s.in, .o = s.core, .k = s.k, .s = s.s, .d = s.d, .lo = s.lo, .tail = s.tail};
  }
  const TensorSpec y = output_spec(desc, g);
  p.x = activation_layout(desc, g, layouts.x->strides);
  p.y = activation_layout(desc, g, layouts.y ? layouts.y->strides : dense_strides(y.shape.data(), y.ndim));
  p.w = weight_layout(desc, g, layouts.w ? layouts.w->strides : dense_weight(desc, g), p.ci);
  p.bias = layouts.bias;
  p.act = layouts.act;
  return p;
}

}  // namespace ctconv
