// The tables of simd.h for this CPU.
//
//   in:  the instruction set Highway chose
//   out: one table per computing type
#include "src/engine/native/simd.h"

#include "src/engine/native/simd_tables.h"

namespace ctconv::native {

template <class T>
Simd<T> simd() {
  Simd<T> s{};
  fill_moves(s);
  if (s.lanes == 0) return s;
  fill_positions(s);
  fill_channels(s);
  fill_depthwise(s);
  fill_rows(s);
  fill_activations(s);
  return s;
}

template Simd<float> simd<float>();
template Simd<double> simd<double>();

}  // namespace ctconv::native
