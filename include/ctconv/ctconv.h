/* SPDX-License-Identifier: Apache-2.0 */
/* libctconv: transposed convolution in 1, 2 and 3 dimensions.
 * This header is the manual; ctconv_types.h holds the records.
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
 *   y[n, c, o] = bias[c] + sum of x[n, ci, i] * weight[ci, c, t]
 *   over all ci of c's group and all i, t with i*s + t*d - pad == o
 *
 * Rules for every function
 *   Return     CTCONV_OK (0) or a status of ctconv_status.h; kind = status / 1000. Nothing throws, aborts or prints.
 *   Errors     `error` may be NULL. Otherwise status is always set, the rest on failure.
 *              An error with struct_size 0 is treated as NULL: the returned status alone tells.
 *              On failure out-pointers are NULL, sizes 0.
 *   Sizes      shapes and strides count elements, sizes count bytes; all int64 arithmetic is checked.
 *   NULL       a NULL that is not allowed is CTCONV_ERR_MISUSE_NULL; the destroy functions take NULL.
 *   Records    begin with struct_size; fill them from the CTCONV_..._INIT macros. Zero means the default.
 *              tensor, spec and value are frozen and carry no struct_size.
 *   Memory     the caller keeps everything it passes; what must outlive the call is said at each function.
 *   Threads    const objects may be shared; the rest is said at each function.
 *
 * Versions
 *   Release    major.minor.patch. A minor release may add functions, constants, statuses and fields; a patch adds none.
 *              Compiled with: CTCONV_VERSION_MAJOR and so on. Running with: ctconv_version().
 *   ABI        CTCONV_ABI, a number of its own, stands in the library's name: libctconv.so.0. A program runs with
 *              every later release of the same number, before 1.0 too: no symbol leaves, no constant moves.
 *   Symbols    each minor release that adds functions has a version node: CTCONV_0 is 0.1's, CTCONV_0.2 is 0.2's.
 *              The loader so refuses a library that is too old when the program starts, not at the first call.
 *   Growth     a record grows at its end, and only by fields whose zero means "as before".
 *              A smaller struct_size is an older caller: its missing fields are zero and are never written.
 *              Below the first release's size (ctconv_types.h) or above 64 KiB: MISUSE_STRUCT_SIZE.
 *              A larger one is a newer caller: the bytes unknown here must be zero, else MISUSE_UNKNOWN_FIELD.
 *              Those of a ctconv_error are neither read nor written.
 *   Before 1.0 the times, the chosen engine, texts for people and values within an engine's promise may change.
 *
 * Bits
 *   What the bits of y depend on. describe names the promise that the chosen engine keeps:
 *   reference  the reference's bits: on every machine, for any threads, tiles and split of the batch
 *   stable     another order of sums, which is written down: the same bits on every machine
 *   machine    the same bits for the same call on this kind of machine. Another number of threads, or another
 *              alignment of the operands, may give others. The error stays within that of reordered sums.
 *   reduced    operands may be rounded below their own type, e.g. f32 to TF32 or bf16
 *   options.reproducible chooses: 0 any of the first three, 1 reference, 2 reference or stable.
 *   options.math 1 admits reduced as well, while reproducible is 0. So does allow_tf32, for TF32 alone.
 *   What the caller never asked for is never reduced.
 *
 * Limits
 *   The library's own pool runs at most 1,024 threads; options.threads accepts up to 4,096.
 *   A text has at most 2^20 bytes, a value at most 2^20 items in all, values nest at most 8 deep.
 *   An op holds at most 65,536 plans.
 *
 * Tuning
 *   CTCONV_TUNING_MEASURE times the engines of a CPU op when it builds a plan, on made-up data.
 *   The times are kept in a file (Environment) below 1 MiB, which several processes may share.
 *   Times of another library or oneDNN version, processor, element type or number of threads are not used.
 *   A file that cannot be read or written costs the measurement only.
 *   Not measured, and said so in describe's `why`: a weight that comes with the call, an x or y that is neither
 *   channels-first nor channels-last dense. "auto" then chooses by estimate.
 *
 * Environment
 *   CTCONV_TUNING_FILE  the file of measured times; empty: none. Default: $XDG_CACHE_HOME/ctconv/tuning.tsv,
 *                       or ~/.cache/ctconv/tuning.tsv
 *   CTCONV_LOG          not empty and not 0: rare remarks on stderr, the one exception to "nothing prints"
 *   CTCONV_MACHINE      what the cost models know of the processor, in place of measuring it once a process
 *                       (some milliseconds): "hertz=3.65e9 fma=1 ...", as `ctconv info` prints it;
 *                       "measure": measured with care, a second and with threads, as `ctconv tune` does
 *   CTCONV_MACHINE_FILE the file in which `ctconv tune` keeps what it measured, read on first use; empty: none.
 *                       Default: $XDG_CACHE_HOME/ctconv/machine.txt, or ~/.cache/ctconv/machine.txt
 *   CTCONV_CUDA_MODULE  path of libctconv_cuda.so; default: beside this library, then the loader's search path
 *   CTCONV_CUDNN_PATH   path of libcudnn.so.9; default: the loader's search path
 */
#ifndef CTCONV_H_
#define CTCONV_H_

#include "ctconv_status.h"
#include "ctconv_types.h"

#if defined(__GNUC__)
#define CTCONV_API __attribute__((visibility("default")))
#else
#define CTCONV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CTCONV_VERSION_MAJOR 0
#define CTCONV_VERSION_MINOR 2
#define CTCONV_VERSION_PATCH 0
#define CTCONV_ABI 0 /* of the SONAME libctconv.so.0 */

typedef struct ctconv_desc ctconv_desc;
typedef struct ctconv_op ctconv_op;

/* ---- descriptors: what was asked -------------------------------------------------------------------------------- */

/* A new, empty descriptor of a dialect: ctconv_dialect_name lists them. A version whose defaults differ is written
 * "mindspore.nn.Conv3dTranspose@2.0". *desc is the caller's until ctconv_desc_destroy.
 * CTCONV_ERR_MISUSE_DIALECT (the message lists the nearest names), MISUSE_NULL, NO_MEMORY. Any thread. */
CTCONV_API ctconv_status ctconv_desc_create(const char *dialect, ctconv_desc **desc, ctconv_error *error);

/* Sets one argument by the dialect's own name, e.g. "kernel_size". Setting a name again replaces it.
 * Copies value (a TENSOR's data too) and judges nothing: ctconv_desc_validate judges all, in the documented order.
 * MISUSE_NULL, MISUSE_VALUE (unknown tag, NULL items, nested deeper than 8), NO_MEMORY. A failed set is remembered and
 * returned by validate, weight_spec and create, so a caller may check once. One thread at a time per descriptor. */
CTCONV_API ctconv_status ctconv_desc_set(ctconv_desc *desc, const char *name, const ctconv_value *value);
/* Shorthands of ctconv_desc_set. _ints sets a tuple of count ints; _string takes a NUL-ended UTF-8 string;
 * the tensor of _tensor is copied. */
CTCONV_API ctconv_status ctconv_desc_set_int(ctconv_desc *desc, const char *name, int64_t value);
CTCONV_API ctconv_status ctconv_desc_set_ints(ctconv_desc *desc, const char *name, const int64_t *values, size_t count);
CTCONV_API ctconv_status ctconv_desc_set_float(ctconv_desc *desc, const char *name, double value);
CTCONV_API ctconv_status ctconv_desc_set_bool(ctconv_desc *desc, const char *name, int32_t value);
CTCONV_API ctconv_status ctconv_desc_set_string(ctconv_desc *desc, const char *name, const char *value);
CTCONV_API ctconv_status ctconv_desc_set_none(ctconv_desc *desc, const char *name);
CTCONV_API ctconv_status ctconv_desc_set_tensor(ctconv_desc *desc, const char *name, const ctconv_tensor *value);

/* Judges every argument that needs no tensor, in the dialect's documented order; the first fault is returned
 * (docs/errors.md). Kinds 1xxx, 2xxx, and what a failed set left. Any thread, shared. */
CTCONV_API ctconv_status ctconv_desc_validate(const ctconv_desc *desc, ctconv_error *error);

/* The shapes of weight and bias to allocate, in the dialect's axis order. Either out-pointer may be NULL.
 * x is read only if the kernel or the channel count follows from it (paddle.static.nn with output_size, keras);
 * otherwise it may be NULL. bias->ndim is 0 if the arguments say there is none.
 * The element type is x's, else the dialect's dtype argument, else float32. Validates first.
 * CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC if the shape does not follow from the arguments (onnx, paddle.nn.functional);
 * MISUSE_NULL if x is needed and NULL. Any thread, shared. */
CTCONV_API ctconv_status ctconv_desc_weight_spec(const ctconv_desc *desc, const ctconv_tensor *x, ctconv_spec *weight,
                                                 ctconv_spec *bias, ctconv_error *error);

/* Fills `out` by the dialect's initialiser: its weight_init or bias_init argument, or its documented default.
 * out is the caller's memory, with shape and element type as weight_spec answers, any strides.
 * The same seed gives the same bits on every machine. Validates first.
 * VALUE_WEIGHT_INIT, VALUE_BIAS_INIT: a given tensor has another shape. SHAPE_ or VALUE_WEIGHT_SHAPE, SHAPE_BIAS_SHAPE:
 * out has another shape. UNSUPPORTED_INIT; MISUSE_TENSOR_DEVICE (host memory only). Any thread; out: one call. */
CTCONV_API ctconv_status ctconv_init_weight(const ctconv_desc *desc, uint64_t seed, const ctconv_tensor *out,
                                            ctconv_error *error);
CTCONV_API ctconv_status ctconv_init_bias(const ctconv_desc *desc, uint64_t seed, const ctconv_tensor *out,
                                          ctconv_error *error);

/* Releases a descriptor; ops made from it live on. NULL is fine. */
CTCONV_API void ctconv_desc_destroy(ctconv_desc *desc);

/* ---- ops: ready to run ------------------------------------------------------------------------------------------ */

/* Validates desc, judges weight and bias (element type, rank, shape) and makes an op. desc may be changed or destroyed
 * right after. *op is the caller's until ctconv_destroy.
 * weight, bias: in the dialect's shapes (weight_spec), any strides; copied unless options->borrow_weights.
 * NULL: they come with every call. A bias in neither place adds none. Without weight create is cheap: use it to ask
 * for shapes. Status: 1xxx to 3xxx of the dialect; 5xxx; 6xxx if a device or engine module is missing;
 * MISUSE_DEVICE, _ENGINE, _OPTION, _ACTIVATION, _RUNNER, _ALLOCATOR, _TENSOR, _TENSOR_DEVICE, _ALIGNMENT,
 * _STRUCT_SIZE, _UNKNOWN_FIELD. Any thread. */
CTCONV_API ctconv_status ctconv_create(const ctconv_desc *desc, const ctconv_tensor *weight, const ctconv_tensor *bias,
                                       const ctconv_options *options, ctconv_op **op, ctconv_error *error);

/* The shape and element type of y for call->x (and call->weight, call->output_size).
 * No data is touched, no engine asked. Judges x and the call's own arguments in the dialect's order: 1xxx to 3xxx.
 * MISUSE_WEIGHT_MISSING if the dialect's shapes come from the weight. */
CTCONV_API ctconv_status ctconv_output_spec(const ctconv_op *op, const ctconv_call *call, ctconv_spec *y,
                                            ctconv_error *error);

/* Builds the plan for this shape ahead of time. Says how many bytes of workspace its executions need (any address).
 * Plans are kept by shape, element type, strides and device of x, y and a per-call weight, and by output_size.
 * An absent y counts as dense row-major, an absent weight (of an op without one) as weight_spec's. Data pointers may be
 * NULL. Status as output_spec; UNSUPPORTED_ENGINE if a forced engine refuses; 5xxx, 6xxx. Any number of threads. */
CTCONV_API ctconv_status ctconv_prepare(const ctconv_op *op, const ctconv_call *call, size_t *workspace_bytes,
                                        ctconv_error *error);

/* Computes y. y has the shape and element type of ctconv_output_spec.
 * It shares no byte with x, weight, bias or workspace.
 * Any strides that do not make it meet itself: a channel slice of a larger tensor is fine.
 * Whether y meets itself is decided for every size if at most two axes interleave, and for 2^22 elements otherwise.
 * A larger y may be refused undecided (MISUSE_Y_OVERLAP, the message says so).
 * Aligned to its elements is enough; a large y that begins with a cache line (64 bytes) is written fastest.
 * x, weight, bias may be any strided view (0 and negative strides too) and are never written.
 * The workspace's content is meaningless before and after. With the plan held, the weight given at create and a
 * workspace, nothing is allocated.
 * CUDA: enqueues on call->stream and returns. Without a workspace the op keeps one per stream, for the last 8 streams:
 *   - a stream's first call allocates; so does a call that needs more, and waits for its stream first
 *   - a ninth stream takes the place of the one least recently used, and waits for the device
 *   - every other call neither allocates nor waits
 *   - such a stream must be idle when it is destroyed
 * After kinds 1xxx to 4xxx and 7xxx y is untouched (except MISUSE_RUNNER). After others it is unspecified.
 * Status as prepare, and WORKSPACE_SIZE, MISUSE_NULL, _TENSOR, _ALIGNMENT, _TENSOR_DEVICE, _WEIGHT_TWICE,
 * _WEIGHT_MISSING, _Y_SHAPE, _Y_DTYPE, _Y_OVERLAP, _WORKSPACE, _STREAM, _RUNNER, _REGION.
 * Any number of threads at once; y and workspace belong to one running call each. */
CTCONV_API ctconv_status ctconv_execute(const ctconv_op *op, const ctconv_call *call, ctconv_error *error);

/* What will run, or ran, for this call, as `key: value` lines, first "engine: <name>". Keys are only appended: engine,
 * form, why, problem, flop, bytes, estimated_ms, workspace_bytes, packed_bytes, threads (CPU), bits, refused.<engine>.
 * bits: which promise the results keep: reference, stable, machine or reduced (Bits, above).
 * CUDA: refused.<kernel>, and form begins with the kernel's name; device.constants: what the device reaches, by which
 * the estimates are made, measured or by data sheet.
 * call NULL: the op as a whole (dialect, device, plans and bytes held, cores and CPU quota found, where
 * the dialect has the channels).
 * Like snprintf: cuts at cap and ends in NUL. buf may be NULL if cap is 0.
 * *needed is the full size with NUL; needed may be NULL. Status as prepare. */
CTCONV_API ctconv_status ctconv_describe(const ctconv_op *op, const ctconv_call *call, char *buf, size_t cap,
                                         size_t *needed, ctconv_error *error);

/* ---- gradients (since 0.2) -------------------------------------------------------------------------------------- */

/* Builds the plans of a backward call and says how many bytes of workspace it needs (any address). Data pointers may be
 * NULL. Plans are kept with those of execute.
 * Status: 1xxx to 3xxx of the dialect for x, weight and output_size; MISUSE_NULL where grads asks for no gradient or
 * lacks what one is made of; MISUSE_WEIGHT_MISSING, _WEIGHT_TWICE; MISUSE_Y_SHAPE and _Y_DTYPE for dy, y, dx, dw, db;
 * MISUSE_ACTIVATION for a leaky relu with a slope below 0; MISUSE_OPTION for accumulate; UNSUPPORTED_ENGINE where a
 * forced engine has no gradients; 5xxx, on a device 6xxx. Any number of threads. */
CTCONV_API ctconv_status ctconv_backward_prepare(const ctconv_op *op, const ctconv_grads *grads,
                                                 size_t *workspace_bytes, ctconv_error *error);

/* Computes dx, dw and db.
 * dx: one chain of fused multiply-adds an element, as y is. dw, db: chains of 4,096 places, then their sum, in an order
 * that the problem alone fixes. The same bits for any number of threads; but dx of a layer without strides keeps what
 * the engine of its plan promises, as y does (describe: `bits`; reproducible = 1 asks for these sums everywhere).
 * f16 and bf16 are summed in f32.
 * Nothing is read of rows of dy that the dialect leaves zero in y.
 * dx, dw, db: any strides that do not make them meet themselves; they share no byte with each other, dy, x, y, weight
 * or workspace (MISUSE_Y_OVERLAP).
 * After kinds 1xxx to 4xxx and 7xxx dx, dw and db are untouched (except MISUSE_RUNNER). After others unspecified.
 * Status as backward_prepare, and WORKSPACE_SIZE, MISUSE_TENSOR, _ALIGNMENT, _TENSOR_DEVICE, _WORKSPACE, _STREAM,
 * _RUNNER. Any number of threads at once; dx, dw, db and workspace belong to one running call each. */
CTCONV_API ctconv_status ctconv_backward(const ctconv_op *op, const ctconv_grads *grads, ctconv_error *error);

/* As ctconv_describe: `workspace_bytes`, then the lines of both plans, under `dx.` and `dw.` as far as they are asked
 * for. buf gets at most cap bytes, NUL included; *needed the bytes of the whole. */
CTCONV_API ctconv_status ctconv_backward_describe(const ctconv_op *op, const ctconv_grads *grads, char *buf, size_t cap,
                                                  size_t *needed, ctconv_error *error);

/* Releases an op; waits for device work it enqueued. No call on it may be running. NULL is fine. */
CTCONV_API void ctconv_destroy(ctconv_op *op);

/* ---- threads that are there already ----------------------------------------------------------------------------- */

/* Fills a runner over the OpenMP threads of this process (GNU's, LLVM's or Intel's runtime, as PyTorch has one). Two
 * pools on the same cores get in each other's way: idle threads spin for a while. Any thread.
 * runner: CTCONV_RUNNER_INIT; user, workers and parallel_for are written, and good until the library is unloaded.
 * workers: 1 to 4,096, best what the program's own loops take; 0: what omp_get_max_threads() answers now.
 * library: a part of the runtime's path, to choose one; NULL: the first. Loads nothing, starts no thread.
 * Returns the workers. 0, runner as it was: no such runtime is loaded, a value out of range, or a child of fork.
 * In a child of a later fork, and inside a parallel region, the calling thread works alone. */
CTCONV_API int32_t ctconv_openmp_runner(ctconv_runner *runner, int32_t workers, const char *library);

/* ---- what this library is --------------------------------------------------------------------------------------- */

/* All: any thread. Strings are static, never NULL, and valid until the library is unloaded. */

CTCONV_API int32_t ctconv_version(void);            /* major * 10000 + minor * 100 + patch */
CTCONV_API const char *ctconv_version_string(void); /* "0.2.0" */
CTCONV_API const char *ctconv_build_info(void);     /* `key: value` lines: compiler, targets, cpu, onednn, cuda */
CTCONV_API const char *ctconv_status_name(ctconv_status status); /* "CTCONV_ERR_VALUE_STRIDE"; "CTCONV_ERR_UNKNOWN" */
CTCONV_API int32_t ctconv_status_kind(ctconv_status status);     /* status / 1000 */
CTCONV_API const char *ctconv_status_text(ctconv_status status); /* one line, no detail */
CTCONV_API int32_t ctconv_dialect_count(void);
CTCONV_API const char *ctconv_dialect_name(int32_t index); /* past the last: "" */
/* The index-th argument of a dialect in positional order.
 * MISUSE_DIALECT, MISUSE_NULL, MISUSE_STRUCT_SIZE, MISUSE_UNKNOWN_FIELD; MISUSE_OPTION past the last. */
CTCONV_API ctconv_status ctconv_dialect_argument(const char *dialect, int32_t index, ctconv_argument *argument);
/* The engines of this build: the CPU's in the order `auto` asks them, then the device's, whose module is looked for on
 * first use. Past the last: "". */
CTCONV_API int32_t ctconv_engine_count(void);
CTCONV_API const char *ctconv_engine_name(int32_t index);

#ifdef __cplusplus
}
#endif

#include "ctconv_stream.h" /* regions and streams */

#endif /* CTCONV_H_ */
