// The canonical problem: all sizes known, three spatial axes, no option left to interpret.
//
//   y[n, g*co + c, o] = act( bias + sum over ci, t, i with i*s + t*d - lo == o of x[n, g*ci_total.., i] * w[g, ci, c,
//   t] )   per axis
//   rows after the core (tail) are exactly 0 and belong to y; engines compute the core, fill_tail writes the rest.
//
//   in:  src/problem/canonicalize.h;   out: what engines plan from, hash and print;   refuses: nothing, it is already
//        legal
//   Missing leading axes (1-D, 2-D) have i = o = k = s = d = 1, lo = tail = 0, stride 0: one loop nest serves all
//   ranks.
//   output_padding is folded away: only i, o, k, s, d, lo say what is computed (hi follows from them and may be
//   negative).
//   Products of all extents and all byte counts fit int64 (checked once, when the problem is made).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "src/base/dtype.h"
#include "src/base/status.h"

namespace ctconv {

struct Axis {
  int64_t i = 1, o = 1;         // input extent, core output extent
  int64_t k = 1, s = 1, d = 1;  // kernel, stride, dilation (1: dense)
  int64_t lo = 0;               // rows cropped in front
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

struct Epilogue {
  enum Kind : int32_t { kNone, kRelu, kLeakyRelu, kTanh, kSigmoid, kClip };
  Kind kind = kNone;
  double alpha = 0, beta = 0;  // leaky slope; clip to [alpha, beta]
  friend bool operator==(const Epilogue&, const Epilogue&) = default;
};

enum class Direction : int32_t { kForward };  // gradients come later and must not need another spine

struct Problem {
  Direction direction = Direction::kForward;
  Dtype dtype = Dtype::kF32;
  int rank = 1;  // spatial axes the caller sees
  int64_t n = 1, groups = 1;
  int64_t ci = 1, co = 1;    // channels PER GROUP
  std::array<Axis, 3> axis;  // d, h, w
  ActivationLayout x, y;
  WeightLayout w;
  bool bias = false;
  Epilogue act;

  int64_t out_elements() const { return n * groups * co * axis[0].o * axis[1].o * axis[2].o; }
  int64_t in_elements() const { return n * groups * ci * axis[0].i * axis[1].i * axis[2].i; }
  int64_t taps() const { return axis[0].k * axis[1].k * axis[2].k; }
  int64_t weight_elements() const { return groups * ci * co * taps(); }
  bool empty() const { return out_elements() == 0; }
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
