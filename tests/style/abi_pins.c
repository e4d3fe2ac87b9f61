/* What a compiled caller relies on, as compile-time assertions: sizes, offsets, numbers and signatures
 * on 64-bit targets.
 * Compiled as C99 and as C++17. A line that no longer compiles is a broken ABI: records that grow
 * get new lines at their end
 * (and a larger size, the old one stays legal as struct_size), nothing else may change. */
#include <stddef.h>
#include <stdint.h>

#include "ctconv/ctconv.h"
#include "tests/style/dlpack_layout.h"

#define PIN_NAME_(line) pin_##line
#define PIN_NAME(line) PIN_NAME_(line)
#define PIN(condition) typedef char PIN_NAME(__LINE__)[(condition) ? 1 : -1] __attribute__((unused))
#define SIZE(type, bytes) PIN(sizeof(type) == (bytes))
#define AT(type, field, offset) PIN(offsetof(type, field) == (offset))

PIN(sizeof(void *) == 8 && sizeof(size_t) == 8 && sizeof(double) == 8);
SIZE(ctconv_status, 4);

/* ---- records ---- */

SIZE(ctconv_tensor, 48);
AT(ctconv_tensor, data, 0);
AT(ctconv_tensor, device_type, 8);
AT(ctconv_tensor, device_id, 12);
AT(ctconv_tensor, ndim, 16);
AT(ctconv_tensor, dtype_code, 20);
AT(ctconv_tensor, dtype_bits, 21);
AT(ctconv_tensor, dtype_lanes, 22);
AT(ctconv_tensor, shape, 24);
AT(ctconv_tensor, strides, 32);
AT(ctconv_tensor, byte_offset, 40);

SIZE(ctconv_spec, 72);
AT(ctconv_spec, ndim, 0);
AT(ctconv_spec, dtype_code, 4);
AT(ctconv_spec, dtype_bits, 5);
AT(ctconv_spec, dtype_lanes, 6);
AT(ctconv_spec, shape, 8);

SIZE(ctconv_value, 48);
AT(ctconv_value, tag, 0);
AT(ctconv_value, reserved, 4);
AT(ctconv_value, i, 8);
AT(ctconv_value, f, 16);
AT(ctconv_value, text, 24);
AT(ctconv_value, items, 32);
AT(ctconv_value, tensor, 40);

SIZE(ctconv_error, 728);
AT(ctconv_error, struct_size, 0);
AT(ctconv_error, status, 8);
AT(ctconv_error, kind, 12);
AT(ctconv_error, element, 16);
AT(ctconv_error, native_code, 20);
AT(ctconv_error, argument, 24);
AT(ctconv_error, value, 56);
AT(ctconv_error, range, 120);
AT(ctconv_error, message, 216);

SIZE(ctconv_runner, 32);
AT(ctconv_runner, struct_size, 0);
AT(ctconv_runner, user, 8);
AT(ctconv_runner, workers, 16);
AT(ctconv_runner, reserved, 20);
AT(ctconv_runner, parallel_for, 24);

SIZE(ctconv_allocator, 32);
AT(ctconv_allocator, struct_size, 0);
AT(ctconv_allocator, user, 8);
AT(ctconv_allocator, alloc, 16);
AT(ctconv_allocator, release, 24);

SIZE(ctconv_options, 104);
AT(ctconv_options, struct_size, 0);
AT(ctconv_options, device, 8);
AT(ctconv_options, engine, 16);
AT(ctconv_options, runner, 24);
AT(ctconv_options, allocator, 32);
AT(ctconv_options, threads, 40);
AT(ctconv_options, plan_limit, 44);
AT(ctconv_options, workspace_limit, 48);
AT(ctconv_options, activation, 56);
AT(ctconv_options, tuning, 60);
AT(ctconv_options, activation_alpha, 64);
AT(ctconv_options, activation_beta, 72);
AT(ctconv_options, reproducible, 80);
AT(ctconv_options, allow_tf32, 84);
AT(ctconv_options, borrow_weights, 88);
AT(ctconv_options, reserved, 92);
AT(ctconv_options, math, 96);
AT(ctconv_options, reserved2, 100);

SIZE(ctconv_call, 72);
AT(ctconv_call, struct_size, 0);
AT(ctconv_call, x, 8);
AT(ctconv_call, y, 16);
AT(ctconv_call, weight, 24);
AT(ctconv_call, bias, 32);
AT(ctconv_call, output_size, 40);
AT(ctconv_call, workspace, 48);
AT(ctconv_call, workspace_bytes, 56);
AT(ctconv_call, stream, 64);

SIZE(ctconv_argument, 32);
AT(ctconv_argument, struct_size, 0);
AT(ctconv_argument, name, 8);
AT(ctconv_argument, default_text, 16);
AT(ctconv_argument, position, 24);
AT(ctconv_argument, required, 28);

/* ---- a ctconv_tensor is a DLTensor ---- */

#define SAME_AS_DLPACK(ours, theirs)                                  \
  PIN(offsetof(ctconv_tensor, ours) == offsetof(DL_TENSOR, theirs) && \
      sizeof(((ctconv_tensor *)0)->ours) == sizeof(((DL_TENSOR *)0)->theirs))

#define DL_TENSOR layout_dl_tensor
PIN(sizeof(ctconv_tensor) == sizeof(layout_dl_tensor));
SAME_AS_DLPACK(data, data);
SAME_AS_DLPACK(device_type, device.device_type);
SAME_AS_DLPACK(device_id, device.device_id);
SAME_AS_DLPACK(ndim, ndim);
SAME_AS_DLPACK(dtype_code, dtype.code);
SAME_AS_DLPACK(dtype_bits, dtype.bits);
SAME_AS_DLPACK(dtype_lanes, dtype.lanes);
SAME_AS_DLPACK(shape, shape);
SAME_AS_DLPACK(strides, strides);
SAME_AS_DLPACK(byte_offset, byte_offset);
#undef DL_TENSOR
PIN((int)CTCONV_DTYPE_INT == LAYOUT_DL_INT && (int)CTCONV_DTYPE_UINT == LAYOUT_DL_UINT &&
    (int)CTCONV_DTYPE_FLOAT == LAYOUT_DL_FLOAT);
PIN((int)CTCONV_DTYPE_BFLOAT == LAYOUT_DL_BFLOAT && (int)CTCONV_DTYPE_COMPLEX == LAYOUT_DL_COMPLEX &&
    (int)CTCONV_DTYPE_BOOL == LAYOUT_DL_BOOL);
PIN((int)CTCONV_DEVICE_CPU == LAYOUT_DL_CPU && (int)CTCONV_DEVICE_CUDA == LAYOUT_DL_CUDA);
PIN((int)CTCONV_DEVICE_CUDA_HOST == LAYOUT_DL_CUDA_HOST && (int)CTCONV_DEVICE_CUDA_MANAGED == LAYOUT_DL_CUDA_MANAGED);

/* Where the real header is installed (Debian: libdlpack-dev) it is asked too. */
#if defined(CTCONV_HAVE_DLPACK)
#include <dlpack/dlpack.h>
#define DL_TENSOR DLTensor
PIN(sizeof(ctconv_tensor) == sizeof(DLTensor));
SAME_AS_DLPACK(data, data);
SAME_AS_DLPACK(device_type, device.device_type);
SAME_AS_DLPACK(device_id, device.device_id);
SAME_AS_DLPACK(ndim, ndim);
SAME_AS_DLPACK(dtype_code, dtype.code);
SAME_AS_DLPACK(dtype_bits, dtype.bits);
SAME_AS_DLPACK(dtype_lanes, dtype.lanes);
SAME_AS_DLPACK(shape, shape);
SAME_AS_DLPACK(strides, strides);
SAME_AS_DLPACK(byte_offset, byte_offset);
PIN((int)CTCONV_DTYPE_FLOAT == (int)kDLFloat && (int)CTCONV_DTYPE_BFLOAT == (int)kDLBfloat &&
    (int)CTCONV_DTYPE_INT == (int)kDLInt);
PIN((int)CTCONV_DEVICE_CPU == (int)kDLCPU && (int)CTCONV_DEVICE_CUDA == (int)kDLCUDA &&
    (int)CTCONV_DEVICE_CUDA_HOST == (int)kDLCUDAHost);
PIN((int)CTCONV_DEVICE_CUDA_MANAGED == (int)kDLCUDAManaged);
#endif

/* ---- numbers ---- */

#define PUBLISHED(name, number) PIN_CONSTANT(name, number)
#define PIN_CONSTANT(name, number) typedef char pin_of_##name[(name) == (number) ? 1 : -1] __attribute__((unused));
#include "tests/style/published.inc"

/* ---- signatures: a function whose type changed does not initialise its pointer ---- */

typedef void (*pinned_task)(void *, int64_t, int32_t);

struct signatures {
  ctconv_status (*desc_create)(const char *, ctconv_desc **, ctconv_error *);
  ctconv_status (*desc_set)(ctconv_desc *, const char *, const ctconv_value *);
  ctconv_status (*desc_set_int)(ctconv_desc *, const char *, int64_t);
  ctconv_status (*desc_set_ints)(ctconv_desc *, const char *, const int64_t *, size_t);
  ctconv_status (*desc_set_float)(ctconv_desc *, const char *, double);
  ctconv_status (*desc_set_bool)(ctconv_desc *, const char *, int32_t);
  ctconv_status (*desc_set_string)(ctconv_desc *, const char *, const char *);
  ctconv_status (*desc_set_none)(ctconv_desc *, const char *);
  ctconv_status (*desc_set_tensor)(ctconv_desc *, const char *, const ctconv_tensor *);
  ctconv_status (*desc_validate)(const ctconv_desc *, ctconv_error *);
  ctconv_status (*desc_weight_spec)(const ctconv_desc *, const ctconv_tensor *, ctconv_spec *, ctconv_spec *,
                                    ctconv_error *);
  ctconv_status (*init_weight)(const ctconv_desc *, uint64_t, const ctconv_tensor *, ctconv_error *);
  ctconv_status (*init_bias)(const ctconv_desc *, uint64_t, const ctconv_tensor *, ctconv_error *);
  void (*desc_destroy)(ctconv_desc *);
  ctconv_status (*create)(const ctconv_desc *, const ctconv_tensor *, const ctconv_tensor *, const ctconv_options *,
                          ctconv_op **, ctconv_error *);
  ctconv_status (*output_spec)(const ctconv_op *, const ctconv_call *, ctconv_spec *, ctconv_error *);
  ctconv_status (*prepare)(const ctconv_op *, const ctconv_call *, size_t *, ctconv_error *);
  ctconv_status (*execute)(const ctconv_op *, const ctconv_call *, ctconv_error *);
  ctconv_status (*describe)(const ctconv_op *, const ctconv_call *, char *, size_t, size_t *, ctconv_error *);
  void (*destroy)(ctconv_op *);
  int32_t (*version)(void);
  const char *(*version_string)(void);
  const char *(*build_info)(void);
  const char *(*status_name)(ctconv_status);
  int32_t (*status_kind)(ctconv_status);
  const char *(*status_text)(ctconv_status);
  int32_t (*dialect_count)(void);
  const char *(*dialect_name)(int32_t);
  ctconv_status (*dialect_argument)(const char *, int32_t, ctconv_argument *);
  int32_t (*engine_count)(void);
  const char *(*engine_name)(int32_t);
};

static const struct signatures kSignatures = {
    ctconv_desc_create,      ctconv_desc_set,       ctconv_desc_set_int,     ctconv_desc_set_ints,
    ctconv_desc_set_float,   ctconv_desc_set_bool,  ctconv_desc_set_string,  ctconv_desc_set_none,
    ctconv_desc_set_tensor,  ctconv_desc_validate,  ctconv_desc_weight_spec, ctconv_init_weight,
    ctconv_init_bias,        ctconv_desc_destroy,   ctconv_create,           ctconv_output_spec,
    ctconv_prepare,          ctconv_execute,        ctconv_describe,         ctconv_destroy,
    ctconv_version,          ctconv_version_string, ctconv_build_info,       ctconv_status_name,
    ctconv_status_kind,      ctconv_status_text,    ctconv_dialect_count,    ctconv_dialect_name,
    ctconv_dialect_argument, ctconv_engine_count,   ctconv_engine_name};

/* The hooks of a runner and an allocator, by assignment. */
static void pinned_hooks(ctconv_runner *runner, ctconv_allocator *allocator,
                         void (*run)(void *, int64_t, pinned_task, void *), void *(*alloc)(void *, size_t, size_t),
                         void (*release)(void *, void *, size_t, size_t)) {
  runner->parallel_for = run;
  allocator->alloc = alloc;
  allocator->release = release;
}

int main(void) {
  ctconv_runner runner = CTCONV_RUNNER_INIT;
  ctconv_allocator allocator = CTCONV_ALLOCATOR_INIT;
  pinned_hooks(&runner, &allocator, NULL, NULL, NULL);
  return kSignatures.version() != CTCONV_VERSION_MAJOR * 10000 + CTCONV_VERSION_MINOR * 100 + CTCONV_VERSION_PATCH;
}
