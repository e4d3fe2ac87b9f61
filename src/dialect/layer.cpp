// SPDX-License-Identifier: Apache-2.0
// Fields of the descriptor that most dialects fill alike. See layer.h.
#include "src/dialect/layer.h"

namespace ctconv {

Descriptor begin_descriptor(const Dialect& self, int rank) {
  Descriptor d;
  d.dialect = self.name;
  d.rank = rank;
  return d;
}

void set_layer(const LayerArguments& given, Descriptor* d) {
  d->in_channels = given.in.get();
  d->out_channels = given.out.get();
  d->groups = given.groups.get();
  d->kernel = given.kernel.get();
  d->stride = given.stride.get();
  d->dilation = given.dilation.get();
}

Descriptor begin_descriptor(const Dialect& self, int rank, const LayerArguments& given) {
  Descriptor d = begin_descriptor(self, rank);
  set_layer(given, &d);
  return d;
}

void set_pads(const std::vector<int64_t>& pairs, Descriptor* d) {
  d->pad_begin.clear();
  d->pad_end.clear();
  for (size_t n = 0; n + 1 < pairs.size(); n += 2) {
    d->pad_begin.push_back(pairs[n]);
    d->pad_end.push_back(pairs[n + 1]);
  }
}

std::vector<int64_t> weight_shape_of(const Descriptor& d) {
  const WeightAxes axes = weight_axes(d.weight_order, d.groups, d.rank);
  const auto extents = weight_extents(axes, d.groups, d.in_channels, d.out_channels / d.groups, d.kernel);
  return {extents.begin(), extents.begin() + axes.ndim};
}

std::vector<ElementType> element_types(std::initializer_list<Dtype> types) {
  std::vector<ElementType> out;
  for (Dtype type : types) out.push_back(element_type(type));
  return out;
}

}  // namespace ctconv
