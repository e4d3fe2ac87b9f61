// SPDX-License-Identifier: Apache-2.0
// Activations without exp, on one vector: relu, leaky relu, clip. See src/base/activation.h for the formulas.
//
//   in:  values of one vector;   out: the activation of each, a NaN as it was
//   Included once per instruction set by the files that use it, inside Highway's target loop.
#if defined(CTCONV_SIMD_BRANCHES) == defined(HWY_TARGET_TOGGLE)
#ifdef CTCONV_SIMD_BRANCHES
#undef CTCONV_SIMD_BRANCHES
#else
#define CTCONV_SIMD_BRANCHES
#endif

#include "hwy/highway.h"
#include "src/problem/problem.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::kit {
namespace HWY_NAMESPACE {

// Calls use(f), f(d, x) the activation; false, nothing called, for the kinds that need more.
template <class T, class Use>
HWY_INLINE bool WithBranch(const Activation& act, Use use) {
  namespace hn = hwy::HWY_NAMESPACE;
  const T alpha = static_cast<T>(act.alpha), beta = static_cast<T>(act.beta);
  switch (act.kind) {
    case Activation::kRelu:
      use([](auto d, auto x) HWY_ATTR { return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x); });
      return true;
    case Activation::kLeakyRelu:
      use([alpha](auto d, auto x)
              HWY_ATTR { return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(hn::Set(d, alpha), x), x); });
      return true;
    case Activation::kClip:
      use([alpha, beta](auto d, auto x) HWY_ATTR {
        const auto lo = hn::Set(d, alpha), hi = hn::Set(d, beta);
        return hn::IfThenElse(hn::Lt(x, lo), lo, hn::IfThenElse(hn::Gt(x, hi), hi, x));
      });
      return true;
    default:
      return false;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace ctconv::kit
HWY_AFTER_NAMESPACE();

#endif
