// SPDX-License-Identifier: Apache-2.0
// Judgements of x alone: its rank, its channels, no extent of 0; words that others use too. See checks.h.
#include "src/base/show.h"
#include "src/problem/judge/checks.h"

namespace ctconv {

std::string has_axes(const TensorView& tensor) { return "has " + text(tensor.ndim) + " axes"; }

std::string multiple_of_groups(const Descriptor& desc) {
  return "a multiple of " + desc.spelling.groups + " = " + text(desc.groups);
}

Status judge_input_rank(const Facts& f) {
  if (!f.x) return {};
  std::string legal = "3 to 5 axes";  // a dialect whose rank the tensors tell
  if (f.desc.rank == 0) {
    if (f.x->ndim >= 3 && f.x->ndim <= 5) return {};
  } else {
    const int want = f.desc.rank + 2;
    if (f.x->ndim == want || !f.batched) return {};
    legal = text(want) + " axes";
    if (f.desc.unbatched) legal += ", or " + text(want - 1) + " without the batch";
  }
  return argument_error(f.desc.codes.input_rank, f.desc.spelling.x, show_shape(*f.x), legal, has_axes(*f.x));
}

Status judge_groups_divide_input(const Facts& f) {
  if (!f.x_ready() || f.x_channels() % f.desc.groups == 0) return {};
  return argument_error(Code::VALUE_IN_CHANNELS_GROUPS, f.desc.spelling.x, text(f.x_channels()) + " channels",
                        multiple_of_groups(f.desc), "channels are not divisible by " + f.desc.spelling.groups);
}

Status judge_input_channels(const Facts& f) {
  if (!f.x_ready()) return {};
  const int64_t want = f.in_channels();
  if (want && f.x_channels() != want) {
    return argument_error(f.desc.codes.input_channels, f.desc.spelling.x, show_shape(*f.x), text(want) + " channels",
                          "has " + text(f.x_channels()) + " channels");
  }
  bool empty = f.x_channels() <= 0;
  for (int a = 0; a < f.rank; ++a) empty = empty || f.x_extent(a) <= 0;
  if (!empty) return {};
  return argument_error(Code::SHAPE_INPUT_EMPTY, f.desc.spelling.x, show_shape(*f.x), "every extent but the batch >= 1",
                        "has an extent of 0");
}

}  // namespace ctconv
