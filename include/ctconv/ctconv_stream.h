/* SPDX-License-Identifier: Apache-2.0 */
/* Data larger than memory and data without an end: regions of the output, streams. Part of ctconv.h, which includes it;
 * what is said there of records, errors and threads holds here. Since 0.2. */
#ifndef CTCONV_STREAM_H_
#define CTCONV_STREAM_H_

#include "ctconv.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctconv_stream ctconv_stream;

/* ---- regions ---------------------------------------------------------------------------------------------------- */

/* Regions: call->begin and end name a box of the whole output. output_spec, prepare, execute and describe
 * then speak of that box: y has its shape, and its values are those of the same box of a whole call, to the bit where
 * the results have the reference's bits (`bits` in describe; options.reproducible 1).
 * The whole x is call->x, of which only a window is read; or x is a window that begins at x_begin of a whole x of
 * shape x_shape. x_shape may be NULL where no size depends on it but that of y: not with pads or a kernel that follow
 * from extents ("SAME" of paddle, output_size), nor with rows of zeros behind the output (MISUSE_REGION).
 * Work, memory and workspace are those of the box. Boxes of one shape that lie alike share a plan.
 *
 * The window of x that a region reads: [x_begin, x_end) of each spatial axis, at least one position. Each takes an
 * entry per spatial axis. call->x: the shape of the whole x, or of a window with x_begin; no data is touched.
 * Any window that holds this one will do for execute. Status as output_spec; MISUSE_REGION for a box that is empty or
 * not inside the output, and for a window that is too small; MISUSE_NULL where the call has no region. Any thread. */
CTCONV_API ctconv_status ctconv_region_window(const ctconv_op *op, const ctconv_call *call, int64_t *x_begin,
                                              int64_t *x_end, ctconv_error *error);

/* ---- streams ---------------------------------------------------------------------------------------------------- */

/* A 1-D op over n signals that never end: inputs are pushed as they come, in any portions, and what is known of y comes
 * out. All that came out, one after the other, is y of one whole call with options.reproducible 1, to the bit.
 * After I inputs, max(0, I*stride - delay) outputs have come out; flush gives the rest.
 * The op has its weight, is on the CPU and outlives its streams. *stream is the caller's until ctconv_stream_destroy.
 * Everything is planned and allocated here. With parallel 0 push and flush then take no lock, no memory and no system
 * call (but for the first inputs, where the kernel reaches over more than 64 of them).
 * Status: UNSUPPORTED_STREAM for more than one spatial axis, sizes that follow from the whole input (pads "SAME" of
 * paddle, output_size), CUDA; MISUSE_WEIGHT_MISSING; MISUSE_OPTION for n below 1 and options out of range;
 * UNSUPPORTED_ENGINE for an engine by name without the reference's bits; 3xxx, 5xxx. Any thread. */
CTCONV_API ctconv_status ctconv_stream_create(const ctconv_op *op, int64_t n, const ctconv_stream_options *options,
                                              ctconv_stream **stream, ctconv_error *error);

/* Appends x, (n, in_channels, any length) or in the dialect's own order, length 0 included, and writes the outputs that
 * are known by it to the first *written positions of y. y has n and out_channels and at least so many positions, any
 * strides; the others are left alone. y NULL: *written is only asked for, and nothing is appended.
 * After kinds 1xxx to 4xxx and 7xxx (but MISUSE_RUNNER) nothing was appended or written. After others reset the stream.
 * Status: 1xxx to 3xxx of the dialect for x; MISUSE_TENSOR for another n, _Y_SHAPE, _Y_DTYPE, _Y_OVERLAP, and what
 * execute says of tensors. One thread at a time per stream; streams of one op run side by side. */
CTCONV_API ctconv_status ctconv_stream_push(ctconv_stream *stream, const ctconv_tensor *x, const ctconv_tensor *y,
                                            int64_t *written, ctconv_error *error);

/* Writes what is left of y, as push does; the stream is then as new. Nothing is left of a stream without inputs.
 * Refused as a whole call of these inputs would be (SHAPE_OUTPUT_EMPTY); the stream then goes on. */
CTCONV_API ctconv_status ctconv_stream_flush(ctconv_stream *stream, const ctconv_tensor *y, int64_t *written,
                                             ctconv_error *error);

/* Forgets every input: the stream is as new. */
CTCONV_API ctconv_status ctconv_stream_reset(ctconv_stream *stream, ctconv_error *error);

/* *twin goes on from the same state, apart from the stream, which no other thread pushes meanwhile. NO_MEMORY. */
CTCONV_API ctconv_status ctconv_stream_clone(const ctconv_stream *stream, ctconv_stream **twin, ctconv_error *error);

/* *delay: by how many outputs y lags behind I*stride. Below 0 where outputs come before the first input's own. */
CTCONV_API ctconv_status ctconv_stream_delay(const ctconv_stream *stream, int64_t *delay, ctconv_error *error);

/* What a stream holds, as `key: value` lines like ctconv_describe: inputs and outputs so far, delay, history (inputs it
 * keeps), chunk, warm_up (inputs from which every push is alike), state_bytes and workspace_bytes, which never grow. */
CTCONV_API ctconv_status ctconv_stream_describe(const ctconv_stream *stream, char *buf, size_t cap, size_t *needed,
                                                ctconv_error *error);

/* Releases a stream. NULL is fine. */
CTCONV_API void ctconv_stream_destroy(ctconv_stream *stream);

#ifdef __cplusplus
}
#endif

#endif /* CTCONV_STREAM_H_ */
