// SPDX-License-Identifier: Apache-2.0
// The valid descriptor: what a dialect's arguments mean once judged, in words no dialect owns.
//
//   in:  src/dialect (one file per documented operator fills it);   out: src/problem reads it, knows no dialect
//   What only tensors can tell (extents, channels, element types) is judged later, by the checks listed in `order`:
//   a dialect's documented order and identifiers are data here, not code there.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "src/base/activations.h"
#include "src/base/dtype.h"
#include "src/base/status.h"
#include "src/desc/weight_axes.h"

namespace ctconv {

// One judgement that needs a tensor. Each is a function of src/problem/judge/ and a row of src/problem/judge.cpp.
enum class Check {
  kInputRank,          // x has rank + 2 axes (or rank + 1 where unbatched is taken)
  kWeightRank,         // weight has as many axes as its layout asks
  kInputType,          // element types of x and weight are supported
  kTypesAgree,         // x, weight and bias have one element type (and the dialect's dtype argument)
  kGroupsDivideInput,  // x's actual channel count is divisible by groups
  kInputChannels,      // x's channel count fits the weight; an empty input is refused right after
  kWeightShape,        // weight extents fit in_channels, out_channels, groups, kernel_size
  kBiasShape,
  kArgumentLengths,     // rank comes from the tensors: lengths of per-axis arguments
  kOutputSizeForm,      // type and length of the call's output_size
  kOutputSizeRange,     // the window
  kOutputPaddingRange,  // limit judged at the call, where output_size has not replaced it
  kDerivedKernel,       // kernel_size from output_size is at least 1
  kExtent,              // core extents are legal and fit int64
};

// How pads follow from the input extent.
enum class PadRule {
  kExplicit,     // pad_begin, pad_end as given
  kSameForward,  // pads of a stride-s forward convolution over the INPUT extent (paddle)
};

enum class OutputSizeRule {
  kNone,       // the dialect has no such argument
  kWindow,     // base <= size < base + stride, base with output_padding 0; size - base becomes output_padding
  kPadsUpper,  // pads follow from the size, the odd element at the end
  kPadsLower,  // … at the beginning
};

enum class KernelSource { kArgument, kWeight, kOutputSize };

enum class BiasOrder { kVector, kOneChannelOnes };  // (Cout)   or   (1, Cout, 1, ...)

// An initialiser, dialect-free; src/dialect/initialise.h fills tensors by it.
struct Initialiser {
  enum Kind { kNoParameter, kConstant, kUniform, kNormal, kTruncatedNormal, kTensor, kDirac, kOrthogonal };
  Kind kind = kConstant;
  // constant: a. uniform: [a, b). normal, truncated: mean a, sigma b. truncated: cut at [lo, hi], in units of the
  //           value.
  double a = 0, b = 0, lo = 0, hi = 0;
  // Where fan is not kNoFan the width follows from the real weight shape: uniform [-w, w) and sigma = w with w =
  // sqrt(scale / fan);
  // truncated is then cut at [lo * w, hi * w]. kInChannels, kOutChannels: all channels, groups apart, times the taps.
  enum Fan { kNoFan, kFanIn, kFanOut, kFanSum, kInChannels, kOutChannels } fan = kNoFan;
  double scale = 0;
  bool needs_axes =
      false;  // a named rule stated in fans: means nothing for a vector (a bias), unlike a dialect's own default
  std::vector<int64_t> shape;  // kTensor
  std::vector<double> values;  // kTensor, row-major
};

// The dialect's own words for messages.
struct Spelling {
  std::string x = "input", w = "weight", b = "bias";
  std::string in_channels = "in_channels", out_channels = "out_channels", groups = "groups";
  std::string kernel_size = "kernel_size", stride = "stride", dilation = "dilation", padding = "padding";
  std::string output_padding = "output_padding", output_size = "output_size", data_format = "data_format";
};

// Which identifier a tensor fault has in this dialect.
struct TensorCodes {
  Code input_rank = Code::SHAPE_INPUT_RANK;
  Code weight_rank = Code::SHAPE_WEIGHT_RANK;
  Code input_channels = Code::SHAPE_INPUT_CHANNELS;
  Code weight_shape = Code::SHAPE_WEIGHT_SHAPE;
};

struct Descriptor {
  std::string dialect;  // canonical name, for messages and describe
  int rank = 0;         // spatial axes; 0: read off the tensors

  // 0: read off the weight (or, for in_channels of a derived weight, off x)
  int64_t in_channels = 0, out_channels = 0;
  int64_t groups = 1;

  // One entry per axis once rank is known; empty means all ones (kernel: see kernel_source; pads: all zeros).
  std::vector<int64_t> kernel, stride, dilation, pad_begin, pad_end, output_padding, zero_tail;
  // Arguments given as sequences of no entries, where only tensors tell the rank: judged with the other lengths.
  std::vector<std::string> without_entries;
  KernelSource kernel_source = KernelSource::kArgument;
  PadRule pad_rule = PadRule::kExplicit;
  OutputSizeRule output_size_rule = OutputSizeRule::kNone;
  std::vector<int64_t> output_size;           // given with the arguments (functional dialects, onnx); empty: not
  bool output_size_in_call = false;           // the call takes output_size
  bool output_size_takes_int = false;         // an int stands for all axes
  bool output_size_excludes_padding = false;  // output_padding was given: the call's output_size is refused
  bool output_size_leading = false;           // leading batch and channel entries are accepted and ignored (torch)
  bool auto_pads =
      false;  // onnx SAME_*: pads from keff and stride once the kernel is known (pads like output_size_rule says)

  // Who still has to judge output_padding < max(stride, dilation) at the call.
  enum class PaddingLimit { kJudged, kUnlessOutputSize, kAlways } output_padding_limit = PaddingLimit::kJudged;
  // Least legal core extent: 1 (an empty output is refused) or 0.
  int64_t least_core = 1;

  bool channels_last = false;
  bool unbatched = false;  // x without a batch axis is taken
  WeightOrder weight_order = WeightOrder::kInOutTaps;
  BiasOrder bias_order = BiasOrder::kVector;
  bool bias_allowed = true;   // false: a bias is refused
  bool bias_expected = true;  // weight_spec answers a bias shape

  std::vector<ElementType> types;          // supported everywhere
  std::vector<ElementType> types_on_cuda;  // supported with device "cuda" only
  bool fixed_type = false;                 // x and weight must be `type`
  ElementType type;                        // dtype argument, or the default of weight_spec

  Activation activation;
  Initialiser weight_init, bias_init;
  bool bias_fans_are_its_own = false;  // fans of bias_init: the bias's own extents, not the weight's (keras)

  std::vector<Check> order;  // judgements at the call, in the dialect's order
  TensorCodes codes;
  Spelling spelling;
};

// The call's own output_size, already read by the dialect; a fault is delivered at its place in `order`.
struct RequestedSize {
  bool given = false;
  std::array<int64_t, 3> sizes{};  // one per axis
  Status fault;
};

}  // namespace ctconv
