// SPDX-License-Identifier: Apache-2.0
// f16 and bf16 in vectors: the bits of src/base/half.h.
//
//   in:  16-bit patterns, or a vector of floats;   out: the other, rounded to nearest even, a NaN quiet
//   Tails are done by a vector that overlaps the one before, or masked where there is none before.
//   Included once per instruction set by the files that use it, inside Highway's target loop.
#if defined(CTCONV_SIMD_HALVES) == defined(HWY_TARGET_TOGGLE)
#ifdef CTCONV_SIMD_HALVES
#undef CTCONV_SIMD_HALVES
#else
#define CTCONV_SIMD_HALVES
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "src/base/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::kit {
namespace HWY_NAMESPACE {

using Floats = hwy::HWY_NAMESPACE::ScalableTag<float>;
using Halves = hwy::HWY_NAMESPACE::Rebind<uint16_t, Floats>;

template <bool kBf16, class H>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Floats> Widened(H h) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Floats d;
  if constexpr (kBf16) {
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<Floats>(), h)));
  } else {
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, Floats>(), h));
  }
}

template <bool kBf16, class F>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Halves> Narrowed(F f) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Halves d16;
  if constexpr (kBf16) {
    const hn::RebindToUnsigned<Floats> du;
    const auto u = hn::BitCast(du, f);
    const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(du, 1u));
    const auto rounded = hn::Add(hn::Add(u, hn::Set(du, 0x7fffu)), odd);
    const auto quiet = hn::Or(u, hn::Set(du, 0x400000u));
    const auto either = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(f)), quiet, rounded);
    return hn::TruncateTo(d16, hn::ShiftRight<16>(either));
  } else {
    return hn::BitCast(d16, hn::DemoteTo(hn::Rebind<hwy::float16_t, Floats>(), f));
  }
}

// Two vectors side by side; of bf16 without a NaN: the upper halves of their elements once they are rounded.
using Pair = hwy::HWY_NAMESPACE::Repartition<uint16_t, Floats>;
template <bool kBf16, class F>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Pair> NarrowedNumbers(F low, F high) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Pair whole;
  if constexpr (kBf16) {
    const hn::RebindToUnsigned<Floats> du;
    const auto most = hn::Set(du, 0x7fffu), one = hn::Set(du, 1u);
    const auto rounded = [&](auto f) HWY_ATTR {
      const auto u = hn::BitCast(du, f);
      return hn::BitCast(whole, hn::Add(hn::Add(u, most), hn::And(hn::ShiftRight<16>(u), one)));
    };
    return hn::ConcatOdd(whole, rounded(high), rounded(low));
  } else {
    return hn::Combine(whole, Narrowed<false>(high), Narrowed<false>(low));
  }
}

template <bool kBf16, class F>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<Pair> NarrowedPair(F low, F high) {
  namespace hn = hwy::HWY_NAMESPACE;
  if (kBf16 && HWY_UNLIKELY(!hn::AllFalse(Floats(), hn::IsEitherNaN(low, high)))) {
    return hn::Combine(Pair(), Narrowed<kBf16>(high), Narrowed<kBf16>(low));
  }
  return NarrowedNumbers<kBf16>(low, high);
}

template <bool kBf16>
HWY_INLINE void WidenRow(const uint16_t* src, int64_t count, float* dst) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Floats d;
  const Halves d16;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = 0;
  for (; k + n <= count; k += n) hn::StoreU(Widened<kBf16>(hn::LoadU(d16, src + k)), d, dst + k);
  if (k == count) return;
  if (count >= n) {
    hn::StoreU(Widened<kBf16>(hn::LoadU(d16, src + count - n)), d, dst + count - n);
  } else {
    const auto left = static_cast<size_t>(count);
    hn::StoreN(Widened<kBf16>(hn::LoadN(d16, src, left)), d, dst, left);
  }
}

template <bool kBf16>
HWY_INLINE void NarrowRow(const float* src, int64_t count, uint16_t* dst) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Floats d;
  const Halves d16;
  const Pair whole;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = 0;
  for (; k + 2 * n <= count; k += 2 * n) {
    hn::StoreU(NarrowedPair<kBf16>(hn::LoadU(d, src + k), hn::LoadU(d, src + k + n)), whole, dst + k);
  }
  for (; k + n <= count; k += n) hn::StoreU(Narrowed<kBf16>(hn::LoadU(d, src + k)), d16, dst + k);
  if (k == count) return;
  if (count >= n) {
    hn::StoreU(Narrowed<kBf16>(hn::LoadU(d, src + count - n)), d16, dst + count - n);
  } else {
    const auto left = static_cast<size_t>(count);
    hn::StoreN(Narrowed<kBf16>(hn::LoadN(d, src, left)), d16, dst, left);
  }
}

// Whole lines past the caches.
template <bool kBf16>
HWY_INLINE void StreamRow(const float* src, int64_t count, uint16_t* dst) {
  namespace hn = hwy::HWY_NAMESPACE;
  const Floats d;
  const Pair whole;
  constexpr int64_t kLine = 64 / sizeof(uint16_t);
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = -static_cast<int64_t>(reinterpret_cast<uintptr_t>(dst) / sizeof(uint16_t)) & (kLine - 1);
  if (k > count) k = count;
  NarrowRow<kBf16>(src, k, dst);
  for (; k + kLine <= count; k += kLine) {
    for (int64_t j = k; j < k + kLine; j += 2 * n) {
      const auto pair = NarrowedPair<kBf16>(hn::LoadU(d, src + j), hn::LoadU(d, src + j + n));
      hn::Stream(pair, whole, dst + j);
    }
  }
  NarrowRow<kBf16>(src + k, count - k, dst + k);
}

}  // namespace HWY_NAMESPACE
}  // namespace ctconv::kit
HWY_AFTER_NAMESPACE();

#endif
