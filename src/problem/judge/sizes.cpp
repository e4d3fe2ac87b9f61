// SPDX-License-Identifier: Apache-2.0
// Judgements of sizes: lengths of per-axis arguments, the requested output size, output_padding, the output.
// See checks.h.
#include <algorithm>

#include "src/base/checked.h"
#include "src/base/show.h"
#include "src/problem/judge/checks.h"

namespace ctconv {
namespace {

Status overflow(const Facts& f, int axis) {
  const std::string x = show_shape(*f.x);
  return Status(Status::Detail{.code = Code::SHAPE_OUTPUT_OVERFLOW,
                               .element = axis,
                               .argument = f.desc.spelling.x,
                               .value = x,
                               .range = "every extent, element count and byte count below 2^63",
                               .message = f.desc.spelling.x + " " + x + ": the output extent of axis " + text(axis) +
                                          ", or its element or byte count, does not fit 63 bits"});
}

int64_t entry_or(const std::vector<int64_t>& entries, int axis, int64_t fallback) {
  return axis < std::ssize(entries) ? at(entries, axis) : fallback;
}

// The sizes an axis can be asked for.
struct Reach {
  int64_t first = 1, last = 0;
  bool holds = false;  // the size asked for is one of them
};

// kWindow: base to base + stride - 1, where base is the extent with output_padding 0.
Reach window_of(const Lowered& l) {
  const AxisSizes& a = l.axis;
  return {l.base, (Checked(l.base) + a.s - 1).value(), a.extra >= 0 && a.extra < a.s};
}

// kPads: 1 to stride - 1 beyond what is there with no pads at all; what pads cannot do makes `extra` grow.
Reach reach_of_pads(const Lowered& l, int64_t declared, int64_t asked) {
  const AxisSizes& a = l.axis;
  const Checked last = Checked(a.in - 1) * a.s + Checked(a.d) * (a.k - 1) + declared + a.s;
  return {1, last.value(), a.extra - declared < a.s && asked >= 1};
}

}  // namespace

Status judge_argument_lengths(const Facts& f) {
  const Descriptor& d = f.desc;
  const struct {
    const std::vector<int64_t>& given;
    const std::string& name;
    Code code;
  } arguments[] = {
      {d.kernel, d.spelling.kernel_size, Code::VALUE_KERNEL_SIZE_LENGTH},
      {d.stride, d.spelling.stride, Code::VALUE_STRIDE_LENGTH},
      {d.dilation, d.spelling.dilation, Code::VALUE_DILATION_LENGTH},
      {d.pad_begin, d.spelling.padding, Code::VALUE_PADDING_LENGTH},
      {d.pad_end, d.spelling.padding, Code::VALUE_PADDING_LENGTH},
      {d.output_padding, d.spelling.output_padding, Code::VALUE_OUTPUT_PADDING_LENGTH},
      {d.output_size, d.spelling.output_size, Code::VALUE_OUTPUT_SIZE_LENGTH},
  };
  for (const auto& a : arguments) {
    const auto& none = d.without_entries;
    const bool given = !a.given.empty() || std::find(none.begin(), none.end(), a.name) != none.end();
    if (!given || std::ssize(a.given) == f.rank) continue;
    return argument_error(a.code, a.name, show_shape(a.given), entries(f.rank), "has " + entries(std::ssize(a.given)));
  }
  return {};
}

Status judge_output_size_form(const Facts& f) {
  const RequestedSize* size = f.call.size;
  return size && !size->fault.ok() ? Status(size->fault.detail()) : Status();
}

Status judge_output_size_range(const Facts& f) {
  if (!f.x_ready()) return {};  // the rank itself is judged at its own place
  for (int a = 0; a < f.rank; ++a) {
    const std::optional<int64_t> asked = f.requested_size(a);
    if (!asked) continue;
    const Lowered l = f.lowered(a);
    if (!l.ok) return overflow(f, a);
    const Reach reach = f.desc.output_size_rule == OutputSizeRule::kWindow
                            ? window_of(l)
                            : reach_of_pads(l, entry_or(f.desc.output_padding, a, 0), *asked);
    if (reach.holds) continue;
    return argument_error(Code::VALUE_OUTPUT_SIZE_RANGE, f.desc.spelling.output_size, text(*asked),
                          text(reach.first) + " to " + text(reach.last) + " on axis " + text(a), "cannot be reached",
                          a);
  }
  return {};
}

Status judge_output_padding_range(const Facts& f) {
  const Descriptor& d = f.desc;
  if (d.output_padding_limit == Descriptor::PaddingLimit::kJudged) return {};
  if (d.output_padding_limit == Descriptor::PaddingLimit::kUnlessOutputSize && f.requested_size(0)) return {};
  for (int a = 0; a < std::ssize(d.output_padding); ++a) {
    const int64_t limit = std::max(entry_or(d.stride, a, 1), entry_or(d.dilation, a, 1));
    if (at(d.output_padding, a) < limit) continue;
    const std::string bound = "max(" + d.spelling.stride + ", " + d.spelling.dilation + ") = " + text(limit);
    return argument_error(Code::VALUE_OUTPUT_PADDING_RANGE, d.spelling.output_padding, text(at(d.output_padding, a)),
                          "0 <= " + d.spelling.output_padding + " < " + bound, "entry reaches its limit", a);
  }
  return {};
}

Status judge_derived_kernel(const Facts& f) {
  if (f.desc.kernel_source != KernelSource::kOutputSize || !f.x_ready()) return {};
  for (int a = 0; a < f.rank; ++a) {
    if (f.kernel(a) >= 1) continue;
    std::string size = "None";
    if (const auto asked = f.requested_size(a)) size = text(*asked);
    const std::string& kernel = f.desc.spelling.kernel_size;
    return argument_error(Code::VALUE_KERNEL_SIZE, f.desc.spelling.output_size, size,
                          "large enough for a derived " + kernel + " >= 1", "gives " + kernel + " " + text(f.kernel(a)),
                          a);
  }
  return {};
}

Status judge_extent(const Facts& f) {
  const int64_t element = bytes_of(f.x->type), n = f.batched ? std::max<int64_t>(f.x->shape[0], 1) : 1;
  Checked x_bytes = Checked(n) * f.x_channels() * element;
  Checked y_bytes = Checked(n) * f.out_channels() * element;
  Checked w_bytes = Checked(f.in_channels()) * (f.out_channels() / f.desc.groups) * element;
  for (int a = 0; a < f.rank; ++a) {
    const Lowered l = f.lowered(a);
    if (!l.ok) return overflow(f, a);
    if (l.axis.core < std::max<int64_t>(f.desc.least_core, 0)) {
      return argument_error(Code::SHAPE_OUTPUT_EMPTY, f.desc.spelling.x, show_shape(*f.x),
                            "an output extent >= " + text(f.desc.least_core),
                            "gives output extent " + text(l.axis.core) + " on axis " + text(a), a);
    }
    x_bytes = x_bytes * l.axis.in;
    y_bytes = y_bytes * std::max<int64_t>(l.axis.out(), 1);
    w_bytes = w_bytes * l.axis.k;
    if (!x_bytes.ok() || !y_bytes.ok() || !w_bytes.ok()) return overflow(f, a);
  }
  return {};
}

}  // namespace ctconv
