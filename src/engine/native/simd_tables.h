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

}  // namespace ctconv::native
