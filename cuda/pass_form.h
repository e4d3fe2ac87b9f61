// SPDX-License-Identifier: Apache-2.0
// The numbers of one element-wise pass. No CUDA header here: CPU tests run the same form.
//
//   in:  the record of a pass;   out: parameters: axes of one element dropped, axes that lie together in all three
//        tensors folded, the nearest of `to` last;   refuses: nothing, extents and strides were judged
#pragma once

#include "cuda/kernels/pass.h"

namespace ctconv::cuda {

void pass_form(const ctconv_cuda_pass& pass, PassParams* out);

}  // namespace ctconv::cuda
