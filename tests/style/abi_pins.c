/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiled caller relies on, as compile-time assertions on 64-bit targets.
 *
 *   in:  the public header; the three .inc files, which tools/gen_api.py writes from capi/api.json
 *   out: a program that compiles as C99 and as C++17
 *   A line that no longer compiles is a broken ABI. A record that grows gets new lines at its end and a larger size;
 *   the old size stays legal as struct_size. Nothing else may change. */
#include <stddef.h>
#include <stdint.h>

#include "ctconv/ctconv.h"
#include "tests/style/dlpack_layout.h"

#define PIN_NAME_(line) pin_##line
#define PIN_NAME(line) PIN_NAME_(line)
#define PIN(condition) typedef char PIN_NAME(__LINE__)[(condition) ? 1 : -1] __attribute__((unused))
#define NAMED(name, condition) typedef char name[(condition) ? 1 : -1] __attribute__((unused))
#define SIZE(type, bytes) NAMED(size_of_##type, sizeof(type) == (bytes))
#define AT(type, field, offset) NAMED(offset_of_##type##_##field, offsetof(type, field) == (offset))

PIN(sizeof(void *) == 8 && sizeof(size_t) == 8 && sizeof(double) == 8);
SIZE(ctconv_status, 4);

/* ---- records ---- */

#include "tests/style/layout.inc"

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

#define PUBLISHED(name, number) NAMED(number_of_##name, (name) == (number));
#include "tests/style/published.inc"

/* ---- signatures ---- */

#define SIGNATURE static __attribute__((unused))
#include "tests/style/signatures.inc"

typedef void (*pinned_task)(void *, int64_t, int32_t);

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
  return pin_of_ctconv_version() != CTCONV_VERSION_MAJOR * 10000 + CTCONV_VERSION_MINOR * 100 + CTCONV_VERSION_PATCH;
}
