// SPDX-License-Identifier: Apache-2.0
// Bias and activation of our own, where oneDNN would add them element by element.
//
//   in:  y without bias, dense f32, channels-first or -last
//   out: the same memory, y = act(y + bias)
//   oneDNN's deconvolution by way of a backward convolution ("conv:any") knows neither: it runs a plain loop
//   afterwards, 12 (bias) to 60 (activation) times as long as y takes to go through memory.
//   Measured on Zen 4, oneDNN 3.7.2.
#pragma once

#include "src/base/runner.h"
#include "src/problem/problem.h"

namespace ctconv::onednn {

// False: the runner broke its contract. bias null: none.
bool finish(const Problem& p, float* y, const float* bias, bool channels_last, const Runner& runner);

}  // namespace ctconv::onednn
