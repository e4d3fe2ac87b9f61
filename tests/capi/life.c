/* SPDX-License-Identifier: Apache-2.0 */
/* The whole life of an op from plain C, compiled as C99 and as C++17 and linked with libctconv.so.
 *
 *   create a descriptor, set, validate, ask for shapes, initialise, create, ask for the output, prepare, describe,
 *   execute, destroy
 *   The answer is compared with the definition, written out below for one 2-D case of small integers (exact in f32). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctconv/ctconv.h"

enum { N = 2, CI = 3, CO = 2, IH = 4, IW = 5, KH = 3, KW = 2, SH = 2, SW = 3, PH = 1, PW = 0 };
enum { OH = (IH - 1) * SH + KH - 2 * PH, OW = (IW - 1) * SW + KW - 2 * PW };

static int failures = 0;

static void expect(int condition, const char *what, int line) {
  if (!condition) {
    ++failures;
    fprintf(stderr, "life.c:%d: %s\n", line, what);
  }
}
#define EXPECT(condition) expect((condition) ? 1 : 0, #condition, __LINE__)

static ctconv_tensor dense(float *data, const int64_t *shape, int32_t ndim) {
  ctconv_tensor t;
  memset(&t, 0, sizeof t);
  t.data = data;
  t.device_type = CTCONV_DEVICE_CPU;
  t.ndim = ndim;
  t.dtype_code = CTCONV_DTYPE_FLOAT;
  t.dtype_bits = 32;
  t.dtype_lanes = 1;
  t.shape = shape;
  return t;
}

static float x_data[N * CI * IH * IW], w_data[CI * CO * KH * KW], b_data[CO], y_data[N * CO * OH * OW],
    want[N * CO * OH * OW];

static void define(void) {
  int n, ci, co, h, w, r, c;
  for (n = 0; n < N; ++n)
    for (co = 0; co < CO; ++co)
      for (h = 0; h < OH * OW; ++h) want[(n * CO + co) * OH * OW + h] = b_data[co];
  for (n = 0; n < N; ++n)
    for (ci = 0; ci < CI; ++ci)
      for (h = 0; h < IH; ++h)
        for (w = 0; w < IW; ++w)
          for (co = 0; co < CO; ++co)
            for (r = 0; r < KH; ++r)
              for (c = 0; c < KW; ++c) {
                const int oh = h * SH + r - PH, ow = w * SW + c - PW;
                if (oh >= 0 && oh < OH && ow >= 0 && ow < OW)
                  want[((n * CO + co) * OH + oh) * OW + ow] +=
                      x_data[((n * CI + ci) * IH + h) * IW + w] * w_data[((ci * CO + co) * KH + r) * KW + c];
              }
}

static int same(void) {
  int i;
  for (i = 0; i < N * CO * OH * OW; ++i)
    if (y_data[i] != want[i]) return 0;
  return 1;
}

int main(void) {
  const int64_t x_shape[] = {N, CI, IH, IW}, w_shape[] = {CI, CO, KH, KW}, b_shape[] = {CO},
                y_shape[] = {N, CO, OH, OW};
  const int64_t kernel[] = {KH, KW}, stride[] = {SH, SW}, padding[] = {PH, PW};
  ctconv_tensor x = dense(x_data, x_shape, 4), w = dense(w_data, w_shape, 4), b = dense(b_data, b_shape, 1),
                y = dense(y_data, y_shape, 4);
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_options options = CTCONV_OPTIONS_INIT;
  ctconv_call call = CTCONV_CALL_INIT;
  ctconv_desc *desc = NULL;
  ctconv_op *op = NULL;
  ctconv_spec w_spec, b_spec, y_spec;
  size_t bytes = 1, needed = 0;
  char text[4096];
  void *workspace;
  int i;

  for (i = 0; i < N * CI * IH * IW; ++i) x_data[i] = (float)(i * 7 % 11 - 5);

  EXPECT(ctconv_desc_create("torch.nn.ConvTranspose2d", &desc, &error) == CTCONV_OK);
  EXPECT(error.status == CTCONV_OK);
  EXPECT(ctconv_desc_set_int(desc, "in_channels", CI) == CTCONV_OK);
  EXPECT(ctconv_desc_set_int(desc, "out_channels", CO) == CTCONV_OK);
  /* An argument is missing: nothing is judged before validate. */
  EXPECT(ctconv_desc_validate(desc, &error) == CTCONV_ERR_TYPE_ARGUMENT_MISSING);
  EXPECT(error.kind == 1 && strlen(error.message) > 10);
  EXPECT(ctconv_desc_set_ints(desc, "kernel_size", kernel, 2) == CTCONV_OK);
  EXPECT(ctconv_desc_set_ints(desc, "stride", stride, 2) == CTCONV_OK);
  EXPECT(ctconv_desc_set_ints(desc, "padding", padding, 2) == CTCONV_OK);
  EXPECT(ctconv_desc_set_bool(desc, "bias", 1) == CTCONV_OK);
  EXPECT(ctconv_desc_set_string(desc, "padding_mode", "zeros") == CTCONV_OK);
  EXPECT(ctconv_desc_set_none(desc, "device") == CTCONV_OK);
  EXPECT(ctconv_desc_validate(desc, &error) == CTCONV_OK);
  EXPECT(ctconv_desc_validate(desc, NULL) == CTCONV_OK);

  EXPECT(ctconv_desc_weight_spec(desc, NULL, &w_spec, &b_spec, &error) == CTCONV_OK);
  EXPECT(w_spec.ndim == 4 && memcmp(w_spec.shape, w_shape, sizeof w_shape) == 0);
  EXPECT(b_spec.ndim == 1 && b_spec.shape[0] == CO);
  EXPECT(w_spec.dtype_code == CTCONV_DTYPE_FLOAT && w_spec.dtype_bits == 32 && w_spec.dtype_lanes == 1);
  EXPECT(ctconv_init_weight(desc, 42, &w, &error) == CTCONV_OK);
  EXPECT(ctconv_init_bias(desc, 42, &b, &error) == CTCONV_OK);
  EXPECT(w_data[0] != w_data[1]);
  for (i = 0; i < CI * CO * KH * KW; ++i) w_data[i] = (float)(i * 5 % 7 - 3);
  for (i = 0; i < CO; ++i) b_data[i] = (float)(i + 1);
  define();

  options.engine = "auto";
  options.threads = 2;
  EXPECT(ctconv_create(desc, &w, &b, &options, &op, &error) == CTCONV_OK);
  ctconv_desc_destroy(desc); /* the op lives on; w and b were copied */
  memset(w_data, 0, sizeof w_data);
  memset(b_data, 0, sizeof b_data);
  if (op == NULL) {
    fprintf(stderr, "%s: %s\n", ctconv_status_name(error.status), error.message);
    return 1;
  }

  call.x = &x;
  EXPECT(ctconv_output_spec(op, &call, &y_spec, &error) == CTCONV_OK);
  EXPECT(y_spec.ndim == 4 && memcmp(y_spec.shape, y_shape, sizeof y_shape) == 0);
  EXPECT(ctconv_prepare(op, &call, &bytes, &error) == CTCONV_OK);
  EXPECT(ctconv_describe(op, &call, text, sizeof text, &needed, &error) == CTCONV_OK);
  EXPECT(strncmp(text, "engine: ", 8) == 0 && needed == strlen(text) + 1);

  workspace = malloc(bytes + 1);
  call.y = &y;
  call.workspace = workspace;
  call.workspace_bytes = bytes;
  EXPECT(ctconv_execute(op, &call, &error) == CTCONV_OK);
  EXPECT(same());
  free(workspace);
  call.workspace = NULL;
  call.workspace_bytes = 0;
  memset(y_data, 0, sizeof y_data);
  EXPECT(ctconv_execute(op, &call, NULL) == CTCONV_OK);
  EXPECT(same());
  ctconv_destroy(op);
  ctconv_destroy(NULL);
  ctconv_desc_destroy(NULL);

  /* A failure leaves the out-pointer NULL. */
  desc = (ctconv_desc *)&failures;
  EXPECT(ctconv_desc_create("torch.nn.ConvTranspose4d", &desc, &error) == CTCONV_ERR_MISUSE_DIALECT);
  EXPECT(desc == NULL);
  EXPECT(strcmp(ctconv_status_name(error.status), "CTCONV_ERR_MISUSE_DIALECT") == 0 &&
         ctconv_status_kind(error.status) == 7);
  if (failures == 0) puts("life: ok");
  return failures != 0;
}
