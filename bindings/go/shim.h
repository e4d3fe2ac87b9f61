// SPDX-License-Identifier: Apache-2.0
/* The C ABI with flat arguments: cgo may pass no Go pointer to memory that holds a Go pointer, and C's records hold
 * pointers to tensors that hold pointers to data and shapes. Here each tensor is its data and a row of numbers; the
 * records are built on the stack of the C function. Each Go file of the package that includes this has its own copy.
 *
 *   in:   data and meta of each tensor; meta NULL: no such tensor
 *   meta: ndim, code and bits of the element type, 8 extents, 8 strides (CTCONV_GO_META numbers)
 *   out:  as the function of ctconv.h that the name says */
#ifndef CTCONV_GO_SHIM_H_
#define CTCONV_GO_SHIM_H_

#include <ctconv/ctconv.h>

#define CTCONV_GO_META (3 + 2 * CTCONV_MAX_NDIM)
/* A region: which rows are given (1 begin and end, 2 x_begin, 4 x_shape), then these four rows. */
#define CTCONV_GO_REGION (1 + 4 * CTCONV_MAX_NDIM)

/* What a ctconv_call carries. */
#define CTCONV_GO_CALL                                                                                               \
  const ctconv_op *op, const void *x, const int64_t *x_meta, void *y, const int64_t *y_meta, const void *w,          \
      const int64_t *w_meta, const void *b, const int64_t *b_meta, const ctconv_value *output_size, void *workspace, \
      size_t workspace_bytes, const int64_t *region

/* What a ctconv_grads carries. */
#define CTCONV_GO_GRADS                                                                                             \
  const ctconv_op *op, const void *dy, const int64_t *dy_meta, const void *x, const int64_t *x_meta, const void *y, \
      const int64_t *y_meta, const void *w, const int64_t *w_meta, void *dx, const int64_t *dx_meta, void *dw,      \
      const int64_t *dw_meta, void *db, const int64_t *db_meta, const ctconv_value *output_size, void *workspace,   \
      size_t workspace_bytes, int32_t accumulate, const int64_t *region

/* The record of a tensor, or NULL where there is none. */
static inline const ctconv_tensor *ctconv_go_tensor(ctconv_tensor *out, const void *data, const int64_t *meta) {
  if (!meta) return NULL;
  out->data = (void *)(uintptr_t)data; /* written only where the function of ctconv.h writes */
  out->device_type = CTCONV_DEVICE_CPU;
  out->device_id = 0;
  out->ndim = (int32_t)meta[0];
  out->dtype_code = (uint8_t)meta[1];
  out->dtype_bits = (uint8_t)meta[2];
  out->dtype_lanes = 1;
  out->shape = meta + 3;
  out->strides = meta + 3 + CTCONV_MAX_NDIM;
  out->byte_offset = 0;
  return out;
}

static inline ctconv_status ctconv_go_set_tensor(ctconv_desc *desc, const char *name, const void *t,
                                                 const int64_t *t_meta) {
  ctconv_tensor record;
  return ctconv_desc_set_tensor(desc, name, ctconv_go_tensor(&record, t, t_meta));
}

static inline ctconv_status ctconv_go_weight_spec(const ctconv_desc *desc, const int64_t *x_meta, ctconv_spec *weight,
                                                  ctconv_spec *bias, ctconv_error *error) {
  ctconv_tensor record;
  return ctconv_desc_weight_spec(desc, ctconv_go_tensor(&record, NULL, x_meta), weight, bias, error);
}

static inline ctconv_status ctconv_go_init(const ctconv_desc *desc, int32_t bias, uint64_t seed, void *t,
                                           const int64_t *t_meta, ctconv_error *error) {
  ctconv_tensor record;
  const ctconv_tensor *out = ctconv_go_tensor(&record, t, t_meta);
  return bias ? ctconv_init_bias(desc, seed, out, error) : ctconv_init_weight(desc, seed, out, error);
}

static inline ctconv_status ctconv_go_create(const ctconv_desc *desc, const void *w, const int64_t *w_meta,
                                             const void *b, const int64_t *b_meta, const ctconv_options *options,
                                             ctconv_op **op, ctconv_error *error) {
  ctconv_tensor records[2];
  return ctconv_create(desc, ctconv_go_tensor(&records[0], w, w_meta), ctconv_go_tensor(&records[1], b, b_meta),
                       options, op, error);
}

/* The call that the flat arguments say. */
typedef struct ctconv_go_call_records {
  ctconv_tensor tensors[4];
  ctconv_call call;
} ctconv_go_call_records;

static inline const ctconv_call *ctconv_go_call_of(ctconv_go_call_records *r, const void *x, const int64_t *x_meta,
                                                   void *y, const int64_t *y_meta, const void *w, const int64_t *w_meta,
                                                   const void *b, const int64_t *b_meta,
                                                   const ctconv_value *output_size, void *workspace,
                                                   size_t workspace_bytes, const int64_t *region) {
  const ctconv_call first = CTCONV_CALL_INIT;
  r->call = first;
  r->call.x = ctconv_go_tensor(&r->tensors[0], x, x_meta);
  r->call.y = ctconv_go_tensor(&r->tensors[1], y, y_meta);
  r->call.weight = ctconv_go_tensor(&r->tensors[2], w, w_meta);
  r->call.bias = ctconv_go_tensor(&r->tensors[3], b, b_meta);
  r->call.output_size = output_size;
  r->call.workspace = workspace;
  r->call.workspace_bytes = workspace_bytes;
  if (region) {
    r->call.begin = region[0] & 1 ? region + 1 : NULL;
    r->call.end = region[0] & 1 ? region + 1 + CTCONV_MAX_NDIM : NULL;
    r->call.x_begin = region[0] & 2 ? region + 1 + 2 * CTCONV_MAX_NDIM : NULL;
    r->call.x_shape = region[0] & 4 ? region + 1 + 3 * CTCONV_MAX_NDIM : NULL;
  }
  return &r->call;
}
#define CTCONV_GO_CALL_OF(r) \
  ctconv_go_call_of(r, x, x_meta, y, y_meta, w, w_meta, b, b_meta, output_size, workspace, workspace_bytes, region)

static inline ctconv_status ctconv_go_output_spec(CTCONV_GO_CALL, ctconv_spec *spec, ctconv_error *error) {
  ctconv_go_call_records r;
  return ctconv_output_spec(op, CTCONV_GO_CALL_OF(&r), spec, error);
}

static inline ctconv_status ctconv_go_prepare(CTCONV_GO_CALL, size_t *bytes, ctconv_error *error) {
  ctconv_go_call_records r;
  return ctconv_prepare(op, CTCONV_GO_CALL_OF(&r), bytes, error);
}

static inline ctconv_status ctconv_go_execute(CTCONV_GO_CALL, ctconv_error *error) {
  ctconv_go_call_records r;
  return ctconv_execute(op, CTCONV_GO_CALL_OF(&r), error);
}

static inline ctconv_status ctconv_go_describe(CTCONV_GO_CALL, char *buf, size_t cap, size_t *needed,
                                               ctconv_error *error) {
  ctconv_go_call_records r;
  return ctconv_describe(op, x_meta ? CTCONV_GO_CALL_OF(&r) : NULL, buf, cap, needed, error);
}

/* The gradients that the flat arguments say. */
typedef struct ctconv_go_grads_records {
  ctconv_tensor tensors[7];
  ctconv_grads grads;
} ctconv_go_grads_records;

static inline const ctconv_grads *ctconv_go_grads_of(ctconv_go_grads_records *r, const void *dy, const int64_t *dy_meta,
                                                     const void *x, const int64_t *x_meta, const void *y,
                                                     const int64_t *y_meta, const void *w, const int64_t *w_meta,
                                                     void *dx, const int64_t *dx_meta, void *dw, const int64_t *dw_meta,
                                                     void *db, const int64_t *db_meta, const ctconv_value *output_size,
                                                     void *workspace, size_t workspace_bytes, int32_t accumulate,
                                                     const int64_t *region) {
  const ctconv_grads first = CTCONV_GRADS_INIT;
  r->grads = first;
  r->grads.dy = ctconv_go_tensor(&r->tensors[0], dy, dy_meta);
  r->grads.x = ctconv_go_tensor(&r->tensors[1], x, x_meta);
  r->grads.y = ctconv_go_tensor(&r->tensors[2], y, y_meta);
  r->grads.weight = ctconv_go_tensor(&r->tensors[3], w, w_meta);
  r->grads.dx = ctconv_go_tensor(&r->tensors[4], dx, dx_meta);
  r->grads.dw = ctconv_go_tensor(&r->tensors[5], dw, dw_meta);
  r->grads.db = ctconv_go_tensor(&r->tensors[6], db, db_meta);
  r->grads.output_size = output_size;
  r->grads.workspace = workspace;
  r->grads.workspace_bytes = workspace_bytes;
  r->grads.accumulate = accumulate;
  if (region) {
    r->grads.begin = region[0] & 1 ? region + 1 : NULL;
    r->grads.end = region[0] & 1 ? region + 1 + CTCONV_MAX_NDIM : NULL;
    r->grads.x_begin = region[0] & 2 ? region + 1 + 2 * CTCONV_MAX_NDIM : NULL;
    r->grads.x_shape = region[0] & 4 ? region + 1 + 3 * CTCONV_MAX_NDIM : NULL;
  }
  return &r->grads;
}
#define CTCONV_GO_GRADS_OF(r)                                                                                \
  ctconv_go_grads_of(r, dy, dy_meta, x, x_meta, y, y_meta, w, w_meta, dx, dx_meta, dw, dw_meta, db, db_meta, \
                     output_size, workspace, workspace_bytes, accumulate, region)

static inline ctconv_status ctconv_go_backward_prepare(CTCONV_GO_GRADS, size_t *bytes, ctconv_error *error) {
  ctconv_go_grads_records r;
  return ctconv_backward_prepare(op, CTCONV_GO_GRADS_OF(&r), bytes, error);
}

static inline ctconv_status ctconv_go_backward(CTCONV_GO_GRADS, ctconv_error *error) {
  ctconv_go_grads_records r;
  return ctconv_backward(op, CTCONV_GO_GRADS_OF(&r), error);
}

static inline ctconv_status ctconv_go_backward_describe(CTCONV_GO_GRADS, char *buf, size_t cap, size_t *needed,
                                                        ctconv_error *error) {
  ctconv_go_grads_records r;
  return ctconv_backward_describe(op, CTCONV_GO_GRADS_OF(&r), buf, cap, needed, error);
}

static inline ctconv_status ctconv_go_region_window(CTCONV_GO_CALL, int64_t *from, int64_t *to, ctconv_error *error) {
  ctconv_go_call_records r;
  return ctconv_region_window(op, CTCONV_GO_CALL_OF(&r), from, to, error);
}

static inline ctconv_status ctconv_go_push(ctconv_stream *stream, const void *x, const int64_t *x_meta, void *y,
                                           const int64_t *y_meta, int64_t *written, ctconv_error *error) {
  ctconv_tensor records[2];
  return ctconv_stream_push(stream, ctconv_go_tensor(&records[0], x, x_meta), ctconv_go_tensor(&records[1], y, y_meta),
                            written, error);
}

static inline ctconv_status ctconv_go_flush(ctconv_stream *stream, void *y, const int64_t *y_meta, int64_t *written,
                                            ctconv_error *error) {
  ctconv_tensor record;
  return ctconv_stream_flush(stream, ctconv_go_tensor(&record, y, y_meta), written, error);
}

#endif
