// in: raw weights; out: blocks as the micro-kernels read them. See pack.h.
#include "src/engine/native/pack.h"

#include <cmath>
#include <cstdint>

#include "src/base/half.h"

namespace ctconv::native {
namespace {

template <class T, class S, class Widen>
bool gather(const S* w, int64_t ci, int64_t ci_stride, const int64_t* row, int64_t valid, int64_t width,
            const int64_t* tap, int64_t taps, T* out, Widen widen) {
  T sum = 0;  // of v*0: 0 while every weight is finite, else NaN; cheaper than a test per weight
  bool dense = true;
  for (int64_t r = 1; r < valid; ++r) dense = dense && row[r] == row[0] + r;
  for (int64_t c = 0; c < ci; ++c) {
    for (int64_t t = 0; t < taps; ++t, out += width) {
      const S* from = w + c * ci_stride + tap[t];
      if (dense) {
        for (int64_t r = 0; r < valid; ++r) out[r] = widen(from[row[0] + r]);
      } else {
        for (int64_t r = 0; r < valid; ++r) out[r] = widen(from[row[r]]);
      }
      for (int64_t r = valid; r < width; ++r) out[r] = 0;
      for (int64_t r = 0; r < valid; ++r) sum += out[r] * T(0);
    }
  }
  return sum == 0;
}

}  // namespace

template <class T>
bool pack_rows(const Problem& p, const void* w, const int64_t* row, int64_t valid, int64_t width, const int64_t* tap,
               int64_t taps, T* out) {
  const auto run = [&](auto* typed, auto widen) {
    return gather(typed, p.ci, p.w.ci, row, valid, width, tap, taps, out, widen);
  };
  if (p.dtype == Dtype::kF16) return run(static_cast<const uint16_t*>(w), [](uint16_t h) { return f16_to_f32(h); });
  if (p.dtype == Dtype::kBf16) return run(static_cast<const uint16_t*>(w), [](uint16_t h) { return bf16_to_f32(h); });
  return run(static_cast<const T*>(w), [](T v) { return v; });
}

template bool pack_rows<float>(const Problem&, const void*, const int64_t*, int64_t, int64_t, const int64_t*, int64_t,
                               float*);
template bool pack_rows<double>(const Problem&, const void*, const int64_t*, int64_t, int64_t, const int64_t*, int64_t,
                                double*);

}  // namespace ctconv::native
