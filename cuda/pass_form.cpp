// SPDX-License-Identifier: Apache-2.0
// Folding the axes of a pass; see pass_form.h.
#include "cuda/pass_form.h"

#include <algorithm>
#include <vector>

namespace ctconv::cuda {
namespace {

struct PassAxis {
  int64_t extent, to, from, with;
};

int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

// `inner` runs on where `outer` stands still, in all three.
bool continues(const PassAxis& outer, const PassAxis& inner) {
  return outer.to == inner.extent * inner.to && outer.from == inner.extent * inner.from &&
         outer.with == inner.extent * inner.with;
}

std::vector<PassAxis> folded(const ctconv_cuda_pass& p) {
  std::vector<PassAxis> axes;
  for (int a = 0; a < p.rank; ++a) {
    if (p.extent[a] != 1) axes.push_back({p.extent[a], p.to_stride[a], p.from_stride[a], p.with_stride[a]});
  }
  std::stable_sort(axes.begin(), axes.end(),
                   [](const PassAxis& a, const PassAxis& b) { return magnitude(a.to) > magnitude(b.to); });
  std::vector<PassAxis> out;
  for (const PassAxis& axis : axes) {
    if (!out.empty() && continues(out.back(), axis)) {
      out.back() = {out.back().extent * axis.extent, axis.to, axis.from, axis.with};
    } else {
      out.push_back(axis);
    }
  }
  return out;
}

}  // namespace

void pass_form(const ctconv_cuda_pass& p, PassParams* out) {
  *out = {};
  out->to = p.to;
  out->from = p.from;
  out->with = p.with;
  out->kind = p.kind;
  out->from_sums = p.from_sums;
  out->act = {static_cast<Act>(p.activation), p.alpha, p.beta};
  out->elements = 1;
  for (const PassAxis& axis : folded(p)) {
    const int32_t a = out->rank++;
    out->extent[a] = axis.extent;
    out->to_stride[a] = axis.to;
    out->from_stride[a] = axis.from;
    out->with_stride[a] = axis.with;
    out->elements *= axis.extent;
  }
  out->wide = out->elements > 0x7fffffff;
  if (out->wide || out->elements == 0) return;
  for (int a = 0; a < out->rank; ++a) out->by_extent[a] = Divider::of(static_cast<uint32_t>(out->extent[a]));
}

}  // namespace ctconv::cuda
