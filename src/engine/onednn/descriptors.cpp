// SPDX-License-Identifier: Apache-2.0
// See descriptors.h.
#include "src/engine/onednn/descriptors.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "src/base/checked.h"

namespace ctconv::onednn {
namespace {

using Tag = dnnl::memory::format_tag;

// Strides of a dense tensor whose dimensions lie in `order`, outermost first.
Dims dense_strides(const Dims& dims, const std::vector<size_t>& order) {
  Dims strides(dims.size());
  int64_t step = 1;
  for (size_t k = order.size(); k-- > 0;) {
    strides[order[k]] = step;
    step *= dims[order[k]];
  }
  return strides;
}

bool same_places(const Dims& dims, const Dims& a, const Dims& b) {
  for (size_t k = 0; k < dims.size(); ++k) {
    if (dims[k] != 1 && a[k] != b[k]) return false;
  }
  return true;
}

// Extents of 1 step nowhere; oneDNN wants a legal stride there all the same. Then says whether the rest is nested.
void settle(Tensor* t) {
  std::vector<size_t> by_stride;
  for (size_t k = 0; k < t->dims.size(); ++k) {
    if (t->dims[k] != 1) by_stride.push_back(k);
  }
  std::sort(by_stride.begin(), by_stride.end(), [&](size_t a, size_t b) { return t->strides[a] < t->strides[b]; });
  Checked reach = 1;
  t->nested = true;
  for (size_t k : by_stride) {
    if (!reach.ok() || t->strides[k] < reach.value()) t->nested = false;
    reach = Checked(t->strides[k]) * t->dims[k];
  }
  if (!reach.ok()) t->nested = false;
  for (size_t k = 0; k < t->dims.size(); ++k) {
    if (t->dims[k] == 1) t->strides[k] = t->nested ? reach.value() : 1;
  }
}

Tensor activation(const Problem& p, const ActivationLayout& layout, int64_t channels, bool output) {
  Tensor t;
  (void)data_type_of(p.types.x, &t.type);
  t.dims = {p.n, channels};
  t.strides = {layout.n, layout.c};
  std::vector<size_t> first = {0, 1}, last = {0};
  for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
    first.push_back(t.dims.size());
    last.push_back(t.dims.size());
    t.dims.push_back(output ? p.axis[a].o : p.axis[a].i);
    t.strides.push_back(layout.axis[a]);
  }
  last.push_back(1);
  t.channels_first = same_places(t.dims, t.strides, dense_strides(t.dims, first));
  t.channels_last = same_places(t.dims, t.strides, dense_strides(t.dims, last));
  settle(&t);
  return t;
}

}  // namespace

Desc Tensor::first() const {
  return Desc(dims, type, dims.size() == 3 ? Tag::ncw : dims.size() == 4 ? Tag::nchw : Tag::ncdhw);
}
Desc Tensor::last() const {
  return Desc(dims, type, dims.size() == 3 ? Tag::nwc : dims.size() == 4 ? Tag::nhwc : Tag::ndhwc);
}

bool data_type_of(Dtype dtype, dnnl::memory::data_type* type) {
  switch (dtype) {
    case Dtype::kF32:
      *type = dnnl::memory::data_type::f32;
      return true;
    case Dtype::kBf16:
      *type = dnnl::memory::data_type::bf16;
      return true;
    case Dtype::kF16:
      *type = dnnl::memory::data_type::f16;
      return true;
    case Dtype::kF64:
    case Dtype::kI8:
    case Dtype::kI32:
      return false;
  }
  return false;
}

Tensor input_of(const Problem& p) { return activation(p, p.x, p.groups * p.ci, false); }
Tensor output_of(const Problem& p) { return activation(p, p.y, p.groups * p.co, true); }

Tensor weights_of(const Problem& p) {
  Tensor t;
  (void)data_type_of(p.types.x, &t.type);
  if (p.groups > 1) {
    t.dims = {p.groups};
    t.strides = {p.w.g};
  }
  t.dims.insert(t.dims.end(), {p.co, p.ci});
  t.strides.insert(t.strides.end(), {p.w.co, p.w.ci});
  for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
    t.dims.push_back(p.axis[a].k);
    t.strides.push_back(p.w.tap[a]);
  }
  settle(&t);
  return t;
}

Geometry geometry_of(const Problem& p) {
  Geometry g;
  for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
    const Axis& x = p.axis[a];
    g.stride.push_back(x.s);
    g.dilation.push_back(x.d - 1);
    g.pad_l.push_back(x.lo);
    g.pad_r.push_back((x.i - 1) * x.s + x.d * (x.k - 1) + 1 - x.lo - x.o);
  }
  return g;
}

dnnl::primitive_attr attributes_of(const Activation& act) {
  using A = dnnl::algorithm;
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_fpmath_mode(dnnl::fpmath_mode::strict);  // whatever ONEDNN_DEFAULT_FPMATH_MODE says: nobody asked us
  dnnl::post_ops ops;
  const auto alpha = static_cast<float>(act.alpha), beta = static_cast<float>(act.beta);
  switch (act.kind) {
    case Activation::kNone:
      return attr;
    case Activation::kRelu:
      ops.append_eltwise(A::eltwise_relu, 0, 0);
      break;
    case Activation::kLeakyRelu:
      ops.append_eltwise(A::eltwise_relu, alpha, 0);
      break;
    case Activation::kTanh:
      ops.append_eltwise(A::eltwise_tanh, 0, 0);
      break;
    case Activation::kSigmoid:
      ops.append_eltwise(A::eltwise_logistic, 0, 0);
      break;
    case Activation::kClip:
      ops.append_eltwise(A::eltwise_clip, alpha, beta);
      break;
  }
  attr.set_post_ops(ops);
  return attr;
}

std::string layout_key(const Desc& desc) {
  std::string key = std::to_string(static_cast<int>(desc.get_data_type()));
  const auto add = [&](char mark, const Dims& values) {
    key += mark;
    for (int64_t v : values) key += std::to_string(v) + ",";
  };
  add('d', desc.get_dims());
  add('p', desc.get_padded_dims());
  add('s', desc.get_strides());
  add('b', desc.get_inner_blks());
  add('i', desc.get_inner_idxs());
  return key;
}

}  // namespace ctconv::onednn
