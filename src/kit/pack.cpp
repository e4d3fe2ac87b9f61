// Packing weights; see pack.h.
//
//   in:  raw weights
//   out: blocks as the micro-kernels read them
#include "src/kit/pack.h"

#include <cstdint>

#include "src/base/half.h"
#include "src/kit/finite.h"

namespace ctconv::kit {
namespace {

template <class T, class S, class Widen>
bool gather(const S* w, int64_t ci_stride, const RowPack& k, T* out, Widen widen) {
  Marks<T> bad = 0;
  bool dense = true;
  for (int64_t r = 1; r < k.valid; ++r) dense = dense && k.row[r] == k.row[0] + r;
  out += k.c0 * k.taps * k.width;
  for (int64_t c = k.c0; c < k.c1; ++c) {
    for (int64_t t = 0; t < k.taps; ++t, out += k.width) {
      const S* from = w + k.base + c * ci_stride + k.tap[t];
      if (dense) {
        for (int64_t r = 0; r < k.valid; ++r) out[r] = widen(from[k.row[0] + r]);
      } else {
        for (int64_t r = 0; r < k.valid; ++r) out[r] = widen(from[k.row[r]]);
      }
      for (int64_t r = k.valid; r < k.width; ++r) out[r] = 0;
      for (int64_t r = 0; r < k.valid; ++r) bad |= not_finite(out[r]);
    }
  }
  return bad == 0;
}

}  // namespace

template <class T>
bool pack_rows(const Problem& p, const void* w, const RowPack& rows, T* out) {
  const auto run = [&](auto* typed, auto widen) { return gather(typed, p.w.ci, rows, out, widen); };
  if (p.types.w == Dtype::kF16) return run(static_cast<const uint16_t*>(w), [](uint16_t h) { return f16_to_f32(h); });
  if (p.types.w == Dtype::kBf16) return run(static_cast<const uint16_t*>(w), [](uint16_t h) { return bf16_to_f32(h); });
  return run(static_cast<const T*>(w), [](T v) { return v; });
}

template bool pack_rows<float>(const Problem&, const void*, const RowPack&, float*);
template bool pack_rows<double>(const Problem&, const void*, const RowPack&, double*);

}  // namespace ctconv::kit
