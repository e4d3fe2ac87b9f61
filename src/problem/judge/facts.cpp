// SPDX-License-Identifier: Apache-2.0
// Sizes read off the first place that knows them: the arguments, then the weight, then x. See facts.h.
#include "src/problem/judge/facts.h"

#include <algorithm>

#include "src/base/checked.h"

namespace ctconv {
namespace {

int rank_of(const Descriptor& desc, const CallTensors& tensors) {
  if (desc.rank != 0) return desc.rank;
  if (tensors.x) return tensors.x->ndim - 2;
  if (tensors.w) return tensors.w->ndim - 2;
  return 0;
}

// Beyond 63 bits the largest multiple of `groups`: times the size of an element it fits no tensor (judge_extent).
int64_t of_all_groups(int64_t channels, int64_t groups) {
  const Checked all = Checked(channels) * groups;
  return all.ok() ? all.value() : INT64_MAX / groups * groups;
}

}  // namespace

Facts::Facts(const Descriptor& descriptor, const CallTensors& tensors)
    : desc(descriptor), call(tensors), x(tensors.x), w(tensors.w), b(tensors.b) {
  rank = std::clamp(rank_of(desc, tensors), 0, 3);
  batched = !(x && desc.unbatched && x->ndim == rank + 1);
  axes = weight_axes(desc.weight_order, desc.groups, rank);
}

int64_t Facts::x_channels() const {
  if (desc.channels_last) return at(x->shape, x->ndim - 1);
  return at(x->shape, batched ? 1 : 0);
}

int64_t Facts::weight_in_channels() const {
  if (!weight_ready()) return 0;
  return of_all_groups(at(w->shape, axes.in), axes.own_group() ? desc.groups : 1);
}

int64_t Facts::weight_out_channels() const { return weight_ready() ? at(w->shape, axes.out) : 0; }

int64_t Facts::in_channels() const {
  if (desc.in_channels) return desc.in_channels;
  if (w) return weight_in_channels();
  return x_ready() ? x_channels() : 0;
}

int64_t Facts::out_channels() const {
  return desc.out_channels ? desc.out_channels : of_all_groups(weight_out_channels(), desc.groups);
}

std::optional<int64_t> Facts::requested_size(int axis) const {
  if (call.size && call.size->given && call.size->fault.ok()) return at(call.size->sizes, axis);
  if (axis < std::ssize(desc.output_size)) return at(desc.output_size, axis);
  return std::nullopt;
}

int64_t Facts::kernel(int axis) const {
  // A list of the wrong length is judged at its own place (kArgumentLengths): its missing entries are unknown here.
  if (!desc.kernel.empty()) return axis < std::ssize(desc.kernel) ? at(desc.kernel, axis) : 0;
  if (desc.kernel_source == KernelSource::kOutputSize) {
    const std::optional<int64_t> size = requested_size(axis);
    return size ? derived_kernel(desc, static_cast<size_t>(axis), x_extent(axis), *size).value_or(0) : 0;
  }
  return weight_ready() ? at(w->shape, axes.tap + axis) : 0;
}

std::vector<int64_t> Facts::expected_weight(bool with_derived_taps) const {
  int64_t in = desc.in_channels;
  if (in == 0 && !w) in = in_channels();
  const int64_t out = desc.out_channels ? desc.out_channels / desc.groups : 0;
  const bool derived = with_derived_taps && desc.kernel_source == KernelSource::kOutputSize;
  const bool known = !desc.kernel.empty() || derived;
  std::vector<int64_t> taps(static_cast<size_t>(rank), 0);
  for (int a = 0; known && a < rank; ++a) at(taps, a) = kernel(a);
  const auto extents = weight_extents(axes, desc.groups, in, out, taps);
  return {extents.begin(), extents.begin() + axes.ndim};
}

std::vector<int64_t> Facts::expected_bias() const {
  std::vector<int64_t> shape = {out_channels()};
  if (desc.bias_order == BiasOrder::kOneChannelOnes) {
    shape.insert(shape.begin(), 1);
    shape.insert(shape.end(), static_cast<size_t>(rank), 1);
  }
  return shape;
}

}  // namespace ctconv
