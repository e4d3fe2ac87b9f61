/* libctconv: transposed convolution in 1, 2 and 3 dimensions. This header is the manual.
 *
 *   desc    what was asked, in the words of one documented operator ("torch.nn.ConvTranspose3d", ...)
 *   op      a desc with its weight, ready to run; any number of threads may execute it at once
 *   call    the tensors of one execution
 *
 *   ctconv_desc *desc;  ctconv_op *op;  ctconv_error error = CTCONV_ERROR_INIT;
 *   ctconv_desc_create("torch.nn.ConvTranspose2d", &desc, &error);
 *   ctconv_desc_set_int(desc, "in_channels", 16);   ... out_channels, kernel_size, stride ...
 *   ctconv_create(desc, &weight, &bias, NULL, &op, &error);
 *   ctconv_call call = CTCONV_CALL_INIT;  call.x = &x;  call.y = &y;
 *   ctconv_execute(op, &call, &error);
 *   ctconv_destroy(op);  ctconv_desc_destroy(desc);
 *
 * What is computed, per axis with input i, stride s, dilation d and kernel tap t:
 *   y[n, c, o] = bias[c] + sum of x[n, ci, i] * weight[ci, c, t] over all ci of c's group and all i, t with i*s + t*d - pad == o
 *
 * Rules for every function
 *   Return     CTCONV_OK (0) or a status of ctconv_status.h; kind = status / 1000. Nothing throws, aborts or prints.
 *   Errors     `error` may be NULL. Otherwise status is always set, the rest on failure. On failure out-pointers are NULL, sizes 0.
 *   Sizes      shapes and strides count elements, sizes count bytes; all int64 arithmetic is checked.
 *   NULL       a NULL that is not allowed is CTCONV_ERR_MISUSE_NULL; the destroy functions take NULL.
 *   Records    begin with struct_size; fill them from the CTCONV_..._INIT macros. Zero means the default.
 *              tensor, spec and value are frozen and carry no struct_size.
 *   Memory     the caller keeps everything it passes; what must outlive the call is said at each function.
 *   Threads    const objects may be shared; the rest is said at each function.
 */
#ifndef CTCONV_H_
#define CTCONV_H_

#include <stddef.h>
#include <stdint.h>

#include "ctconv_status.h"

#if defined(CTCONV_STATIC)
#define CTCONV_API
#elif defined(__GNUC__)
#define CTCONV_API __attribute__((visibility("default")))
#else
#define CTCONV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CTCONV_VERSION_MAJOR 0
#define CTCONV_VERSION_MINOR 1
#define CTCONV_VERSION_PATCH 0
#define CTCONV_MAX_NDIM 8

typedef int32_t ctconv_status;

/* ---- records; field order is the ABI ---------------------------------------------------------------------------- */

/* Element types are DLPack's: dtype_code 2 with 16, 32 or 64 bits is float16, float32, float64; 4 with 16 bits is bfloat16; lanes 1. */
enum { CTCONV_DTYPE_INT = 0, CTCONV_DTYPE_UINT = 1, CTCONV_DTYPE_FLOAT = 2, CTCONV_DTYPE_BFLOAT = 4, CTCONV_DTYPE_COMPLEX = 5, CTCONV_DTYPE_BOOL = 6 };
/* Devices are DLPack's too. Pinned host memory counts as CPU, managed memory as CUDA. */
enum { CTCONV_DEVICE_CPU = 1, CTCONV_DEVICE_CUDA = 2, CTCONV_DEVICE_CUDA_HOST = 3, CTCONV_DEVICE_CUDA_MANAGED = 13 };

/* A borrowed view, byte for byte DLPack 1.x DLTensor. Axes in the dialect's order; the memory layout is read off the strides. */
typedef struct ctconv_tensor {
  void *data;             /* may be NULL where the tensor is empty or only its shape is read: specs, prepare, describe */
  int32_t device_type;    /* CTCONV_DEVICE_... */
  int32_t device_id;
  int32_t ndim;           /* 0 to CTCONV_MAX_NDIM */
  uint8_t dtype_code;     /* CTCONV_DTYPE_... */
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

enum {
  CTCONV_VALUE_NONE = 0, CTCONV_VALUE_BOOL = 1, CTCONV_VALUE_INT = 2, CTCONV_VALUE_FLOAT = 3, CTCONV_VALUE_STRING = 4,
  CTCONV_VALUE_TUPLE = 5, CTCONV_VALUE_LIST = 6, CTCONV_VALUE_TENSOR = 7, CTCONV_VALUE_OTHER = 8
};

/* One argument as the caller's language gave it: a bool is not an int and a list is not a tuple, since documented TypeErrors
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

/* Detail of a failure, in the caller's memory; strings end in NUL. For people: no program needs to parse them. */
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

/* The caller's threads. parallel_for MUST call task(task_data, index, worker) once for each 0 <= index < count, in any order (all on
 * the calling thread is fine), with 0 <= worker < workers and no two running tasks of one parallel_for sharing a worker; MUST return
 * only when every started task has returned, also when a thread cannot start; MUST NOT unwind. Tasks never fail, throw, allocate
 * or call the runner. Any other number of calls than count is CTCONV_ERR_MISUSE_RUNNER. Called from any thread, also at the same
 * time. The record is copied at create; `user` must live until ctconv_destroy has returned. E.g. sequential:
 *   for (int64_t i = 0; i < count; ++i) task(task_data, i, 0); */
typedef struct ctconv_runner {
  size_t struct_size;
  void *user;
  int32_t workers; /* >= 1 */
  int32_t reserved;
  void (*parallel_for)(void *user, int64_t count, void (*task)(void *task_data, int64_t index, int32_t worker), void *task_data);
} ctconv_runner;

/* Host memory of an op (packed weights, plans' buffers, workspaces). alignment is a power of two; NULL is CTCONV_ERR_NO_MEMORY; release gets
 * what alloc got. Called from any thread. `user` must live until ctconv_destroy has returned. */
typedef struct ctconv_allocator {
  size_t struct_size;
  void *user;
  void *(*alloc)(void *user, size_t bytes, size_t alignment);
  void (*release)(void *user, void *p, size_t bytes, size_t alignment);
} ctconv_allocator;

enum {
  CTCONV_ACTIVATION_NONE = 0, CTCONV_ACTIVATION_RELU = 1, CTCONV_ACTIVATION_LEAKY_RELU = 2, CTCONV_ACTIVATION_TANH = 3,
  CTCONV_ACTIVATION_SIGMOID = 4, CTCONV_ACTIVATION_CLIP = 5
};
enum { CTCONV_TUNING_NONE = 0, CTCONV_TUNING_MEASURE = 1 };

/* How an op runs. NULL, or zero after struct_size: every default. Strings and hook records are copied. */
typedef struct ctconv_options {
  size_t struct_size;
  const char *device;                /* "cpu" (default); "cuda", "cuda:0", ... */
  const char *engine;                /* "auto" (default); one of ctconv_engine_name: that engine or a refusal */
  const ctconv_runner *runner;       /* NULL: the library's own pool */
  const ctconv_allocator *allocator; /* NULL: the C heap */
  int32_t threads;                   /* 0: all of the runner, or all cores the process may use */
  int32_t plan_limit;                /* plans held per op, least recently used goes first; 0: 32 */
  size_t workspace_limit;            /* no plan needs more bytes than this; 0: no limit; 1: none at all */
  int32_t activation;                /* CTCONV_ACTIVATION_..., after the bias; with one in the arguments too: MISUSE_ACTIVATION */
  int32_t tuning;                    /* CTCONV_TUNING_MEASURE: time the engines when a plan is built, remember the winner */
  double activation_alpha;           /* LEAKY_RELU: slope. CLIP: lower bound */
  double activation_beta;            /* CLIP: upper bound */
  int32_t reproducible;              /* 1: only engines that give the reference's bits on every machine and thread count */
  int32_t allow_tf32;                /* 1: CUDA may round f32 operands to TF32 */
  int32_t borrow_weights;            /* 1: weight and bias are not copied; they live unchanged until destroy */
  int32_t reserved;
} ctconv_options;

/* One execution. x always; y for execute; weight and bias here or at create, never both. */
typedef struct ctconv_call {
  size_t struct_size;
  const ctconv_tensor *x;
  const ctconv_tensor *y;
  const ctconv_tensor *weight;
  const ctconv_tensor *bias;
  const ctconv_value *output_size; /* NULL: not given. The dialect's own call argument; TYPE_ARGUMENT_NAME where it has none */
  void *workspace;                 /* any address; NULL: the op's allocator is asked; the op keeps the largest for its next call */
  size_t workspace_bytes;
  void *stream;                    /* CUDA: a cudaStream_t, NULL the legacy default stream. CPU: must be NULL */
} ctconv_call;

/* One argument of a dialect, in the original's positional order. */
typedef struct ctconv_argument {
  size_t struct_size;
  const char *name;
  const char *default_text; /* as the documentation prints it; "" where required */
  int32_t position;         /* -1: by name only */
  int32_t required;         /* 0 or 1 */
} ctconv_argument;

/* Every field by name, so that -Wextra stays quiet in C99 and C++. */
#define CTCONV_ERROR_INIT {sizeof(ctconv_error), 0, 0, -1, 0, {0}, {0}, {0}, {0}}
#define CTCONV_RUNNER_INIT {sizeof(ctconv_runner), NULL, 1, 0, NULL}
#define CTCONV_ALLOCATOR_INIT {sizeof(ctconv_allocator), NULL, NULL, NULL}
#define CTCONV_OPTIONS_INIT {sizeof(ctconv_options), NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0.0, 0.0, 0, 0, 0, 0}
#define CTCONV_CALL_INIT {sizeof(ctconv_call), NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL}
#define CTCONV_ARGUMENT_INIT {sizeof(ctconv_argument), NULL, NULL, -1, 0}

typedef struct ctconv_desc ctconv_desc;
typedef struct ctconv_op ctconv_op;

/* ---- descriptors: what was asked ------------------------------------------------------------------------------- */

/* A new, empty descriptor of a dialect: ctconv_dialect_name lists them; a version whose defaults differ is written
 * "mindspore.nn.Conv3dTranspose@2.0". *desc is the caller's until ctconv_desc_destroy.
 * CTCONV_ERR_MISUSE_DIALECT (the message lists the nearest names), MISUSE_NULL, NO_MEMORY. Any thread. */
CTCONV_API ctconv_status ctconv_desc_create(const char *dialect, ctconv_desc **desc, ctconv_error *error);

/* Sets one argument by the dialect's own name, e.g. "kernel_size". Copies value (a TENSOR's data too), judges nothing: ctconv_desc_validate
 * judges all of it in the documented order. Setting a name again replaces it. Returns MISUSE_NULL, MISUSE_VALUE (unknown tag, NULL items,
 * nested deeper than 8) or NO_MEMORY; a failed set is remembered and returned by validate, weight_spec and create, so a caller
 * may check once. One thread at a time per descriptor. */
CTCONV_API ctconv_status ctconv_desc_set(ctconv_desc *desc, const char *name, const ctconv_value *value);
/* Shorthands of ctconv_desc_set. _ints sets a tuple of count ints; _string takes a NUL-ended UTF-8 string; the tensor of _tensor is copied. */
CTCONV_API ctconv_status ctconv_desc_set_int(ctconv_desc *desc, const char *name, int64_t value);
CTCONV_API ctconv_status ctconv_desc_set_ints(ctconv_desc *desc, const char *name, const int64_t *values, size_t count);
CTCONV_API ctconv_status ctconv_desc_set_float(ctconv_desc *desc, const char *name, double value);
CTCONV_API ctconv_status ctconv_desc_set_bool(ctconv_desc *desc, const char *name, int32_t value);
CTCONV_API ctconv_status ctconv_desc_set_string(ctconv_desc *desc, const char *name, const char *value);
CTCONV_API ctconv_status ctconv_desc_set_none(ctconv_desc *desc, const char *name);
CTCONV_API ctconv_status ctconv_desc_set_tensor(ctconv_desc *desc, const char *name, const ctconv_tensor *value);

/* Judges every argument that needs no tensor, in the dialect's documented order; the first fault is returned (docs/errors.md).
 * Kinds 1xxx, 2xxx, and what a failed set left. Any thread, shared. */
CTCONV_API ctconv_status ctconv_desc_validate(const ctconv_desc *desc, ctconv_error *error);

/* The shapes of weight and bias to allocate, in the dialect's axis order. x is read only where the kernel or the channel count is derived from
 * it (paddle.static.nn with output_size, keras); otherwise it may be NULL. bias->ndim is 0 where the arguments say there is none.
 * The element type is x's where x is given, else the dialect's dtype argument, else float32. Either out-pointer may be NULL.
 * Validates first; CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC where the shape does not follow from the arguments (onnx, paddle.nn.functional);
 * MISUSE_NULL where x is needed and NULL. Any thread, shared. */
CTCONV_API ctconv_status ctconv_desc_weight_spec(const ctconv_desc *desc, const ctconv_tensor *x, ctconv_spec *weight, ctconv_spec *bias,
                                                 ctconv_error *error);

/* Fills `out` (the caller's memory, shape and element type as weight_spec answers, any strides) by the dialect's initialiser for the
 * weight or the bias: its weight_init / bias_init argument, or its documented default. The same seed gives the same bits on every machine.
 * Validates first; VALUE_WEIGHT_INIT / VALUE_BIAS_INIT where a given tensor has another shape, SHAPE_/VALUE_WEIGHT_SHAPE and SHAPE_BIAS_SHAPE
 * where out has; UNSUPPORTED_INIT; MISUSE_TENSOR_DEVICE (host memory only). Any thread; out: one running call. */
CTCONV_API ctconv_status ctconv_init_weight(const ctconv_desc *desc, uint64_t seed, const ctconv_tensor *out, ctconv_error *error);
CTCONV_API ctconv_status ctconv_init_bias(const ctconv_desc *desc, uint64_t seed, const ctconv_tensor *out, ctconv_error *error);

/* Releases a descriptor; ops made from it live on. NULL is fine. */
CTCONV_API void ctconv_desc_destroy(ctconv_desc *desc);

/* ---- ops: ready to run ----------------------------------------------------------------------------------------- */

/* Validates desc, judges weight and bias (element type, rank, shape) and makes an op. desc may be changed or destroyed right after.
 * weight, bias: in the dialect's shapes (weight_spec), any strides; copied unless options->borrow_weights; NULL: they come with every call. A bias in
 * neither place adds none. Without weight create is cheap: the way to ask for shapes.
 * Status: 1xxx to 3xxx of the dialect; 5xxx; 6xxx where a device or engine module is missing; MISUSE_DEVICE, _ENGINE, _OPTION, _ACTIVATION,
 * _RUNNER, _ALLOCATOR, _TENSOR, _TENSOR_DEVICE, _ALIGNMENT, _STRUCT_SIZE, _UNKNOWN_FIELD. Any thread. *op is the caller's until ctconv_destroy. */
CTCONV_API ctconv_status ctconv_create(const ctconv_desc *desc, const ctconv_tensor *weight, const ctconv_tensor *bias, const ctconv_options *options,
                                       ctconv_op **op, ctconv_error *error);

/* The shape and element type of y for call->x (and call->weight, call->output_size); no data is touched, no engine asked.
 * Judges x and the call's own arguments in the dialect's order: 1xxx to 3xxx; MISUSE_WEIGHT_MISSING where the dialect's shapes come from the weight. */
CTCONV_API ctconv_status ctconv_output_spec(const ctconv_op *op, const ctconv_call *call, ctconv_spec *y, ctconv_error *error);

/* Builds the plan for this shape ahead of time and says how many bytes of workspace its executions need (any address will do). Plans are
 * kept by shape, element type, strides and device of x, y and a per-call weight, and output_size. An absent y counts as dense row-major,
 * an absent weight (of an op without one) as weight_spec's. Data pointers may be NULL. Status as output_spec, and UNSUPPORTED_ENGINE where a forced
 * engine refuses; 5xxx, 6xxx. Any number of threads at once. */
CTCONV_API ctconv_status ctconv_prepare(const ctconv_op *op, const ctconv_call *call, size_t *workspace_bytes, ctconv_error *error);

/* Computes y. y: shape and element type of ctconv_output_spec, any strides that do not make it meet itself (a channel slice of a larger tensor is fine),
 * no byte shared with x, weight, bias or workspace. Aligned to its elements is enough; a large y that begins with a cache line (64 bytes) is written
 * fastest. x, weight, bias may be any strided view (0 and negative strides too) and are never written.
 * The workspace's content is meaningless before and after. With the plan held, the weight given at create and a workspace, nothing is allocated.
 * CUDA: enqueues on call->stream and returns. After kinds 1xxx to 4xxx and 7xxx y is untouched (except MISUSE_RUNNER), after others unspecified.
 * Status as prepare, and WORKSPACE_SIZE, MISUSE_NULL, _TENSOR, _ALIGNMENT, _TENSOR_DEVICE, _WEIGHT_TWICE, _WEIGHT_MISSING, _Y_SHAPE, _Y_DTYPE,
 * _Y_OVERLAP, _WORKSPACE, _STREAM, _RUNNER. Any number of threads at once; y and workspace belong to one running call each. */
CTCONV_API ctconv_status ctconv_execute(const ctconv_op *op, const ctconv_call *call, ctconv_error *error);

/* What will run, or ran, for this call, as `key: value` lines, first "engine: <name>"; keys are only appended: engine, form, why, problem, flop,
 * bytes, estimated_ms, workspace_bytes, packed_bytes, threads, refused.<engine>. call NULL: the op as a whole (dialect, device, plans and bytes held).
 * Like snprintf: cuts at cap, ends in NUL (buf may be NULL where cap is 0), *needed (may be NULL) is the full size with NUL. Status as prepare. */
CTCONV_API ctconv_status ctconv_describe(const ctconv_op *op, const ctconv_call *call, char *buf, size_t cap, size_t *needed, ctconv_error *error);

/* Releases an op; waits for device work it enqueued. No call on it may be running. NULL is fine. */
CTCONV_API void ctconv_destroy(ctconv_op *op);

/* ---- what this library is. All any thread; returned strings are static, never NULL, valid until the library is unloaded --------- */

CTCONV_API int32_t ctconv_version(void);                 /* major * 10000 + minor * 100 + patch */
CTCONV_API const char *ctconv_version_string(void);      /* "0.1.0" */
CTCONV_API const char *ctconv_build_info(void);          /* `key: value` lines: compiler, targets, cpu, onednn, cuda */
CTCONV_API const char *ctconv_status_name(ctconv_status status); /* "CTCONV_ERR_VALUE_STRIDE"; "CTCONV_ERR_UNKNOWN" */
CTCONV_API int32_t ctconv_status_kind(ctconv_status status);     /* status / 1000 */
CTCONV_API const char *ctconv_status_text(ctconv_status status); /* one line, no detail */
CTCONV_API int32_t ctconv_dialect_count(void);
CTCONV_API const char *ctconv_dialect_name(int32_t index);       /* past the last: "" */
/* The index-th argument of a dialect in positional order; MISUSE_DIALECT, MISUSE_NULL, MISUSE_OPTION past the last, MISUSE_STRUCT_SIZE. */
CTCONV_API ctconv_status ctconv_dialect_argument(const char *dialect, int32_t index, ctconv_argument *argument);
CTCONV_API int32_t ctconv_engine_count(void);
CTCONV_API const char *ctconv_engine_name(int32_t index);        /* in the order `auto` asks them; past the last: "" */

#ifdef __cplusplus
}
#endif

#endif /* CTCONV_H_ */
