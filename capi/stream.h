// SPDX-License-Identifier: Apache-2.0
// What hides behind ctconv_stream, and the judging of what is pushed.
//
//   in:  a stream's op and records of tensors;   out: views
//   refuses: x as a call of the op would, another batch (MISUSE_TENSOR); y of another type, or with too few positions
#pragma once

#include "capi/op.h"
#include "src/stream/stream.h"

struct ctconv_stream {
  const ctconv_op* op;
  std::unique_ptr<ctconv::Stream> state;
};

namespace ctconv {

Status read_pushed(const ctconv_stream& stream, const ctconv_tensor* x, TensorView* out);
// `written` outputs go to the first positions of y, which shares no byte with x (null: there is none).
Status read_outputs(const ctconv_stream& stream, const ctconv_tensor& y, int64_t written, const TensorView* x,
                    TensorView* out);

}  // namespace ctconv
