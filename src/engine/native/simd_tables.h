// How the files simd_*.cpp fill one Simd table: each adds its routines for the instruction set Highway chose.
#pragma once

#include "src/engine/native/simd.h"

namespace ctconv::native {

void fill_positions(Simd<float>&);
void fill_positions(Simd<double>&);
void fill_channels(Simd<float>&);
void fill_channels(Simd<double>&);
void fill_depthwise(Simd<float>&);
void fill_depthwise(Simd<double>&);
void fill_rows(Simd<float>&);
void fill_rows(Simd<double>&);
void fill_moves(Simd<float>&);
void fill_moves(Simd<double>&);
void fill_activations(Simd<float>&);
void fill_activations(Simd<double>&);

// The end of such a file, once: the two functions above call FillF32 and FillF64 of this CPU's instruction set.
#define CTCONV_SIMD_FILLS(function)                                   \
  HWY_EXPORT(FillF32);                                                \
  HWY_EXPORT(FillF64);                                                \
  void function(Simd<float>& s) { HWY_DYNAMIC_DISPATCH(FillF32)(s); } \
  void function(Simd<double>& s) { HWY_DYNAMIC_DISPATCH(FillF64)(s); }

}  // namespace ctconv::native
