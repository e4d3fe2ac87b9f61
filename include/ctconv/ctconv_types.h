/* SPDX-License-Identifier: Apache-2.0 */
/* libctconv's records, constants and macros. The manual is ctconv.h, which includes this file.
 *
 * The order of fields is the ABI. tensor, spec and value are frozen. The records that begin with struct_size may grow
 * at their end. Layout is C's natural alignment, no packing. Bytes on every 64-bit target, as first released:
 *   tensor 48, spec 72, value 48   (for ever)
 *   error 728, runner 32, allocator 32, options 96, call 72, argument 32, grads 136,
 *   stream_options 24
 *   (the least struct_size, for ever) */
#ifndef CTCONV_TYPES_H_
#define CTCONV_TYPES_H_

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX < UINT64_MAX || SIZE_MAX < UINT64_MAX
#error "libctconv needs a 64-bit target: pointers and size_t of 64 bits"
#endif

#define CTCONV_MAX_NDIM 8

/* A status of ctconv_status.h. */
typedef int32_t ctconv_status;

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

/* Element types are DLPack's. FLOAT with 16, 32 or 64 bits is float16, float32 or float64.
 * BFLOAT with 16 bits is bfloat16. lanes is 1. */
enum {
  CTCONV_DTYPE_INT = 0,
  CTCONV_DTYPE_UINT = 1,
  CTCONV_DTYPE_FLOAT = 2,
  CTCONV_DTYPE_BFLOAT = 4,
  CTCONV_DTYPE_COMPLEX = 5,
  CTCONV_DTYPE_BOOL = 6
};
/* Devices are DLPack's too. Pinned host memory counts as CPU, managed memory as CUDA. */
enum { CTCONV_DEVICE_CPU = 1, CTCONV_DEVICE_CUDA = 2, CTCONV_DEVICE_CUDA_HOST = 3, CTCONV_DEVICE_CUDA_MANAGED = 13 };

/* A borrowed view, byte for byte DLPack 1.x DLTensor. Axes stand in the dialect's order.
 * The memory layout is read off the strides. */
typedef struct ctconv_tensor {
  void *data;          /* may be NULL if the tensor is empty or only its shape is read: specs, prepare, describe */
  int32_t device_type; /* CTCONV_DEVICE_... */
  int32_t device_id;
  int32_t ndim;       /* 0 to CTCONV_MAX_NDIM */
  uint8_t dtype_code; /* CTCONV_DTYPE_... */
  uint8_t dtype_bits;
  uint16_t dtype_lanes;   /* 1 */
  const int64_t *shape;   /* ndim extents */
  const int64_t *strides; /* ndim strides in elements, any sign; NULL: dense row-major */
  uint64_t byte_offset;   /* added to data */
} ctconv_tensor;

/* A shape the library answers: dense row-major, no pointer in it. ndim 0: no such tensor (a bias that is not taken). */
typedef struct ctconv_spec {
  int32_t ndim;
  uint8_t dtype_code;
  uint8_t dtype_bits;
  uint16_t dtype_lanes;
  int64_t shape[CTCONV_MAX_NDIM];
} ctconv_spec;

/* ---- arguments -------------------------------------------------------------------------------------------------- */

enum {
  CTCONV_VALUE_NONE = 0,
  CTCONV_VALUE_BOOL = 1,
  CTCONV_VALUE_INT = 2,
  CTCONV_VALUE_FLOAT = 3,
  CTCONV_VALUE_STRING = 4,
  CTCONV_VALUE_TUPLE = 5,
  CTCONV_VALUE_LIST = 6,
  CTCONV_VALUE_TENSOR = 7,
  CTCONV_VALUE_OTHER = 8
};

/* One argument as the caller's language gave it. A bool is not an int and a list is not a tuple: documented TypeErrors
 * depend on it. All zero is None. An integer beyond int64 is passed saturated. */
typedef struct ctconv_value {
  int32_t tag;                      /* CTCONV_VALUE_... */
  int32_t reserved;                 /* 0 */
  int64_t i;                        /* BOOL: 0 or 1. INT. TUPLE, LIST: number of items. STRING, OTHER: bytes of text */
  double f;                         /* FLOAT */
  const char *text;                 /* STRING: UTF-8, need not end in NUL. OTHER: the type's name */
  const struct ctconv_value *items; /* TUPLE, LIST */
  const ctconv_tensor *tensor;      /* TENSOR */
} ctconv_value;

/* One argument of a dialect, in the original's positional order. */
typedef struct ctconv_argument {
  size_t struct_size;
  const char *name;
  const char *default_text; /* as the documentation prints it; "" where required */
  int32_t position;         /* -1: by name only */
  int32_t required;         /* 0 or 1 */
} ctconv_argument;

/* ---- failures --------------------------------------------------------------------------------------------------- */

/* Detail of a failure, in the caller's memory; strings end in NUL. For people: no program needs to parse them.
 * struct_size 0 asks for no detail: the call runs as with a NULL error and writes nothing here, not even status.
 * So `ctconv_error e = {0}` tells nothing of a failure: begin with CTCONV_ERROR_INIT, or read the returned status. */
typedef struct ctconv_error {
  size_t struct_size;
  ctconv_status status; /* set on success too */
  int32_t kind;         /* status / 1000 */
  int32_t element;      /* index inside a sequence argument; -1: the whole argument */
  int32_t native_code;  /* cudaError, cudnnStatus, dnnl_status or 0 */
  char argument[32];    /* spelt as the dialect spells it */
  char value[64];       /* what was given */
  char range[96];       /* what is legal */
  char message[512];    /* one sentence naming all of these */
} ctconv_error;

/* ---- how an op runs --------------------------------------------------------------------------------------------- */

/* The caller's threads. Copied at create; `user` must live until ctconv_destroy has returned.
 * parallel_for calls task(task_data, index, worker) once for each 0 <= index < count, in any order.
 *   All on the calling thread is fine.
 *   0 <= worker < workers. No two running tasks of one parallel_for share a worker (release builds do not look).
 *   Another number of calls, or one index run in the place of another, is CTCONV_ERR_MISUSE_RUNNER.
 *   It returns only when every started task has returned, also if a thread cannot start. It must not unwind.
 * Tasks never fail, throw, allocate or call the runner. parallel_for is called from any thread, also concurrently.
 * E.g. sequential: for (int64_t i = 0; i < count; ++i) task(task_data, i, 0); */
typedef struct ctconv_runner {
  size_t struct_size;
  void *user;
  int32_t workers; /* >= 1; with 1 the calling thread computes alone, and parallel_for is not called */
  int32_t reserved;
  void (*parallel_for)(void *user, int64_t count, void (*task)(void *task_data, int64_t index, int32_t worker),
                       void *task_data);
} ctconv_runner;

/* Host memory of an op: packed weights, plans' buffers, workspaces. alignment is a power of two.
 * alloc may return NULL: CTCONV_ERR_NO_MEMORY. Memory that is not aligned counts as none.
 * release gets what alloc got. Both are called from any thread.
 * `user` must live until ctconv_destroy has returned. */
typedef struct ctconv_allocator {
  size_t struct_size;
  void *user;
  void *(*alloc)(void *user, size_t bytes, size_t alignment);
  void (*release)(void *user, void *p, size_t bytes, size_t alignment);
} ctconv_allocator;

enum {
  CTCONV_ACTIVATION_NONE = 0,
  CTCONV_ACTIVATION_RELU = 1,
  CTCONV_ACTIVATION_LEAKY_RELU = 2,
  CTCONV_ACTIVATION_TANH = 3,
  CTCONV_ACTIVATION_SIGMOID = 4,
  CTCONV_ACTIVATION_CLIP = 5
};
enum { CTCONV_TUNING_NONE = 0, CTCONV_TUNING_MEASURE = 1 };

/* How an op runs. NULL, or zero after struct_size: every default. Strings and hook records are copied. */
typedef struct ctconv_options {
  size_t struct_size;
  const char *device;                /* "cpu" (default); "cuda", "cuda:0", ... */
  const char *engine;                /* "auto" (default); one of ctconv_engine_name: that engine or a refusal;
                                        "cudnn": engine "cuda", but cuDNN's plans alone */
  const ctconv_runner *runner;       /* NULL: the library's own pool */
  const ctconv_allocator *allocator; /* NULL: the C heap */
  int32_t threads;                   /* at most 4,096; 0: all of the runner, or all cores the process may use: its main
                                        thread's mask (not the caller's), at most the container's quota, rounded up */
  int32_t plan_limit;                /* plans held per op, least recently used goes first; 0: 32; at most 65,536 */
  size_t workspace_limit;            /* no plan needs more bytes than this; 0: no limit; 1: none at all */
  int32_t activation;                /* CTCONV_ACTIVATION_..., after the bias; with one in the arguments too:
                                        MISUSE_ACTIVATION */
  int32_t tuning;                    /* CTCONV_TUNING_MEASURE: time the engines when a plan is built, and remember;
                                        see Tuning in ctconv.h */
  double activation_alpha;           /* LEAKY_RELU: slope. CLIP: lower bound */
  double activation_beta;            /* CLIP: upper bound */
  int32_t reproducible;              /* see Bits in ctconv.h.
                                        0: any bits but reduced ones, which math and allow_tf32 admit.
                                        1: the reference's bits, on every machine and for any thread count.
                                        2: the reference's or stable ones, the same on every machine */
  int32_t allow_tf32;                /* 1: CUDA may round f32 operands to TF32 */
  int32_t borrow_weights;            /* 1: weight and bias are not copied; they live unchanged until destroy */
  int32_t reserved;                  /* 0 */
  int32_t math;                      /* 0: full precision of the element type.
                                        1: operands may be rounded below their own type, e.g. f32 to TF32 or bf16;
                                        it includes allow_tf32. `reproducible` 1 and 2 keep their promise */
  int32_t reserved2;                 /* 0 */
} ctconv_options;

/* One execution. x always; y for execute; weight and bias here or at create, never both. */
typedef struct ctconv_call {
  size_t struct_size;
  const ctconv_tensor *x;
  const ctconv_tensor *y;
  const ctconv_tensor *weight;
  const ctconv_tensor *bias;
  const ctconv_value *output_size; /* the dialect's own call argument; NULL: not given.
                                      TYPE_ARGUMENT_NAME if the dialect has none */
  void *workspace;                 /* any address; NULL: the op's allocator is asked, and the op keeps the largest.
                                      CUDA: the op keeps one per stream, see ctconv_execute */
  size_t workspace_bytes;
  void *stream; /* CUDA: a cudaStream_t, NULL the legacy default stream. CPU: must be NULL */
  /* A region: the box [begin, end) of the whole output is computed; y has its shape. Since 0.2.
   * One entry per spatial axis, in the dialect's order; NULL: no region. See Regions in ctconv.h. */
  const int64_t *begin;
  const int64_t *end;
  const int64_t *x_begin; /* x is a window of the whole x and begins here; NULL: x is the whole x */
  const int64_t *x_shape; /* with x_begin: the whole x's shape; NULL: no size depends on its extents */
} ctconv_call;

/* How a stream runs. NULL, or zero after struct_size: every default. Since 0.2. */
typedef struct ctconv_stream_options {
  size_t struct_size;
  int64_t chunk;    /* the most inputs computed at once, cut to a power of two; 0: chosen; at most 65,536 */
  int32_t parallel; /* 0: the calling thread computes alone, in bounded time; 1: the op's own threads */
  int32_t reserved; /* 0 */
} ctconv_stream_options;

/* One backward call: gradients of a loss by x, weight and bias, made from its gradient by y. Since 0.2.
 * dx, dw, db: each may be NULL, one at least is given; they have the shapes and element type of x, weight and bias.
 * dw and db of a float16 or bfloat16 layer may also be float32: the sums as they are, not rounded.
 * dw needs x. dx needs the weight, here or at create. An op with an activation needs y as execute wrote it.
 * Where x is not read it may be absent (dx tells its shape) or a shape without data. */
typedef struct ctconv_grads {
  size_t struct_size;
  const ctconv_tensor *dy;
  const ctconv_tensor *x;
  const ctconv_tensor *y;
  const ctconv_tensor *weight;
  const ctconv_tensor *dx;
  const ctconv_tensor *dw;
  const ctconv_tensor *db;
  const ctconv_value *output_size; /* as in the call whose gradient this is */
  void *workspace;                 /* any address; NULL: the op's allocator is asked, and the op keeps the largest */
  size_t workspace_bytes;
  void *stream;       /* CPU: must be NULL */
  int32_t accumulate; /* 0: dx, dw, db are written. 1: they are added to: one rounding behind the gradient's own;
                         what is NaN there stays NaN */
  int32_t reserved;   /* 0 */
  /* A region, as in ctconv_call: dy and y are the box [begin, end) of the output, and the gradients are those of what
   * depends on x, weight and bias through this box alone. dx has the extents that ctconv_region_window answers. */
  const int64_t *begin;
  const int64_t *end;
  const int64_t *x_begin;
  const int64_t *x_shape;
} ctconv_grads;

/* ---- first values: every field by name, so that -Wextra stays quiet in C99 and C++ ------------------------------ */

/* clang-format off */
#define CTCONV_ERROR_INIT {sizeof(ctconv_error), 0, 0, -1, 0, {0}, {0}, {0}, {0}}
#define CTCONV_RUNNER_INIT {sizeof(ctconv_runner), NULL, 1, 0, NULL}
#define CTCONV_ALLOCATOR_INIT {sizeof(ctconv_allocator), NULL, NULL, NULL}
#define CTCONV_OPTIONS_INIT {sizeof(ctconv_options), NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0.0, 0.0, 0, 0, 0, 0, 0, 0}
#define CTCONV_CALL_INIT {sizeof(ctconv_call), NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL}
#define CTCONV_STREAM_OPTIONS_INIT {sizeof(ctconv_stream_options), 0, 0, 0}
#define CTCONV_GRADS_INIT \
  {sizeof(ctconv_grads), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, 0, NULL, NULL, NULL, NULL}
#define CTCONV_ARGUMENT_INIT {sizeof(ctconv_argument), NULL, NULL, -1, 0}
/* clang-format on */

#endif /* CTCONV_TYPES_H_ */
