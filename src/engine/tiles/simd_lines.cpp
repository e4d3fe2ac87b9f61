// The vector routines of lines.h.
//
//   in, out: see Lines (lines.h)
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/tiles/simd_lines.cpp"
#include <cstring>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/base/half.h"
#include "src/engine/tiles/lines.h"
#include "src/engine/tiles/unit.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::tiles {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
using D32 = hn::CappedTag<uint32_t, 16>;
using D16 = hn::Rebind<uint16_t, D32>;

void Pair(const void* low, const void* high, int64_t stride, Dtype, int64_t count, uint32_t* out, int64_t) {
  const auto* a = static_cast<const uint16_t*>(low);
  const auto* b = static_cast<const uint16_t*>(high);
  const D32 d;
  const D16 d16;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  int64_t k = 0;
  if (stride == 1) {
    for (; k + n <= count; k += n) {
      auto v = hn::PromoteTo(d, hn::LoadU(d16, a + k));
      if (b != nullptr) v = hn::Or(v, hn::ShiftLeft<16>(hn::PromoteTo(d, hn::LoadU(d16, b + k))));
      hn::StoreU(v, d, out + k);
    }
  }
  for (; k < count; ++k) out[k] = a[k * stride] | (b != nullptr ? uint32_t{b[k * stride]} << 16 : 0u);
}

void CopyLines(const void* src, int64_t step, Dtype, int64_t channels, int64_t count, uint16_t* out, int64_t) {
  const hn::CappedTag<uint16_t, kChannels> d;
  constexpr auto n = static_cast<int64_t>(hn::MaxLanes(d));
  const auto* from = static_cast<const uint16_t*>(src);
  for (int64_t k = 0; k < count; ++k, from += step, out += kChannels) {
    for (int64_t j = 0; j < kChannels; j += n) {
      const int64_t left = channels - j;
      if (left >= n) {
        hn::Store(hn::LoadU(d, from + j), d, out + j);
      } else {
        hn::Store(left > 0 ? hn::LoadN(d, from + j, static_cast<size_t>(left)) : hn::Zero(d), d, out + j);
      }
    }
  }
}

// bf16, rounded to nearest even; a NaN stays one.
template <class V>
HWY_INLINE hn::Vec<D16> Narrow(V f) {
  const D32 du;
  const hn::RebindToFloat<D32> d;
  const auto u = hn::BitCast(du, f);
  const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(du, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(u, hn::Set(du, 0x7fffu)), odd));
  const auto quiet = hn::Or(hn::ShiftRight<16>(u), hn::Set(du, 0x40u));
  return hn::TruncateTo(D16(), hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(f)), quiet, rounded));
}

void StoreRuns(const float* sums, int64_t count, int64_t values, Dtype, void* to, int64_t step) {
  const hn::RebindToFloat<D32> d;
  const D16 d16;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  auto* y = static_cast<uint16_t*>(to);
  for (int64_t k = 0; k < count; ++k, sums += kRows, y += step) {
    int64_t j = 0;
    for (; j + n <= values; j += n) hn::StoreU(Narrow(hn::LoadU(d, sums + j)), d16, y + j);
    if (j < values) hn::StoreN(Narrow(hn::LoadU(d, sums + j)), d16, y + j, static_cast<size_t>(values - j));
  }
}

void Fill(Lines& l) {
  l.pair = &Pair;
  l.copy = &CopyLines;
  l.store = &StoreRuns;
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
