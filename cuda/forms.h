// SPDX-License-Identifier: Apache-2.0
// Which of our kernels can run a problem, and with which numbers. No CUDA header here: CPU tests run the same forms.
//
//   in:  the problem record
//   out: filled parameters (all pointers null), or the reason of refusal
//   Each function is one kernel's "can you?"; an empty string is yes.
#pragma once

#include <cstddef>
#include <string>

#include "cuda/kernels/cell.h"
#include "cuda/kernels/direct.h"
#include "cuda/kernels/epilogue.h"
#include "cuda/kernels/pack.h"
#include "cuda/kernels/pixel.h"
#include "cuda/kernels/shuffle.h"
#include "cuda/module.h"

namespace ctconv::cuda {

// Dense weight orders the kernels want, outermost first.
enum class Packing {
  kRaw,          // as it lies
  kTapsLast,     // group, ci, co, d, h, w   (cuDNN's KCRS; torch)
  kTapsMiddle,   // group, ci, d, h, w, co   (cuDNN's KRSC)
  kTapsFirst,    // ci, d, h, w, group, co
  kRowsOfCi,     // group, d, h, w, co, ci padded with zeros to a multiple of 16 bytes
  kRunsOfTaps,   // group, ci, d, h, co, w
  kRunsOfCi,     // group, d, h, co, w, ci padded like kRowsOfCi
  kCells,        // group, ci, d, h, w, co padded with zeros to a multiple of cell_block(co)
  kFilterFirst,  // group, co, ci, d, h, w, taps from the last to the first   (a convolution's filter, KCRS)
  kFilterLast    // group, co, d, h, w, ci, taps from the last to the first   (KRSC)
};
const char* name_of(Packing packing);

// The part of y that a stride-1 backward-data call computes, see geometry.h.
struct Box {
  int64_t lo[3] = {0, 0, 0}, hi[3] = {0, 0, 0};
};

size_t element_bytes(int32_t dtype);
size_t accumulator_bytes(int32_t dtype);
int64_t channels_out(const ctconv_cuda_problem& p);
int64_t channels_in(const ctconv_cuda_problem& p);
int64_t weight_elements(const ctconv_cuda_problem& p);
int64_t core_elements(const ctconv_cuda_problem& p);
int64_t input_elements(const ctconv_cuda_problem& p);
bool has_tail(const ctconv_cuda_problem& p);
// Extents n, c, d, h, w; y with its tail.
void extents_of(const ctconv_cuda_problem& p, bool output, int64_t (&extent)[5]);
bool dense_channels_first(const ctconv_cuda_problem& p, bool output);
bool dense_channels_last(const ctconv_cuda_problem& p, bool output);

std::string direct_form(const ctconv_cuda_problem& p, DirectParams* out);
std::string cell_form(const ctconv_cuda_problem& p, CellForm* form, CellParams* out);
int64_t cell_block(int64_t co);  // channels of a thread of cell
std::string pixel_form(const ctconv_cuda_problem& p, bool* vector, PixelParams* out);
// A thread for each of `vectors` vectors of channels.
void pixel_vectors(int64_t vectors, const ctconv_cuda_problem& p, PixelParams* out);
std::string shuffle_form(const ctconv_cuda_problem& p, ShuffleMath math, ShuffleParams* out);
// The one pass over y after sums were written to `interior` (its bias and activation still missing where `finish`).
EpilogueWay epilogue_form(const ctconv_cuda_problem& p, const Box& interior, bool finish, bool* vector,
                          EpilogueParams* out);

// Elements of the packed weight, padding counted.
int64_t packed_elements(const ctconv_cuda_problem& p, Packing packing);
// Every index of an axis and every count of channels fits 31 bits.
bool fits32(const ctconv_cuda_problem& p);
ActParams act_of(const ctconv_cuda_problem& p);

// Axes of the weight (group, ci, co, d, h, w as 0 to 5), outermost first; not for kRaw.
const int (&packed_order(Packing packing))[6];
bool turned(Packing packing);
bool raw_matches(const ctconv_cuda_problem& p, Packing packing);
void pack_form(const ctconv_cuda_problem& p, Packing packing, PackParams* out);

}  // namespace ctconv::cuda
