// SPDX-License-Identifier: Apache-2.0
// Judgements of the weight's and the bias's shapes. See checks.h.
#include <algorithm>

#include "src/base/show.h"
#include "src/problem/judge/checks.h"

namespace ctconv {

Status judge_weight_rank(const Facts& f) {
  if (!f.new_weight() && !(f.w && f.x && weight_rank_needs_input(f.desc))) return {};
  if (f.w->ndim == f.axes.ndim && f.rank > 0) return {};
  return argument_error(f.desc.codes.weight_rank, f.desc.spelling.w, show_shape(*f.w), text(f.axes.ndim) + " axes",
                        has_axes(*f.w));
}

Status judge_weight_shape(const Facts& f) {
  // A kernel that follows from the output size is known at the call alone: the op's own weight is judged there again.
  if (!f.weight_ready() || !(f.new_weight() || f.desc.kernel_source == KernelSource::kOutputSize)) return {};
  const std::vector<int64_t> want = f.expected_weight(f.x != nullptr);
  std::string legal = "(";
  bool fits = true;
  for (size_t n = 0; n < want.size(); ++n) {
    const int64_t have = f.w->shape[n];
    fits = fits && (want[n] ? have == want[n] : have >= 1);
    legal += (n ? ", " : "") + (want[n] ? text(want[n]) : "any");
  }
  // Channels read off the weight itself still have to fill whole groups.
  if (fits && !f.desc.in_channels && f.weight_in_channels() % f.desc.groups != 0) {
    return argument_error(Code::VALUE_IN_CHANNELS_GROUPS, f.desc.spelling.w, show_shape(*f.w),
                          multiple_of_groups(f.desc), "input channels are not divisible by " + f.desc.spelling.groups);
  }
  if (fits) return {};
  return argument_error(f.desc.codes.weight_shape, f.desc.spelling.w, show_shape(*f.w), legal + ")",
                        "has another shape");
}

Status judge_bias_shape(const Facts& f) {
  if (!f.b || f.call.bias_judged || f.out_channels() == 0) return {};
  if (!f.desc.bias_allowed) {
    return argument_error(Code::VALUE_BIAS_NOT_NONE, f.desc.spelling.b, show_shape(*f.b), "no bias",
                          "was given although the arguments say there is none");
  }
  const std::vector<int64_t> want = f.expected_bias();
  if (std::equal(want.begin(), want.end(), f.b->dims().begin(), f.b->dims().end())) return {};
  return argument_error(Code::SHAPE_BIAS_SHAPE, f.desc.spelling.b, show_shape(*f.b), show_shape(want),
                        "has another shape");
}

}  // namespace ctconv
