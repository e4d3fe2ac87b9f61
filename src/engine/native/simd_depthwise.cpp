// Depthwise with lanes over channels: every lane is a channel with its own weights.
//
//   in:  DepthwiseArgs;   out: count positions of N channels, finished sums with bias
//   Eight positions share each load of a tap's weights.
#include "src/engine/native/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/native/simd_depthwise.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/native/simd_tables.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::native {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
template <class T, int M>
void Block(const DepthwiseArgs<T>& a, const T* x0, T* out) {
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  Vec acc[M];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) acc[m] = hn::Zero(d);
  for (int64_t t = 0; t < a.taps; ++t) {
    const T* x = x0 + a.x_tap[t];
    const Vec w = hn::LoadU(d, a.w + a.w_tap[t]);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) acc[m] = hn::MulAdd(w, hn::LoadU(d, x + m * a.x_step), acc[m]);
  }
  const Vec b = hn::LoadU(d, a.bias);
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) hn::StoreU(hn::Add(acc[m], b), d, out + m * a.out_step);
}

template <class T>
void Depthwise(const DepthwiseArgs<T>& a) {
  int64_t m = 0;
  for (; m + 8 <= a.count; m += 8) Block<T, 8>(a, a.x + m * a.x_step, a.out + m * a.out_step);
  for (; m + 4 <= a.count; m += 4) Block<T, 4>(a, a.x + m * a.x_step, a.out + m * a.out_step);
  for (; m < a.count; ++m) Block<T, 1>(a, a.x + m * a.x_step, a.out + m * a.out_step);
}
void FillF32(Simd<float>& s) { s.depthwise = &Depthwise<float>; }
void FillF64(Simd<double>& s) { s.depthwise = &Depthwise<double>; }
#else
void FillF32(Simd<float>&) {}
void FillF64(Simd<double>&) {}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::native
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::native {
HWY_EXPORT(FillF32);
HWY_EXPORT(FillF64);
void fill_depthwise(Simd<float>& s) { HWY_DYNAMIC_DISPATCH(FillF32)(s); }
void fill_depthwise(Simd<double>& s) { HWY_DYNAMIC_DISPATCH(FillF64)(s); }
}  // namespace ctconv::native
#endif
