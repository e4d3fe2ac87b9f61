// SPDX-License-Identifier: Apache-2.0
// Winograd's three steps on vectors; lanes over channels in all of them.
//
//   in, out: see routines.h; the formulas stand in kinds.h, along h first, then along w
//   Per element the same correctly rounded operations in the same order on every instruction set.
#include "src/kit/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "src/engine/winograd/simd_winograd.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "src/engine/winograd/routines.h"

HWY_BEFORE_NAMESPACE();
namespace ctconv::winograd {
namespace HWY_NAMESPACE {
namespace {  // several files define these names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_NATIVE_FMA
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Rows three by three from one pointer each: then every broadcast is an address of pointer, pitch and 1 or 2.
template <int R, int W>
void Products(const ProductArgs& a) {
  constexpr int kThirds = (R + 2) / 3;
  const D d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d)), pitch = a.v_pitch;
  V sum[R][W];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int w = 0; w < W; ++w) sum[r][w] = hn::Zero(d);
  }
  const float* row[kThirds];
#pragma GCC unroll 4
  for (int t = 0; t < kThirds; ++t) row[t] = a.v + 3 * t * pitch;
  const float* u = a.u;
  for (int64_t k = 0; k < a.k; ++k, u += W * n) {
    V b[W];
#pragma GCC unroll 4
    for (int w = 0; w < W; ++w) b[w] = hn::LoadU(d, u + w * n);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const V x = hn::Set(d, row[r / 3][(r % 3) * pitch]);
#pragma GCC unroll 4
      for (int w = 0; w < W; ++w) sum[r][w] = hn::MulAdd(x, b[w], sum[r][w]);
    }
#pragma GCC unroll 4
    for (int t = 0; t < kThirds; ++t) ++row[t];
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int w = 0; w < W; ++w) hn::StoreU(sum[r][w], d, a.out + (r * W + w) * n);
  }
}

template <Kind kind>
HWY_INLINE void Forward(const V* d, V* v) {
  if constexpr (kind == Kind::kTwo || kind == Kind::kThree) {
    v[0] = hn::Sub(d[0], d[2]);
    v[1] = hn::Add(d[1], d[2]);
    v[2] = hn::Sub(d[2], d[1]);
    v[3] = hn::Sub(d[3], d[1]);
  } else if constexpr (kind == Kind::kPair) {
    v[0] = hn::Sub(d[0], d[1]);
    v[1] = d[1];
    v[2] = hn::Sub(d[2], d[1]);
  } else {
    for (int k = 0; k < row_of(kind).points; ++k) v[k] = d[k];
  }
}

template <Kind kind>
HWY_INLINE void Inverse(const V* m, V* y) {
  if constexpr (kind == Kind::kTwo) {
    const V both = hn::Add(m[1], m[2]);
    y[0] = hn::Add(m[0], both);
    y[1] = hn::Sub(m[1], m[2]);
    y[2] = hn::Add(both, m[3]);
  } else if constexpr (kind == Kind::kThree) {
    y[0] = hn::Add(m[0], hn::Add(m[1], m[2]));
    y[1] = hn::Add(hn::Sub(m[1], m[2]), m[3]);
  } else if constexpr (kind == Kind::kPair) {
    y[0] = hn::Add(m[0], m[1]);
    y[1] = hn::Add(m[1], m[2]);
  } else {
    for (int k = 0; k < row_of(kind).outputs; ++k) y[k] = m[k];
  }
}

template <Kind kH, Kind kW>
void Input(const InputArgs& a) {
  constexpr KindRow h = row_of(kH), w = row_of(kW);
  const D d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < a.channels; c += n) {
    V half[w.inputs][h.points];
#pragma GCC unroll 4
    for (int q = 0; q < w.inputs; ++q) {
      V x[h.inputs];
#pragma GCC unroll 4
      for (int r = 0; r < h.inputs; ++r) x[r] = hn::LoadU(d, a.at[r * a.at_row + q] + c);
      Forward<kH>(x, half[q]);
    }
#pragma GCC unroll 4
    for (int p = 0; p < h.points; ++p) {
      V x[w.inputs], v[w.points];
#pragma GCC unroll 4
      for (int q = 0; q < w.inputs; ++q) x[q] = half[q][p];
      Forward<kW>(x, v);
#pragma GCC unroll 4
      for (int q = 0; q < w.points; ++q) hn::StoreU(v[q], d, a.v + p * a.v_row + q * a.v_point + c);
    }
  }
}

template <Kind kH, Kind kW>
void Output(const OutputArgs& a) {
  constexpr KindRow h = row_of(kH), w = row_of(kW);
  const D d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < a.vectors * n; c += n) {
    V half[w.points][h.outputs];
#pragma GCC unroll 4
    for (int q = 0; q < w.points; ++q) {
      V m[h.points];
#pragma GCC unroll 4
      for (int p = 0; p < h.points; ++p) m[p] = hn::LoadU(d, a.m + (p * w.points + q) * a.m_point + c);
      Inverse<kH>(m, half[q]);
    }
    const V bias = hn::LoadU(d, a.bias + c);
#pragma GCC unroll 3
    for (int i = 0; i < h.outputs; ++i) {
      V m[w.points], y[w.outputs];
#pragma GCC unroll 4
      for (int q = 0; q < w.points; ++q) m[q] = half[q][i];
      Inverse<kW>(m, y);
#pragma GCC unroll 3
      for (int j = 0; j < w.outputs; ++j)
        hn::StoreU(hn::Add(y[j], bias), d, a.out + i * a.out_row + j * a.out_column + c);
    }
  }
}

using D64 = hn::Repartition<double, D>;
using V64 = hn::Vec<D64>;

template <Kind kind>
HWY_INLINE void Points(const V64* g, V64* u) {
  const V64 half = hn::Set(D64(), 0.5);
  if constexpr (kind == Kind::kTwo) {
    u[0] = g[0];
    u[1] = hn::Mul(hn::Add(g[0], g[1]), half);
    u[2] = hn::Mul(hn::Sub(g[0], g[1]), half);
    u[3] = g[1];
  } else if constexpr (kind == Kind::kThree) {
    const V64 outer = hn::Add(g[0], g[2]);
    u[0] = g[0];
    u[1] = hn::Mul(hn::Add(outer, g[1]), half);
    u[2] = hn::Mul(hn::Sub(outer, g[1]), half);
    u[3] = g[2];
  } else if constexpr (kind == Kind::kPair) {
    u[0] = g[0];
    u[1] = hn::Add(g[0], g[1]);
    u[2] = g[1];
  } else {
    for (int k = 0; k < row_of(kind).points; ++k) u[k] = g[0];
  }
}

template <Kind kH, Kind kW>
void Weights(const WeightArgs& a) {
  constexpr KindRow h = row_of(kH), w = row_of(kW);
  const D64 d;
  const hn::Rebind<float, D64> narrow;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < a.width; c += n) {
    V64 half[w.taps][h.points];
#pragma GCC unroll 3
    for (int q = 0; q < w.taps; ++q) {
      V64 g[h.taps];
#pragma GCC unroll 3
      for (int r = 0; r < h.taps; ++r) g[r] = hn::PromoteTo(d, hn::LoadU(narrow, a.tap[r * w.taps + q] + c));
      Points<kH>(g, half[q]);
    }
#pragma GCC unroll 4
    for (int p = 0; p < h.points; ++p) {
      V64 g[w.taps], u[w.points];
#pragma GCC unroll 3
      for (int q = 0; q < w.taps; ++q) g[q] = half[q][p];
      Points<kW>(g, u);
#pragma GCC unroll 4
      for (int q = 0; q < w.points; ++q) {
        hn::StoreU(hn::DemoteTo(narrow, u[q]), narrow, a.out + (p * w.points + q) * a.out_point + c);
      }
    }
  }
}

template <int R, int W>
void FillProduct(Routines& s) {
  if constexpr (R * W <= CTCONV_ACCUMULATORS) s.products[W - 1][R - 1] = &Products<R, W>;
}
template <int R>
void FillProducts(Routines& s) {
  FillProduct<R, 1>(s);
  FillProduct<R, 2>(s);
  FillProduct<R, 3>(s);
  FillProduct<R, 4>(s);
  if constexpr (R > 1) FillProducts<R - 1>(s);
}
template <Kind kH, Kind kW>
void FillPair(Routines& s) {
  s.input[static_cast<int>(kH)][static_cast<int>(kW)] = &Input<kH, kW>;
  s.output[static_cast<int>(kH)][static_cast<int>(kW)] = &Output<kH, kW>;
  s.weights[static_cast<int>(kH)][static_cast<int>(kW)] = &Weights<kH, kW>;
}
template <Kind kH>
void FillPairs(Routines& s) {
  FillPair<kH, Kind::kOne>(s);
  FillPair<kH, Kind::kRaw>(s);
  FillPair<kH, Kind::kTwo>(s);
  FillPair<kH, Kind::kThree>(s);
  FillPair<kH, Kind::kPair>(s);
}
void Fill(Routines& s) {
  s.lanes = static_cast<int>(hn::Lanes(D()));
  FillProducts<kMostRows>(s);
  FillPairs<Kind::kOne>(s);
  FillPairs<Kind::kRaw>(s);
  FillPairs<Kind::kTwo>(s);
  FillPairs<Kind::kThree>(s);
  FillPairs<Kind::kPair>(s);
}
#else
void Fill(Routines&) {}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ctconv::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ctconv::winograd {
HWY_EXPORT(Fill);

Routines routines() {
  Routines r;
  HWY_DYNAMIC_DISPATCH(Fill)(r);
  return r;
}

}  // namespace ctconv::winograd
#endif
