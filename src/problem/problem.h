// SPDX-License-Identifier: Apache-2.0
// The canonical problem: all sizes known, three spatial axes, no option left to interpret.
//
//   Of three operands one is written, from the two others. Per axis, output o, input i and tap t meet where
//       i*s + t*d - lo == o.   Over all that meet:
//   kY   y[n, g*co + c, o]  = act(rescale(bias + sum over ci, t of x[n, g*ci + k, i] * w[g, k, c, t]))    forward
//   kX   x[n, g*ci + k, i]  = sum over co, t of y[n, g*co + c, o] * w[g, k, c, t]                 data gradient
//   kW   w[g, k, c, t]      = sum over n, i of x[n, g*ci + k, i] * y[n, g*co + c, o]              weight gradient
//        with epilogue.bias also bias[g*co + c] = sum over n, o of y[n, g*co + c, o]
//   The order of each sum is the reference's (src/engine/reference).
//   kY only: rows after the core (tail) are exactly 0 and belong to y; engines compute the core, fill_tail the rest.
//
//   in:  src/problem/canonicalize.h;   out: what engines plan from, hash and print
//   refuses: nothing, it is legal
//   Missing leading axes (1-D, 2-D) have i = o = k = s = d = 1, lo = tail = 0, stride 0: one loop nest serves all
//   ranks.
//   output_padding is folded away: only i, o, k, s, d, lo say what is computed (hi follows from them, of any sign).
//   lo has any sign: a region of the output and its window of the input are a Problem like any other. Outputs that meet
//   no input are the bias alone.
//   Products of all extents and all byte counts fit int64, |lo| <= kMostLo (checked once, when the problem is made).
//   A new field is listed in fields.h; hash, text, parser, the tuning key and the tests' generators follow from there.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "src/base/activations.h"
#include "src/base/dtype.h"
#include "src/base/status.h"

namespace ctconv {

inline constexpr int64_t kMostLo = int64_t{1} << 61;

struct Axis {
  int64_t i = 1, o = 1;         // input extent, core output extent
  int64_t k = 1, s = 1, d = 1;  // kernel, stride, dilation (1: dense)
  int64_t lo = 0;               // rows cropped in front; negative: rows without a tap in front
  int64_t tail = 0;             // zero rows after the core
  friend bool operator==(const Axis&, const Axis&) = default;
};

// Strides in elements, any sign; axis[] in d, h, w order.
struct ActivationLayout {
  int64_t n = 0, c = 0;
  std::array<int64_t, 3> axis{};
  friend bool operator==(const ActivationLayout&, const ActivationLayout&) = default;
};

struct WeightLayout {
  int64_t g = 0, ci = 0, co = 0;
  std::array<int64_t, 3> tap{};
  friend bool operator==(const WeightLayout&, const WeightLayout&) = default;
};

// Terms of one chain of a weight gradient: docs/decisions/gradient-sums.md says why.
inline constexpr int64_t kChainTerms = 4096;

// The operand that is computed; the others are read.
enum class Written : int32_t { kY, kX, kW };
inline constexpr Written kEveryWritten[] = {Written::kY, Written::kX, Written::kW};
constexpr const char* name_of(Written w) { return w == Written::kY ? "y" : w == Written::kX ? "x" : "w"; }

struct Types {
  Dtype x = Dtype::kF32, w = Dtype::kF32, y = Dtype::kF32;
  Dtype accumulator = Dtype::kF32;  // of the sums and of the bias
  friend bool operator==(const Types&, const Types&) = default;
};
// x, w and y alike, sums in the type's own accumulator: what every documented dialect says.
constexpr Types uniform_types(Dtype t) { return {t, t, t, accumulator_of(t)}; }

// A bias as the caller hands it over: of y's type where that is summed alike, else of the sums' own.
constexpr Dtype bias_type(const Types& t) { return accumulator_of(t.y) == t.accumulator ? t.y : t.accumulator; }

// A sum in the accumulator's type becomes scale * sum + zero_point, before the activation.
struct Rescale {
  double scale = 1, zero_point = 0;
  bool identity() const { return scale == 1 && zero_point == 0; }
  friend bool operator==(const Rescale&, const Rescale&) = default;
};

// What happens to a finished sum, in this order. With kX nothing may, with kW only the bias is written beside w.
struct Epilogue {
  bool bias = false;
  Rescale rescale;
  Activation activation;
  friend bool operator==(const Epilogue&, const Epilogue&) = default;
};

struct Problem {
  Written written = Written::kY;
  Types types;
  int rank = 1;  // spatial axes the caller sees
  int64_t n = 1, groups = 1;
  int64_t ci = 1, co = 1;    // channels PER GROUP
  std::array<Axis, 3> axis;  // d, h, w
  ActivationLayout x, y;
  WeightLayout w;
  Epilogue epilogue;

  int64_t out_elements() const { return n * groups * co * axis[0].o * axis[1].o * axis[2].o; }
  int64_t in_elements() const { return n * groups * ci * axis[0].i * axis[1].i * axis[2].i; }
  int64_t taps() const { return axis[0].k * axis[1].k * axis[2].k; }
  int64_t weight_elements() const { return groups * ci * co * taps(); }
  int64_t written_elements() const {
    return written == Written::kY ? out_elements() : written == Written::kX ? in_elements() : weight_elements();
  }
  bool empty() const { return written_elements() == 0; }
  bool has_tail() const { return axis[0].tail + axis[1].tail + axis[2].tail != 0; }

  friend bool operator==(const Problem&, const Problem&) = default;
};

// How a dense activation lies. kOther: any other strides (views, broadcasts, negative).
enum class Order { kChannelsFirst, kChannelsLast, kOther };
Order order_of(const ActivationLayout& layout, const Problem& p, bool output);

// 2 * (input point, tap) pairs that reach the core * channels: the work no direct method can avoid, in flop.
double useful_flop(const Problem& p);
// x, w, b and y moved once, in bytes.
double moved_bytes(const Problem& p);

size_t hash_of(const Problem& p);

}  // namespace ctconv
