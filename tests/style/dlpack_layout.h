// SPDX-License-Identifier: Apache-2.0
/* DLTensor as DLPack 1.x lays it out, written from the specification (include/dlpack/dlpack.h
   of the project dmlc/dlpack,
 * Apache-2.0; the structure has been the same since version 0.2). Only the layout and the numbers, for abi_pins.c: the
 * library itself includes no foreign header. */
#ifndef CTCONV_TESTS_STYLE_DLPACK_LAYOUT_H_
#define CTCONV_TESTS_STYLE_DLPACK_LAYOUT_H_

#include <stdint.h>

enum {
  LAYOUT_DL_INT = 0,
  LAYOUT_DL_UINT = 1,
  LAYOUT_DL_FLOAT = 2,
  LAYOUT_DL_BFLOAT = 4,
  LAYOUT_DL_COMPLEX = 5,
  LAYOUT_DL_BOOL = 6
};
enum { LAYOUT_DL_CPU = 1, LAYOUT_DL_CUDA = 2, LAYOUT_DL_CUDA_HOST = 3, LAYOUT_DL_CUDA_MANAGED = 13 };

typedef struct {
  int32_t device_type; /* an enum with a 32-bit underlying type */
  int32_t device_id;
} layout_dl_device;

typedef struct {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} layout_dl_data_type;

typedef struct {
  void *data;
  layout_dl_device device;
  int32_t ndim;
  layout_dl_data_type dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} layout_dl_tensor;

#endif
