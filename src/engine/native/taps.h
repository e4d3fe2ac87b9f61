// SPDX-License-Identifier: Apache-2.0
// Form "taps": kernels much longer than the input: lanes run over outputs that follow each other, so over taps.
//
//   x -> dense, widened; weights [group][output channel][input channel][d, h taps][w taps] -> strips of a row of y:
//   y[i*s + t - lo] += x[i] * w[t]  for neighbouring t at once
//   Other forms visit every tap at every output. Where a kernel of 2,751 taps meets 10 inputs, 10 of them are real.
//   Nothing is multiplied but real products, so no weight is refused.
//   Refuses (null): a dilation along w, kernels shorter than a vector, many inputs.
#pragma once

#include <memory>

#include "src/engine/native/form.h"
#include "src/engine/native/taps_routines.h"

namespace ctconv::native::taps {

template <class T>
struct Plan {
  Problem p;
  Moves<T> moves;
  TapsRoutines<T> routines;
  int32_t threads = 1;
  int64_t images = 1;  // of a block
  double seconds = 0;

  int64_t strip() const { return kTapsVectors * moves.lanes; }
  int64_t strips() const { return ceil_div(p.axis[2].o, strip()); }
  int64_t blocks() const { return ceil_div(p.n, images); }
  int64_t inputs() const { return p.axis[0].i * p.axis[1].i * p.axis[2].i; }  // of a channel
  int64_t rows() const { return p.ci * p.axis[0].i * p.axis[1].i; }           // that meet a row of y, at most
};

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given);
template <class T>
std::string describe(const Plan<T>& plan);
template <class T>
size_t scratch_size(const Plan<T>& plan);
template <class T>
size_t packed_size(const Plan<T>& plan);
template <class T>
std::string packing_key(const Plan<T>& plan);
template <class T>
Result<bool> pack_weights(const Plan<T>& plan, const void* w, void* packed, const Runner& runner);
template <class T>
Kernel::Spoils spoils_of(const Plan<T>& /*plan*/) {
  return Kernel::Spoils::kNothing;
}
template <class T>
Status compute(const Plan<T>& plan, const Operands& memory, const Runner& runner);

}  // namespace ctconv::native::taps
