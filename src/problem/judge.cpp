// The judgements that need tensors, each a few lines, and the loop that runs them in the dialect's order. See judge.h.
#include "src/problem/judge.h"

#include <algorithm>

#include "src/base/checked.h"
#include "src/base/show.h"
#include "src/problem/lowering.h"

namespace ctconv {
namespace {

std::string text(int64_t v) { return std::to_string(v); }

class Judge {
 public:
  Judge(const Descriptor& desc, const CallTensors& tensors) : d_(desc), t_(tensors) {
    g_.rank = d_.rank != 0 ? d_.rank : t_.x ? t_.x->ndim - 2 : t_.w ? t_.w->ndim - 2 : 0;
    g_.rank = std::clamp(g_.rank, 0, 3);
    g_.batched = !(t_.x && d_.unbatched && t_.x->ndim == g_.rank + 1);
  }

  Status run(Check check);
  void sizes();  // after all checks: fills the geometry
  const Geometry& geometry() const { return g_; }

  Status input_rank() const;
  Status weight_rank() const;
  bool taken(ElementType e) const;
  Status input_type() const;
  Status types_agree() const;
  Status groups_divide_input() const;
  Status input_channels() const;
  Status weight_shape() const;
  Status bias_shape() const;
  Status argument_lengths() const;
  Status output_size_form() const { return t_.size && !t_.size->fault.ok() ? Status(t_.size->fault.detail()) : Status(); }
  Status output_size_range() const;
  Status output_padding_range() const;
  Status derived_kernel_positive() const;
  Status extent() const;

  int64_t in_channels() const { return d_.in_channels ? d_.in_channels : t_.w ? weight_dim(kIn) : x_ready() ? x_channels() : 0; }
  int64_t out_channels() const { return d_.out_channels ? d_.out_channels : t_.w ? weight_dim(kOut) * d_.groups : 0; }
  int64_t kernel(int axis) const;
  int weight_ndim() const {
    const bool more = d_.weight_order == WeightOrder::kInOutOneTaps || (d_.weight_order == WeightOrder::kGroupInOutTaps && d_.groups > 1);
    return g_.rank + 2 + (more ? 1 : 0);
  }
  // The expected weight shape; 0 where only the weight itself can tell.
  std::vector<int64_t> expected_weight(bool with_taps) const;
  std::vector<int64_t> expected_bias() const;
  // "Input and weight differ in rank" is a fault only x can complete: judged at the call, also for the op's own weight.
  bool rank_needs_input() const { return d_.codes.weight_rank == Code::SHAPE_RANK_MISMATCH; }
  bool x_ready() const { return t_.x && (t_.x->ndim == g_.rank + 2 || !g_.batched); }

 private:
  enum WeightDim { kIn, kOut, kTap };
  int64_t weight_dim(WeightDim which, int axis = 0) const;
  bool weight_ready() const { return t_.w && t_.w->ndim == weight_ndim(); }
  int64_t x_extent(int axis) const { return t_.x->shape[static_cast<size_t>((d_.channels_last ? 0 : 1) + (g_.batched ? 1 : 0) + axis)]; }
  int64_t x_channels() const { return t_.x->shape[static_cast<size_t>(d_.channels_last ? t_.x->ndim - 1 : g_.batched ? 1 : 0)]; }
  std::optional<int64_t> size(int axis) const {
    if (t_.size && t_.size->given && t_.size->fault.ok()) return t_.size->sizes[static_cast<size_t>(axis)];
    if (static_cast<size_t>(axis) < d_.output_size.size()) return d_.output_size[static_cast<size_t>(axis)];
    return std::nullopt;
  }
  Lowered lowered(int axis) const { return lower_axis(d_, static_cast<size_t>(axis), x_extent(axis), kernel(axis), size(axis)); }
  Status overflow(int axis) const {
    return Status(Status::Detail{.code = Code::SHAPE_OUTPUT_OVERFLOW, .element = axis, .argument = d_.spelling.x, .value = show_shape(*t_.x),
                                 .range = "every extent, element count and byte count below 2^63",
                                 .message = d_.spelling.x + " " + show_shape(*t_.x) + ": the output extent of axis " + text(axis) +
                                            ", or its element or byte count, does not fit 63 bits"});
  }

  const Descriptor& d_;
  const CallTensors& t_;
  Geometry g_;
};

int64_t Judge::weight_dim(WeightDim which, int axis) const {
  if (!weight_ready()) return 0;
  const auto& s = t_.w->shape;
  const int r = g_.rank;
  switch (d_.weight_order) {
    case WeightOrder::kInOutTaps: return which == kIn ? s[0] : which == kOut ? s[1] : s[static_cast<size_t>(2 + axis)];
    case WeightOrder::kInOutOneTaps: return which == kIn ? s[0] : which == kOut ? s[1] : s[static_cast<size_t>(3 + axis)];
    case WeightOrder::kTapsOutIn:
      return which == kIn ? s[static_cast<size_t>(r + 1)] : which == kOut ? s[static_cast<size_t>(r)] : s[static_cast<size_t>(axis)];
    case WeightOrder::kGroupInOutTaps: {
      const size_t g = d_.groups > 1 ? 1 : 0;
      return which == kIn ? s[g] * d_.groups : which == kOut ? s[g + 1] : s[g + 2 + static_cast<size_t>(axis)];
    }
  }
  return 0;
}

int64_t Judge::kernel(int axis) const {
  // A list of the wrong length is judged at its own place (kArgumentLengths); until then its missing entries are unknown.
  if (!d_.kernel.empty()) return static_cast<size_t>(axis) < d_.kernel.size() ? d_.kernel[static_cast<size_t>(axis)] : 0;
  if (d_.kernel_source == KernelSource::kOutputSize) {
    return size(axis) ? derived_kernel(d_, static_cast<size_t>(axis), x_extent(axis), *size(axis)).value_or(0) : 0;
  }
  return weight_dim(kTap, axis);
}

std::vector<int64_t> Judge::expected_weight(bool with_taps) const {
  const int64_t in = d_.in_channels ? d_.in_channels : (t_.w ? 0 : in_channels());
  const int64_t out = d_.out_channels ? d_.out_channels / d_.groups : 0;
  std::vector<int64_t> taps;
  for (int a = 0; a < g_.rank; ++a) {
    const bool known = !d_.kernel.empty() || (with_taps && d_.kernel_source == KernelSource::kOutputSize);
    taps.push_back(known ? kernel(a) : 0);
  }
  std::vector<int64_t> shape;
  switch (d_.weight_order) {
    case WeightOrder::kInOutTaps: shape = {in, out}; break;
    case WeightOrder::kInOutOneTaps: shape = {in, out, 1}; break;
    case WeightOrder::kGroupInOutTaps:
      if (d_.groups > 1) shape = {d_.groups, in / d_.groups, out}; else shape = {in, out};
      break;
    case WeightOrder::kTapsOutIn: {
      shape = taps;
      shape.push_back(out);
      shape.push_back(in);
      return shape;
    }
  }
  shape.insert(shape.end(), taps.begin(), taps.end());
  return shape;
}

std::vector<int64_t> Judge::expected_bias() const {
  std::vector<int64_t> shape = {out_channels()};
  if (d_.bias_order == BiasOrder::kOneChannelOnes) {
    shape.insert(shape.begin(), 1);
    shape.insert(shape.end(), static_cast<size_t>(g_.rank), 1);
  }
  return shape;
}

Status Judge::input_rank() const {
  const int want = d_.rank + 2;
  if (d_.rank == 0) {
    if (t_.x->ndim >= 3 && t_.x->ndim <= 5) return {};
    return argument_error(d_.codes.input_rank, d_.spelling.x, show_shape(*t_.x), "3 to 5 axes", "has " + text(t_.x->ndim) + " axes");
  }
  if (t_.x->ndim == want || !g_.batched) return {};
  return argument_error(d_.codes.input_rank, d_.spelling.x, show_shape(*t_.x),
                        text(want) + " axes" + (d_.unbatched ? ", or " + text(want - 1) + " without the batch" : ""),
                        "has " + text(t_.x->ndim) + " axes");
}

Status Judge::weight_rank() const {
  if (t_.w->ndim == weight_ndim() && g_.rank > 0) return {};
  return argument_error(d_.codes.weight_rank, d_.spelling.w, show_shape(*t_.w), text(weight_ndim()) + " axes", "has " + text(t_.w->ndim) + " axes");
}

bool Judge::taken(ElementType e) const {
  return std::count(d_.types.begin(), d_.types.end(), e) + (t_.cuda ? std::count(d_.types_on_cuda.begin(), d_.types_on_cuda.end(), e) : 0) > 0;
}

Status Judge::input_type() const {
  const TensorView* wrong = t_.x && !taken(t_.x->type) ? t_.x : t_.w && !t_.weights_judged && !taken(t_.w->type) ? t_.w : nullptr;
  if (!wrong && !t_.x && !t_.w && t_.b && !taken(t_.b->type)) wrong = t_.b;  // a bias on its own; else types_agree judges it
  if (!wrong) return {};
  std::string legal;
  for (const auto& e : d_.types) legal += (legal.empty() ? "" : ", ") + name_of(e);
  for (const auto& e : d_.types_on_cuda) legal += ", " + name_of(e) + " (on cuda only)";
  return argument_error(Code::TYPE_INPUT_DTYPE, wrong == t_.x ? d_.spelling.x : wrong == t_.w ? d_.spelling.w : d_.spelling.b, name_of(wrong->type), legal,
                        "has an unsupported element type");
}

Status Judge::types_agree() const {
  const TensorView* first = t_.x ? t_.x : t_.w ? t_.w : t_.b;
  if (!first) return {};
  const ElementType want = d_.fixed_type ? d_.type : first->type;
  for (const TensorView* view : {t_.x, t_.w, t_.b}) {
    if (!view || view->type == want) continue;
    const std::string& name = view == t_.x ? d_.spelling.x : view == t_.w ? d_.spelling.w : d_.spelling.b;
    return argument_error(Code::TYPE_DTYPE_MISMATCH, name, name_of(view->type), name_of(want),
                          d_.fixed_type ? "differs from the dtype argument" : "differs in element type from " + (t_.x ? d_.spelling.x : d_.spelling.w));
  }
  return {};
}

Status Judge::groups_divide_input() const {
  if (x_channels() % d_.groups == 0) return {};
  return argument_error(Code::VALUE_IN_CHANNELS_GROUPS, d_.spelling.x, text(x_channels()) + " channels",
                        "a multiple of " + d_.spelling.groups + " = " + text(d_.groups), "channels are not divisible by " + d_.spelling.groups);
}

Status Judge::input_channels() const {
  const int64_t want = in_channels();
  if (want && x_channels() != want) {
    return argument_error(d_.codes.input_channels, d_.spelling.x, show_shape(*t_.x), text(want) + " channels", "has " + text(x_channels()) + " channels");
  }
  for (int a = -1; a < g_.rank; ++a) {
    if ((a < 0 ? x_channels() : x_extent(a)) > 0) continue;
    return argument_error(Code::SHAPE_INPUT_EMPTY, d_.spelling.x, show_shape(*t_.x), "every extent but the batch >= 1", "has an extent of 0");
  }
  return {};
}

Status Judge::weight_shape() const {
  const std::vector<int64_t> want = expected_weight(t_.x != nullptr);
  std::string legal = "(";
  bool fits = true;
  for (size_t n = 0; n < want.size(); ++n) {
    const int64_t have = t_.w->shape[n];
    fits = fits && (want[n] ? have == want[n] : have >= 1);
    legal += (n ? ", " : "") + (want[n] ? text(want[n]) : "any");
  }
  // Channels read off the weight itself still have to fill whole groups.
  if (fits && !d_.in_channels && weight_dim(kIn) % d_.groups != 0) {
    return argument_error(Code::VALUE_IN_CHANNELS_GROUPS, d_.spelling.w, show_shape(*t_.w), "a multiple of " + d_.spelling.groups + " = " + text(d_.groups),
                          "input channels are not divisible by " + d_.spelling.groups);
  }
  if (fits) return {};
  return argument_error(d_.codes.weight_shape, d_.spelling.w, show_shape(*t_.w), legal + ")", "has another shape");
}

Status Judge::bias_shape() const {
  if (!d_.bias_allowed) {
    return argument_error(Code::VALUE_BIAS_NOT_NONE, d_.spelling.b, show_shape(*t_.b), "no bias", "was given although the arguments say there is none");
  }
  const std::vector<int64_t> want = expected_bias();
  if (std::equal(want.begin(), want.end(), t_.b->dims().begin(), t_.b->dims().end())) return {};
  return argument_error(Code::SHAPE_BIAS_SHAPE, d_.spelling.b, show_shape(*t_.b), show_shape(want), "has another shape");
}

Status Judge::argument_lengths() const {
  const size_t r = static_cast<size_t>(g_.rank);
  const auto judge = [&](const std::vector<int64_t>& v, const std::string& name, Code code) {
    const auto& none = d_.without_entries;
    const bool given = !v.empty() || std::find(none.begin(), none.end(), name) != none.end();
    if (!given || v.size() == r) return Status();
    return argument_error(code, name, show_shape(v), text(g_.rank) + " entries", "has " + std::to_string(v.size()) + " entries");
  };
  CTCONV_RETURN_IF_ERROR(judge(d_.kernel, d_.spelling.kernel_size, Code::VALUE_KERNEL_SIZE_LENGTH));
  CTCONV_RETURN_IF_ERROR(judge(d_.stride, d_.spelling.stride, Code::VALUE_STRIDE_LENGTH));
  CTCONV_RETURN_IF_ERROR(judge(d_.dilation, d_.spelling.dilation, Code::VALUE_DILATION_LENGTH));
  CTCONV_RETURN_IF_ERROR(judge(d_.pad_begin, d_.spelling.padding, Code::VALUE_PADDING_LENGTH));
  CTCONV_RETURN_IF_ERROR(judge(d_.pad_end, d_.spelling.padding, Code::VALUE_PADDING_LENGTH));
  CTCONV_RETURN_IF_ERROR(judge(d_.output_padding, d_.spelling.output_padding, Code::VALUE_OUTPUT_PADDING_LENGTH));
  return judge(d_.output_size, d_.spelling.output_size, Code::VALUE_OUTPUT_SIZE_LENGTH);
}

Status Judge::output_size_range() const {
  if (!x_ready()) return {};  // the rank itself is judged at its own place
  for (int a = 0; a < g_.rank; ++a) {
    if (!size(a)) continue;
    const Lowered l = lowered(a);
    if (!l.ok) return overflow(a);
    const AxisSizes& s = l.axis;
    const bool window = d_.output_size_rule == OutputSizeRule::kWindow;
    const int64_t declared = static_cast<size_t>(a) < d_.output_padding.size() ? d_.output_padding[static_cast<size_t>(a)] : 0;
    const int64_t grown = window ? s.extra : s.extra - declared;
    if (grown >= 0 && grown < s.s && (window || *size(a) >= 1)) continue;
    const Checked last = window ? Checked(l.base) + s.s - 1 : Checked(s.in - 1) * s.s + Checked(s.d) * (s.k - 1) + declared + s.s;
    return argument_error(Code::VALUE_OUTPUT_SIZE_RANGE, d_.spelling.output_size, text(*size(a)),
                          text(window ? l.base : 1) + " to " + text(last.value()) + " on axis " + text(a), "cannot be reached", a);
  }
  return {};
}

Status Judge::output_padding_range() const {
  if (d_.output_padding_limit == Descriptor::PaddingLimit::kJudged) return {};
  if (d_.output_padding_limit == Descriptor::PaddingLimit::kUnlessOutputSize && size(0)) return {};
  for (size_t a = 0; a < d_.output_padding.size(); ++a) {
    const int64_t s = a < d_.stride.size() ? d_.stride[a] : 1, dil = a < d_.dilation.size() ? d_.dilation[a] : 1;
    const int64_t limit = std::max(s, dil);
    if (d_.output_padding[a] < limit) continue;
    return argument_error(Code::VALUE_OUTPUT_PADDING_RANGE, d_.spelling.output_padding, text(d_.output_padding[a]),
                          "0 <= " + d_.spelling.output_padding + " < max(" + d_.spelling.stride + ", " + d_.spelling.dilation + ") = " + text(limit),
                          "entry reaches its limit", static_cast<int32_t>(a));
  }
  return {};
}

Status Judge::derived_kernel_positive() const {
  if (d_.kernel_source != KernelSource::kOutputSize || !x_ready()) return {};
  for (int a = 0; a < g_.rank; ++a) {
    if (kernel(a) >= 1) continue;
    return argument_error(Code::VALUE_KERNEL_SIZE, d_.spelling.output_size, size(a) ? text(*size(a)) : "None",
                          "large enough for a derived " + d_.spelling.kernel_size + " >= 1", "gives " + d_.spelling.kernel_size + " " + text(kernel(a)), a);
  }
  return {};
}

Status Judge::extent() const {
  Checked x_bytes = Checked(std::max<int64_t>(t_.x->shape[0], 1)) * x_channels() * bytes_of(t_.x->type);
  Checked y_bytes = Checked(g_.batched ? std::max<int64_t>(t_.x->shape[0], 1) : 1) * out_channels() * bytes_of(t_.x->type);
  Checked w_bytes = Checked(in_channels()) * (out_channels() / d_.groups) * bytes_of(t_.x->type);
  for (int a = 0; a < g_.rank; ++a) {
    const Lowered l = lowered(a);
    if (!l.ok) return overflow(a);
    if (l.axis.core < std::max<int64_t>(d_.least_core, 0)) {
      return argument_error(Code::SHAPE_OUTPUT_EMPTY, d_.spelling.x, show_shape(*t_.x), "an output extent >= " + text(d_.least_core),
                            "gives output extent " + text(l.axis.core) + " on axis " + text(a), a);
    }
    x_bytes = x_bytes * l.axis.in;
    y_bytes = y_bytes * std::max<int64_t>(l.axis.out(), 1);
    w_bytes = w_bytes * l.axis.k;
    if (!x_bytes.ok() || !y_bytes.ok() || !w_bytes.ok()) return overflow(a);
  }
  return {};
}

Status Judge::run(Check check) {
  const bool new_weight = t_.w && !t_.weights_judged;
  switch (check) {
    case Check::kInputRank: return t_.x ? input_rank() : Status();
    case Check::kWeightRank: return new_weight || (t_.w && t_.x && rank_needs_input()) ? weight_rank() : Status();
    case Check::kInputType: return input_type();
    case Check::kTypesAgree: return types_agree();
    case Check::kGroupsDivideInput: return x_ready() ? groups_divide_input() : Status();
    case Check::kInputChannels: return x_ready() ? input_channels() : Status();
    case Check::kWeightShape:
      return weight_ready() && (new_weight || d_.kernel_source == KernelSource::kOutputSize) ? weight_shape() : Status();
    case Check::kBiasShape: return t_.b && !t_.bias_judged && out_channels() ? bias_shape() : Status();
    case Check::kArgumentLengths: return argument_lengths();
    case Check::kOutputSizeForm: return output_size_form();
    case Check::kOutputSizeRange: return output_size_range();
    case Check::kOutputPaddingRange: return output_padding_range();
    case Check::kDerivedKernel: return derived_kernel_positive();
    case Check::kExtent: return extent();
  }
  return {};
}

void Judge::sizes() {
  g_.n = g_.batched ? t_.x->shape[0] : 1;
  g_.in_channels = in_channels();
  g_.out_channels = out_channels();
  g_.type = t_.x->type;
  for (int a = 0; a < g_.rank; ++a) g_.axis[static_cast<size_t>(a)] = lowered(a).axis;
}

}  // namespace

Result<Geometry> judge_call(const Descriptor& desc, const CallTensors& tensors) {
  if (!tensors.w && (desc.rank == 0 || desc.out_channels == 0 || (desc.kernel.empty() && desc.kernel_source == KernelSource::kWeight))) {
    return argument_error(Code::MISUSE_WEIGHT_MISSING, desc.spelling.w, "NULL", "a tensor", "is missing, and the shapes of " + desc.dialect + " come from it");
  }
  Judge judge(desc, tensors);
  for (Check check : desc.order) CTCONV_RETURN_IF_ERROR(judge.run(check));
  judge.sizes();
  return judge.geometry();
}

Status judge_weights(const Descriptor& desc, const TensorView* w, const TensorView* b, bool cuda) {
  const CallTensors tensors{.w = w, .b = b, .cuda = cuda};
  Judge judge(desc, tensors);
  for (Check check : {Check::kInputType, Check::kTypesAgree, Check::kWeightRank, Check::kWeightShape, Check::kBiasShape}) {
    if (check == Check::kWeightRank && judge.rank_needs_input()) continue;
    CTCONV_RETURN_IF_ERROR(judge.run(check));
  }
  return {};
}

Result<WeightSpecs> weight_specs(const Descriptor& desc, const TensorView* x) {
  if (desc.rank == 0 || desc.out_channels == 0 || (desc.kernel.empty() && desc.kernel_source == KernelSource::kWeight)) {
    return Status(Code::UNSUPPORTED_WEIGHT_SPEC, desc.dialect + ": the weight's shape does not follow from the arguments; it is the caller's to choose");
  }
  const bool needs_x = desc.in_channels == 0 || desc.kernel_source == KernelSource::kOutputSize;
  if (needs_x && !x) {
    return argument_error(Code::MISUSE_NULL, "x", "NULL", "a tensor with x's shape", "the weight's shape of " + desc.dialect + " is derived from it");
  }
  const CallTensors tensors{.x = needs_x ? x : nullptr};
  Judge judge(desc, tensors);
  if (needs_x) {
    for (Check check : desc.order) {
      if (check == Check::kInputRank || check == Check::kGroupsDivideInput || check == Check::kDerivedKernel || check == Check::kOutputSizeRange ||
          check == Check::kInputChannels) {
        CTCONV_RETURN_IF_ERROR(judge.run(check));
      }
    }
  }
  const auto spec = [&](const std::vector<int64_t>& shape) {
    TensorSpec s;
    s.type = x ? x->type : desc.type;
    s.ndim = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), s.shape.begin());
    return s;
  };
  WeightSpecs out;
  out.weight = spec(judge.expected_weight(true));
  if (desc.bias_expected) out.bias = spec(judge.expected_bias());
  return out;
}

TensorSpec output_spec(const Descriptor& desc, const Geometry& g) {
  TensorSpec y;
  y.type = g.type;
  const auto push = [&](int64_t extent) { y.shape[static_cast<size_t>(y.ndim++)] = extent; };
  if (g.batched) push(g.n);
  if (!desc.channels_last) push(g.out_channels);
  for (int a = 0; a < g.rank; ++a) push(g.axis[static_cast<size_t>(a)].out());
  if (desc.channels_last) push(g.out_channels);
  return y;
}

}  // namespace ctconv
