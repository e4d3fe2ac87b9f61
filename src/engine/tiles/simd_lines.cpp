// SPDX-License-Identifier: Apache-2.0
// The vector routines of lines.h.
//
//   in, out: see Lines (lines.h)
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/tiles/simd_lines.cpp"
#include <type_traits>

#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/base/half.h"
#include "src/engine/tiles/lines.h"
#include "src/engine/tiles/pack.h"
#include "src/engine/tiles/split.h"
#include "src/engine/tiles/unit.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::tiles {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
using D32 = hn::CappedTag<uint32_t, 16>;
using D16 = hn::Rebind<uint16_t, D32>;
using DF = hn::RebindToFloat<D32>;
using V32 = hn::Vec<D32>;

template <Dtype kType>
using Stored = std::conditional_t<kType == Dtype::kF32, float, uint16_t>;

template <Dtype kType>
float Widened(Stored<kType> v) {
  if constexpr (kType == Dtype::kF32) return v;
  if constexpr (kType == Dtype::kF16) return f16_to_f32(v);
  if constexpr (kType == Dtype::kBf16) return bf16_to_f32(v);
}

// `count` values as f32, zeros behind them; a whole vector where count is its length.
template <Dtype kType>
HWY_INLINE hn::Vec<DF> LoadSome(const Stored<kType>* from, size_t count) {
  const DF d;
  const bool whole = count >= hn::Lanes(d);
  if constexpr (kType == Dtype::kF32) {
    return whole ? hn::LoadU(d, from) : hn::LoadN(d, from, count);
  } else {
    const D16 d16;
    const auto h = whole ? hn::LoadU(d16, from) : hn::LoadN(d16, from, count);
    if constexpr (kType == Dtype::kBf16) return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(D32(), h)));
    if constexpr (kType == Dtype::kF16) return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, DF>(), h));
  }
}

// The parts of split.h, each in the upper half.
template <int kParts>
HWY_INLINE void Split(hn::Vec<DF> v, V32 (&part)[kParts]) {
  const D32 du;
  const DF d;
  const auto upper = hn::Set(du, 0xffff0000u);
  part[0] = hn::And(hn::BitCast(du, v), upper);
  if constexpr (kParts > 1) {
    const auto rest = hn::Sub(v, hn::BitCast(d, part[0]));
    part[1] = hn::And(hn::Add(hn::BitCast(du, rest), hn::Set(du, 0x8000u)), upper);
    if constexpr (kParts > 2) part[2] = hn::BitCast(du, hn::Sub(rest, hn::BitCast(d, part[1])));
  }
}

template <Dtype kType, int kParts>
void Pair(const void* low, const void* high, int64_t stride, int64_t count, uint32_t* out, int64_t out_part) {
  const auto* a = static_cast<const Stored<kType>*>(low);
  const auto* b = static_cast<const Stored<kType>*>(high);
  const D32 d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = 0;
  if (stride == 1) {
    const auto upper = hn::Set(d, 0xffff0000u);
    for (; k + n <= count; k += n) {
      V32 first[kParts], second[kParts];
      hwy::Prefetch(a + k + kSparePlaces);  // read in the next call for these channels: many rows, far apart
      if (b != nullptr) hwy::Prefetch(b + k + kSparePlaces);
      Split<kParts>(LoadSome<kType>(a + k, n), first);
      Split<kParts>(b != nullptr ? LoadSome<kType>(b + k, n) : hn::Zero(DF()), second);
      for (int q = 0; q < kParts; ++q) {
        hn::StoreU(hn::Or(hn::ShiftRight<16>(first[q]), hn::And(second[q], upper)), d, out + q * out_part + k);
      }
    }
  }
  for (; k < count; ++k) {
    uint16_t first[kMostParts] = {}, second[kMostParts] = {};
    split(Widened<kType>(a[k * stride]), kParts, first);
    if (b != nullptr) split(Widened<kType>(b[k * stride]), kParts, second);
    for (int q = 0; q < kParts; ++q) out[q * out_part + k] = first[q] | uint32_t{second[q]} << 16;
  }
}

template <Dtype kType, int kParts>
void CopyLines(const void* src, int64_t step, int64_t channels, int64_t count, uint16_t* out, int64_t out_part) {
  const D32 d;
  const D16 d16;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const auto* from = static_cast<const Stored<kType>*>(src);
  for (int64_t k = 0; k < count; ++k, from += step, out += kChannels) {
    for (int64_t j = 0; j < kChannels; j += n) {
      V32 part[kParts];
      const int64_t left = channels - j;
      Split<kParts>(left > 0 ? LoadSome<kType>(from + j, static_cast<size_t>(left)) : hn::Zero(DF()), part);
      for (int q = 0; q < kParts; ++q) {
        hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(part[q])), d16, out + q * out_part + j);
      }
    }
  }
}

// Calls use(type, parts) with both as constants.
template <class Use>
void WithSplit(Dtype dtype, int64_t parts, Use use) {
  constexpr std::integral_constant<int, 1> kOne;
  constexpr std::integral_constant<int, 2> kTwo;
  if (dtype == Dtype::kBf16) return use(std::integral_constant<Dtype, Dtype::kBf16>(), kOne);
  if (dtype == Dtype::kF16) return use(std::integral_constant<Dtype, Dtype::kF16>(), kTwo);
  constexpr std::integral_constant<Dtype, Dtype::kF32> kSingle;
  return parts == 3 ? use(kSingle, std::integral_constant<int, 3>()) : use(kSingle, kTwo);
}

void AnyPair(const void* a, const void* b, int64_t stride, Dtype dtype, int64_t count, uint32_t* out, int64_t out_part,
             int64_t parts) {
  WithSplit(dtype, parts, [&](auto type, auto some) {
    Pair<decltype(type)::value, decltype(some)::value>(a, b, stride, count, out, out_part);
  });
}

void AnyLines(const void* src, int64_t step, Dtype dtype, int64_t channels, int64_t count, uint16_t* out,
              int64_t out_part, int64_t parts) {
  WithSplit(dtype, parts, [&](auto type, auto some) {
    CopyLines<decltype(type)::value, decltype(some)::value>(src, step, channels, count, out, out_part);
  });
}

// Rounded to nearest even; a NaN stays one.
template <Dtype kType>
HWY_INLINE void StoreSome(hn::Vec<DF> f, Stored<kType>* to, size_t count) {
  const D32 du;
  const DF d;
  const D16 d16;
  const bool whole = count >= hn::Lanes(d);
  if constexpr (kType == Dtype::kF32) {
    return whole ? hn::StoreU(f, d, to) : hn::StoreN(f, d, to, count);
  } else {
    hn::Vec<D16> h;
    if constexpr (kType == Dtype::kF16) {
      h = hn::BitCast(d16, hn::DemoteTo(hn::Rebind<hwy::float16_t, DF>(), f));
    } else {
      const auto u = hn::BitCast(du, f);
      const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(du, 1u));
      const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(u, hn::Set(du, 0x7fffu)), odd));
      const auto quiet = hn::Or(hn::ShiftRight<16>(u), hn::Set(du, 0x40u));
      h = hn::TruncateTo(d16, hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(f)), quiet, rounded));
    }
    return whole ? hn::StoreU(h, d16, to) : hn::StoreN(h, d16, to, count);
  }
}

template <Dtype kType>
void StoreRuns(const float* sums, int64_t count, int64_t values, void* to, int64_t step) {
  const DF d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  auto* y = static_cast<Stored<kType>*>(to);
  for (int64_t k = 0; k < count; ++k, sums += kRows, y += step) {
    for (int64_t j = 0; j < values; j += n) {
      StoreSome<kType>(hn::LoadU(d, sums + j), y + j, static_cast<size_t>(values - j));
    }
  }
}

void AnyRuns(const float* sums, int64_t count, int64_t values, Dtype dtype, void* y, int64_t step) {
  if (dtype == Dtype::kF32) return StoreRuns<Dtype::kF32>(sums, count, values, y, step);
  if (dtype == Dtype::kF16) return StoreRuns<Dtype::kF16>(sums, count, values, y, step);
  return StoreRuns<Dtype::kBf16>(sums, count, values, y, step);
}

void Fill(Lines& l) {
  l.pair = &AnyPair;
  l.copy = &AnyLines;
  l.store = &AnyRuns;
}
#else
void Fill(Lines&) {}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::tiles
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::tiles {
HWY_EXPORT(Fill);
Lines lines() {
  Lines l;
  HWY_DYNAMIC_DISPATCH(Fill)(l);
  return l;
}
}  // namespace ctconv::tiles
#endif
