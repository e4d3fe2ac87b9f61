// SPDX-License-Identifier: Apache-2.0
// The Problem in oneDNN's words.
//
//   x: {n, groups*ci, axes}   y: {n, groups*co, axes}   w: {groups, co, ci, axes}, not flipped   bias: {groups*co}, f32
//   s = s, d = d - 1, pad_l = lo, pad_r = (i-1)*s + d*(k-1) + 1 - lo - o (may be negative: output_padding)
//   Axes are the `rank` axes the caller sees, outermost first.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "src/problem/problem.h"

namespace ctconv::onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

// How the caller's tensor lies. A tensor may be both first and last (one channel, or one position).
struct Tensor {
  Dims dims, strides;
  dnnl::memory::data_type type;
  bool channels_first = false, channels_last = false;
  bool nested = false;  // positive strides, no two elements on one address: a reorder may read and write it

  Desc first() const;
  Desc last() const;
  Desc as_it_lies() const { return channels_first ? first() : channels_last ? last() : Desc(dims, type, strides); }
};

// False for element types oneDNN has no name for.
bool data_type_of(Dtype dtype, dnnl::memory::data_type* type);

Tensor input_of(const Problem& p);
Tensor output_of(const Problem& p);
// Weights in the caller's order; nested says whether a reorder may read them.
Tensor weights_of(const Problem& p);

struct Geometry {
  Dims stride, dilation, pad_l, pad_r;
};
Geometry geometry_of(const Problem& p);

// Activation as a post-op.
dnnl::primitive_attr attributes_of(const Activation& act);

// A name that two layouts share only if they are the same bytes.
std::string layout_key(const Desc& desc);

}  // namespace ctconv::onednn
