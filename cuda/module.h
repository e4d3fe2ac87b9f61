// SPDX-License-Identifier: Apache-2.0
/* The seam between libctconv.so and libctconv_cuda.so: one exported function that fills one versioned table. Plain C.
 *
 *   in:  a problem (mirror of src/problem/problem.h as numbers), device pointers, a stream
 *        a pass: one element-wise step of a backward call beside its sums
 *   out: an int32 status of src/dialect/errors.tsv (0: done) and, where it failed, the detail in ctconv_cuda_error
 *   The two files belong to one release: any difference in CTCONV_CUDA_ABI or in the table's size is refused at load.
 *   Nothing here needs a CUDA header; nothing throws, aborts or prints. Every function may be called from any thread.
 */
#ifndef CTCONV_CUDA_MODULE_H
#define CTCONV_CUDA_MODULE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CTCONV_CUDA_ABI 2u
#define CTCONV_CUDA_ENTRY "ctconv_cuda_module_init"

typedef struct ctconv_cuda_error {
  int32_t status;      /* a row of errors.tsv; 0: no error */
  int32_t native_code; /* cudaError_t or cudnnStatus_t, else 0 */
  char message[512];   /* one sentence, ends in NUL */
} ctconv_cuda_error;

enum { CTCONV_CUDA_F32 = 0, CTCONV_CUDA_F16 = 1, CTCONV_CUDA_BF16 = 2, CTCONV_CUDA_F64 = 3 }; /* = ctconv::Dtype */
enum {
  CTCONV_CUDA_BIAS_NONE = 0,
  CTCONV_CUDA_BIAS_ELEMENT = 1 /* dtype */,
  CTCONV_CUDA_BIAS_ACCUMULATOR = 2 /* f64 for f64, else f32 */
};
enum {
  CTCONV_CUDA_FASTEST = 0,
  /* same bits on every run of a plan; which plan is chosen may differ between processes (device.constants) */
  CTCONV_CUDA_DETERMINISTIC = 1,
  CTCONV_CUDA_REFERENCE_BITS = 2 /* only kernels that keep the CPU reference's order of fused multiply-adds */
};
enum { CTCONV_CUDA_NOT_A_DEVICE_POINTER = 0, CTCONV_CUDA_DEVICE_POINTER = 1, CTCONV_CUDA_MANAGED_POINTER = 2 };

/* The operand that is computed: 0 to 2 as ctconv::Written; then only what stands beside w, the sums of y. */
enum { CTCONV_CUDA_WRITES_Y = 0, CTCONV_CUDA_WRITES_X = 1, CTCONV_CUDA_WRITES_W = 2, CTCONV_CUDA_WRITES_BIAS = 3 };

typedef struct ctconv_cuda_axis {
  int64_t i, o, k, s, d, lo, tail; /* as ctconv::Axis */
  int64_t skip;                    /* 0; inside the module: outputs left out between two (cuda/exchange.h) */
} ctconv_cuda_axis;

typedef struct ctconv_cuda_problem {
  int32_t dtype, rank;
  int64_t n, groups, ci, co; /* channels per group */
  ctconv_cuda_axis axis[3];  /* d, h, w */
  int64_t x[5], y[5];        /* strides in elements: n, c, d, h, w; any sign */
  int64_t w[6];              /* strides: group, ci, co, d, h, w */
  int64_t bias_stride;       /* elements between two biases */
  int32_t bias;              /* CTCONV_CUDA_BIAS_... */
  int32_t activation;        /* as ctconv::Activation::Kind */
  double alpha, beta;        /* leaky slope; clip to [alpha, beta] */
  int32_t written;           /* CTCONV_CUDA_WRITES_...; gradients have no activation */
  int32_t wide_weights;      /* WRITES_W: 1: w takes accumulators */
} ctconv_cuda_problem;

/* An element-wise pass of a backward call; strides in elements, any sign.
 *   SLOPE   to = from * act'(with): from dy, with y, all of dtype; a slope of 0 gives +0 of any dy
 *   STORE   to = from;   ADD   to = to + from, rounded once */
enum { CTCONV_CUDA_PASS_SLOPE = 0, CTCONV_CUDA_PASS_STORE = 1, CTCONV_CUDA_PASS_ADD = 2 };
enum { CTCONV_CUDA_PASS_AXES = 8 };
typedef struct ctconv_cuda_pass {
  int32_t kind, dtype; /* of `to` */
  int32_t from_sums;   /* STORE, ADD: `from` holds accumulators */
  int32_t rank;        /* axes, 0: one element */
  int64_t extent[8], to_stride[8], from_stride[8], with_stride[8];
  int32_t activation, reserved; /* SLOPE: as in a problem */
  double alpha, beta;
  void* to;
  const void *from, *with;
  void* stream;
} ctconv_cuda_pass;

typedef struct ctconv_cuda_options {
  int32_t allow_tf32, reproducible /* CTCONV_CUDA_FASTEST, ... */, tuning /* 0 model, 1 measure on the device */,
      reserved;
  size_t workspace_limit; /* SIZE_MAX: none; counts what weights given per call need, too, where weights_per_call */
  int32_t weights_per_call, reserved2;
  const char*
      kernel; /* NULL: choose; else the name of one row of the table of cuda/choose.cpp, e.g. "cudnn", "direct" */
  const char*
      saved_plan; /* NULL, or a text that plan_export gave on the same device class and cuDNN; not usable: ignored */
} ctconv_cuda_options;

typedef struct ctconv_cuda_plan ctconv_cuda_plan; /* immutable, shared by threads */

/* Device memory of the plan's ordinal; element alignment is enough. What the problem writes is written, and with
 * WRITES_W and _BIAS the bias, dense accumulators; the rest is read. */
typedef struct ctconv_cuda_call {
  void *x, *w;        /* w: raw weight as problem.w says; may be NULL where packed is given */
  const void* packed; /* what plan_pack wrote, NULL: weights are packed into the workspace by this call */
  void* bias;
  void *y, *workspace; /* plan_workspace bytes, 256-byte aligned */
  void* stream;        /* cudaStream_t; NULL: legacy default stream */
} ctconv_cuda_call;

typedef struct ctconv_cuda_table {
  uint32_t abi, reserved;
  size_t table_bytes;

  /* Module, driver, device, architecture: the first of these that is missing, as its own status. cuDNN is asked for by
   * the plans that need it. */
  int32_t (*check_device)(int32_t ordinal, ctconv_cuda_error* error);
  /* "NVIDIA H200, sm_90, CUDA driver 13.0, cuDNN 9.19.0", or "no cuDNN" at the end */
  int32_t (*device_text)(int32_t ordinal, char* text, size_t capacity, ctconv_cuda_error* error);

  int32_t (*plan_create)(int32_t ordinal, const ctconv_cuda_problem* problem, const ctconv_cuda_options* options,
                         ctconv_cuda_plan** plan, ctconv_cuda_error* error);
  size_t (*plan_workspace)(const ctconv_cuda_plan* plan);    /* bytes of device memory of one call */
  size_t (*plan_packed_bytes)(const ctconv_cuda_plan* plan); /* 0: the raw weight is used as it lies */
  const char* (*plan_packing)(const ctconv_cuda_plan* plan); /* plans of one op with equal text share packed weights */
  int32_t (*plan_pack)(const ctconv_cuda_plan* plan, const void* w, void* packed, void* stream,
                       ctconv_cuda_error* error);
  /* Enqueues and returns; no device allocation, no synchronisation, capturable after one run on the same thread. */
  int32_t (*plan_execute)(const ctconv_cuda_plan* plan, const ctconv_cuda_call* call, ctconv_cuda_error* error);
  /* "key: value" lines: kernel, form, bits (reference, machine or reduced), why, estimated_us,
     kernels_own_estimate_us, weights, workspace_bytes, device.<fact>, refused.<kernel>.
   * Writes at most capacity bytes with NUL, returns the bytes of the whole text with NUL. */
  size_t (*plan_describe)(const ctconv_cuda_plan* plan, char* text, size_t capacity);
  int32_t (*plan_export)(const ctconv_cuda_plan* plan, char* text, size_t capacity, size_t* needed,
                         ctconv_cuda_error* error);
  void (*plan_destroy)(ctconv_cuda_plan* plan); /* waits for the device work the plan enqueued; NULL allowed */

  int32_t (*memory_alloc)(int32_t ordinal, size_t bytes, void** memory, ctconv_cuda_error* error);
  void (*memory_free)(int32_t ordinal, void* memory); /* waits for the device's work first; NULL allowed */
  /* Synchronous; source and destination each host or device memory. */
  int32_t (*memory_copy)(int32_t ordinal, void* to, const void* from, size_t bytes, ctconv_cuda_error* error);
  /* Where a pointer lies; a plain host pointer is an answer, not an error. */
  int32_t (*pointer_device)(const void* pointer, int32_t* kind, int32_t* ordinal, ctconv_cuda_error* error);
  int32_t (*synchronize)(int32_t ordinal, void* stream, ctconv_cuda_error* error);
  /* Enqueues and returns, as plan_execute. */
  int32_t (*pass)(int32_t ordinal, const ctconv_cuda_pass* pass, ctconv_cuda_error* error);
} ctconv_cuda_table;

/* The one export: 0 where abi and bytes are this module's, else DEVICE_MODULE_ABI with the module's abi in table->abi
 * (the first 4 bytes are written whenever bytes >= 4). */
typedef int32_t (*ctconv_cuda_module_init_fn)(uint32_t abi, size_t table_bytes, ctconv_cuda_table* table);

#ifdef __cplusplus
}
#endif
#endif
