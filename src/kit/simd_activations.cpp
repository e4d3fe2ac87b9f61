// SPDX-License-Identifier: Apache-2.0
// Activations on vectors: the steps of src/base/activation.h in the same order, so the same bits.
//
//   in:  finished sums in place;   out: act(value)
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/kit/simd_activations.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/base/activation.h"
#include "src/kit/moves.h"
#include "src/kit/simd_branches.h"
#include "src/kit/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::kit {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
// expm1 of the remainder; *f is n as a number.
template <class D, class V = hn::Vec<D>, class C = ActivationConstants<hn::TFromD<D>>>
HWY_INLINE V Expm1Reduced(D d, V z, V* f) {
  const V round = hn::Set(d, C::kRound);
  *f = hn::Sub(hn::MulAdd(z, hn::Set(d, C::kLog2E), round), round);
  V r = hn::NegMulAdd(*f, hn::Set(d, C::kLn2Hi), z);
  r = hn::NegMulAdd(*f, hn::Set(d, C::kLn2Lo), r);
  V q = hn::Set(d, C::kQ[0]);
  for (size_t i = 1; i < sizeof(C::kQ) / sizeof(C::kQ[0]); ++i) q = hn::MulAdd(q, r, hn::Set(d, C::kQ[i]));
  return hn::MulAdd(hn::Mul(r, r), q, r);
}

template <class D, class I>
HWY_INLINE hn::Vec<D> PowerOfTwo(D d, I n) {
  using C = ActivationConstants<hn::TFromD<D>>;
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::ShiftLeft<C::kMantissa>(hn::Add(n, hn::Set(di, static_cast<typename C::Int>(C::kBias)))));
}

template <class D, class V = hn::Vec<D>, class C = ActivationConstants<hn::TFromD<D>>>
HWY_INLINE V Tanh(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V limit = hn::Set(d, C::kTanhMax);
  V a = hn::Abs(x);
  a = hn::IfThenElse(hn::Lt(a, limit), a, limit);
  V f;
  const V p = Expm1Reduced(d, hn::Add(a, a), &f);
  const V scale = PowerOfTwo(d, hn::ConvertTo(di, f));
  const V m = hn::MulAdd(scale, p, hn::Sub(scale, hn::Set(d, 1)));
  const V y = hn::CopySign(hn::Div(m, hn::Add(m, hn::Set(d, 2))), x);
  return hn::IfThenElse(hn::IsNaN(x), hn::Add(x, x), y);
}

template <class D, class V = hn::Vec<D>, class C = ActivationConstants<hn::TFromD<D>>>
HWY_INLINE V Sigmoid(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V limit = hn::Set(d, C::kExpMax), one = hn::Set(d, 1);
  V a = hn::Abs(x);
  a = hn::IfThenElse(hn::Lt(a, limit), a, limit);
  V f;
  const V p = Expm1Reduced(d, hn::Neg(a), &f);
  const auto n = hn::ConvertTo(di, f);
  const auto half = hn::ShiftRight<1>(n);
  const V e = hn::Mul(hn::Mul(hn::Add(one, p), PowerOfTwo(d, half)), PowerOfTwo(d, hn::Sub(n, half)));
  const V top = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  return hn::IfThenElse(hn::IsNaN(x), hn::Add(x, x), hn::Div(top, hn::Add(one, e)));
}

template <class T, class F>
HWY_INLINE void ForAll(T* values, int64_t count, F f) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = 0;
  for (; k + n <= count; k += n) hn::StoreU(f(d, hn::LoadU(d, values + k)), d, values + k);
  if (k < count) {
    const size_t rest = static_cast<size_t>(count - k);
    hn::StoreN(f(d, hn::LoadN(d, values + k, rest)), d, values + k, rest);
  }
}

template <class T>
void Activate(const Activation& act, T* values, int64_t count) {
  if (WithBranch<T>(act, [=](auto f) HWY_ATTR { ForAll(values, count, f); })) return;
  switch (act.kind) {
    case Activation::kTanh:
      return ForAll(values, count, [](auto d, auto x) HWY_ATTR { return Tanh(d, x); });
    case Activation::kSigmoid:
      return ForAll(values, count, [](auto d, auto x) HWY_ATTR { return Sigmoid(d, x); });
    default:
      return;
  }
}
void FillF32(Moves<float>& s) { s.activate = &Activate<float>; }
void FillF64(Moves<double>& s) { s.activate = &Activate<double>; }
#else
void FillF32(Moves<float>&) {}
void FillF64(Moves<double>&) {}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::kit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::kit {
CTCONV_SIMD_FILLS(fill_activations, Moves)
}  // namespace ctconv::kit
#endif
