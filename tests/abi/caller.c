/* SPDX-License-Identifier: Apache-2.0 */
/* A program of another release: it uses every function and every record of the header it was compiled with.
 *
 *   in:  the header of release 0.1 (tests/abi/0.1), today's, or that with a field appended to each record
 *        (CALLER_IS_NEWER);
 *        CALLER_TAIL: what it writes into those fields
 *   out: exit 0 if the library it runs with answers as the header promises, else a line for each broken promise
 *   0.1's caller must run with every later library. A newer caller must run with an older library while its new fields
 *   are zero, and must be refused, not misunderstood, once they are not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctconv.h"

#ifndef CALLER_TAIL
#define CALLER_TAIL 0
#endif
#ifdef CALLER_IS_NEWER
#define SET_TAIL(record) ((record).appended = CALLER_TAIL)
#else
#define SET_TAIL(record) ((void)0)
#endif

static int failures = 0;

static void expect(int condition, const char *what, int line) {
  if (!condition) {
    ++failures;
    fprintf(stderr, "caller.c:%d: %s\n", line, what);
  }
}
#define EXPECT(condition) expect((condition) ? 1 : 0, #condition, __LINE__)

#if CTCONV_VERSION_MINOR == 1
/* The frozen header is frozen. */
#define SIZE(type, bytes) typedef char size_of_##type[sizeof(type) == (bytes) ? 1 : -1]
SIZE(ctconv_tensor, 48);
SIZE(ctconv_spec, 72);
SIZE(ctconv_value, 48);
SIZE(ctconv_error, 728);
SIZE(ctconv_runner, 32);
SIZE(ctconv_allocator, 32);
SIZE(ctconv_options, 96);
SIZE(ctconv_call, 72);
SIZE(ctconv_argument, 32);
#endif

/* A record between guards: nothing behind its struct_size may be read for meaning, nothing may be written. */
#define GUARDED(type)        \
  struct {                   \
    type record;             \
    unsigned char guard[64]; \
  }
#define GUARD(g) memset((g).guard, 0x5A, sizeof(g).guard)
static int whole(const unsigned char *guard) {
  int n;
  for (n = 0; n < 64; ++n)
    if (guard[n] != 0x5A) return 0;
  return 1;
}

enum { CHANNELS = 16, SIDE = 32, TAPS = 4, X = CHANNELS * SIDE * SIDE, W = CHANNELS * CHANNELS * TAPS, Y = 4 * X };
static float x_data[X], w_data[W], b_data[CHANNELS], y_data[Y];

static int calls = 0, blocks = 0;
static void run_all(void *user, int64_t count, void (*task)(void *, int64_t, int32_t), void *data) {
  int64_t i;
  ++*(int *)user;
  for (i = 0; i < count; ++i) task(data, i, 0);
}
static void *take(void *user, size_t bytes, size_t alignment) {
  ++*(int *)user;
  return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
static void give(void *user, void *p, size_t bytes, size_t alignment) {
  (void)bytes;
  (void)alignment;
  --*(int *)user;
  free(p);
}

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

static void library_itself(void) {
  GUARDED(ctconv_argument) a;
  const ctconv_argument first = CTCONV_ARGUMENT_INIT;
  EXPECT(ctconv_version() >= 100);
  EXPECT(strlen(ctconv_version_string()) > 0 && strlen(ctconv_build_info()) > 0);
  EXPECT(strcmp(ctconv_status_name(CTCONV_ERR_VALUE_STRIDE), "CTCONV_ERR_VALUE_STRIDE") == 0);
  EXPECT(ctconv_status_kind(CTCONV_ERR_VALUE_STRIDE) == 2 && strlen(ctconv_status_text(CTCONV_ERR_NO_MEMORY)) > 0);
  EXPECT(ctconv_dialect_count() > 0 && strlen(ctconv_dialect_name(0)) > 0);
  EXPECT(ctconv_engine_count() > 0 && strlen(ctconv_engine_name(0)) > 0);
  a.record = first;
  GUARD(a);
  SET_TAIL(a.record);
#if CALLER_TAIL != 0 && defined(LIBRARY_IS_OLDER)
  EXPECT(ctconv_dialect_argument("torch.nn.ConvTranspose2d", 0, &a.record) == CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
#else
  EXPECT(ctconv_dialect_argument("torch.nn.ConvTranspose2d", 0, &a.record) == CTCONV_OK);
  EXPECT(a.record.name != NULL && strcmp(a.record.name, "in_channels") == 0);
  EXPECT(a.record.required == 1 && a.record.position == 0 && a.record.default_text != NULL);
#endif
  EXPECT(a.record.struct_size == sizeof a.record && whole(a.guard));
}

static ctconv_desc *describe_layer(ctconv_error *e) {
  ctconv_desc *d = NULL;
  ctconv_value v;
  const int64_t kernel[2] = {2, 2};
  memset(&v, 0, sizeof v);
  v.tag = CTCONV_VALUE_INT;
  v.i = 2;
  EXPECT(ctconv_desc_create("torch.nn.ConvTranspose2d", &d, e) == CTCONV_OK);
  EXPECT(ctconv_desc_set(d, "stride", &v) == CTCONV_OK);
  EXPECT(ctconv_desc_set_int(d, "in_channels", CHANNELS) == CTCONV_OK);
  EXPECT(ctconv_desc_set_int(d, "out_channels", CHANNELS) == CTCONV_OK);
  EXPECT(ctconv_desc_set_ints(d, "kernel_size", kernel, 2) == CTCONV_OK);
  EXPECT(ctconv_desc_set_bool(d, "bias", 1) == CTCONV_OK);
  EXPECT(ctconv_desc_set_string(d, "padding_mode", "zeros") == CTCONV_OK);
  EXPECT(ctconv_desc_set_none(d, "dtype") == CTCONV_OK);
  EXPECT(ctconv_desc_validate(d, e) == CTCONV_OK);
  return d;
}

static void refusals(ctconv_error *e, const unsigned char *guard) {
  ctconv_desc *d = NULL;
  float one = 1;
  const int64_t shape[1] = {1};
  const ctconv_tensor t = dense(&one, shape, 1);
  EXPECT(ctconv_desc_create("no such dialect", &d, e) == CTCONV_ERR_MISUSE_DIALECT);
  EXPECT(d == NULL && e->status == CTCONV_ERR_MISUSE_DIALECT && e->kind == 7);
  EXPECT(strcmp(e->argument, "dialect") == 0 && strlen(e->message) > 10);
  EXPECT(ctconv_desc_create("ctconv", &d, e) == CTCONV_OK && e->status == CTCONV_OK);
  EXPECT(ctconv_desc_set_float(d, "kernel_size", 1.5) == CTCONV_OK);
  EXPECT(ctconv_desc_set_tensor(d, "stride", &t) == CTCONV_OK);
  EXPECT(ctconv_desc_validate(d, e) != CTCONV_OK && e->status != CTCONV_OK);
  ctconv_desc_destroy(d);
  EXPECT(whole(guard));
}

/* x is 1, every filter 1 2 / 3 4, the bias 1: each output is 1 + channels * its tap. Enough work for the runner. */
static void fill(void) {
  int n;
  for (n = 0; n < X; ++n) x_data[n] = 1;
  for (n = 0; n < W; ++n) w_data[n] = (float)(n % TAPS + 1);
  for (n = 0; n < CHANNELS; ++n) b_data[n] = 1;
}
static int right(void) {
  int n;
  for (n = 0; n < Y; ++n) {
    const int row = n / (2 * SIDE) % 2, column = n % 2;
    if (y_data[n] != (float)(1 + CHANNELS * (2 * row + column + 1))) return 0;
  }
  return 1;
}

#if CTCONV_VERSION_MINOR >= 2
/* Each field that came after 0.1 is judged. */
static void refuses(const ctconv_desc *d, const ctconv_options *o, ctconv_error *e, ctconv_status want) {
  ctconv_op *op = NULL;
  EXPECT(ctconv_create(d, NULL, NULL, o, &op, e) == want && op == NULL);
}
static void out_of_range(const ctconv_desc *d, const ctconv_options *good, ctconv_error *e) {
  ctconv_options o = *good;
  o.math = 2;
  refuses(d, &o, e, CTCONV_ERR_MISUSE_OPTION);
  EXPECT(strcmp(e->argument, "math") == 0 && strcmp(e->range, "0 or 1") == 0);
  o = *good;
  o.reproducible = 3;
  refuses(d, &o, e, CTCONV_ERR_MISUSE_OPTION);
  EXPECT(strcmp(e->argument, "reproducible") == 0 && strcmp(e->range, "0, 1 or 2") == 0);
  o = *good;
  o.reserved2 = 1;
  refuses(d, &o, e, CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
}

/* The last row of y, of the whole x: right() has seen y, the same values must come again. */
static void region(const ctconv_op *op, ctconv_call *c, ctconv_error *e) {
  const int64_t begin[2] = {2 * SIDE - 1, 0}, end[2] = {2 * SIDE, 2 * SIDE};
  int64_t shape[4] = {1, CHANNELS, 1, 2 * SIDE}, first[2], last[2];
  static float row[CHANNELS * 2 * SIDE];
  ctconv_tensor box = *c->y;
  const ctconv_tensor *whole_y = c->y;
  int channel, at;
  box.data = row;
  box.shape = shape;
  c->y = &box;
  c->begin = begin;
  c->end = end;
  EXPECT(ctconv_region_window(op, c, first, last, e) == CTCONV_OK);
  EXPECT(first[0] == SIDE - 1 && last[0] == SIDE && first[1] == 0 && last[1] == SIDE);
  EXPECT(ctconv_execute(op, c, e) == CTCONV_OK);
  for (channel = 0; channel < CHANNELS; ++channel)
    for (at = 0; at < 2 * SIDE; ++at)
      EXPECT(row[channel * 2 * SIDE + at] == y_data[(channel * 2 * SIDE + 2 * SIDE - 1) * 2 * SIDE + at]);
  c->y = whole_y;
  c->begin = c->end = NULL;
}
#endif

static void life(void) {
  const int64_t xs[4] = {1, CHANNELS, SIDE, SIDE}, ws[4] = {CHANNELS, CHANNELS, 2, 2}, bs[1] = {CHANNELS};
  const int64_t ys[4] = {1, CHANNELS, 2 * SIDE, 2 * SIDE};
  const ctconv_tensor x = dense(x_data, xs, 4), w = dense(w_data, ws, 4), b = dense(b_data, bs, 1);
  const ctconv_tensor y = dense(y_data, ys, 4);
  GUARDED(ctconv_error) e;
  GUARDED(ctconv_options) o;
  GUARDED(ctconv_runner) r;
  GUARDED(ctconv_allocator) a;
  GUARDED(ctconv_call) c;
  const ctconv_error error_init = CTCONV_ERROR_INIT;
  const ctconv_options options_init = CTCONV_OPTIONS_INIT;
  const ctconv_runner runner_init = CTCONV_RUNNER_INIT;
  const ctconv_allocator allocator_init = CTCONV_ALLOCATOR_INIT;
  const ctconv_call call_init = CTCONV_CALL_INIT;
  ctconv_desc *d;
  ctconv_op *op = NULL;
  ctconv_spec spec, bias;
  ctconv_status s;
  size_t bytes = 0, needed = 0;
  char text[4096];
  void *workspace;
  GUARD(e);
  GUARD(o);
  GUARD(r);
  GUARD(a);
  GUARD(c);
  e.record = error_init;
  o.record = options_init;
  r.record = runner_init;
  a.record = allocator_init;
  c.record = call_init;
  SET_TAIL(e.record);
  SET_TAIL(o.record);
  SET_TAIL(r.record);
  SET_TAIL(a.record);
  SET_TAIL(c.record);

  refusals(&e.record, e.guard);
  d = describe_layer(&e.record);
  EXPECT(ctconv_desc_weight_spec(d, NULL, &spec, &bias, &e.record) == CTCONV_OK);
  EXPECT(spec.ndim == 4 && spec.shape[3] == 2 && bias.ndim == 1);
  EXPECT(ctconv_init_weight(d, 1, &w, &e.record) == CTCONV_OK && ctconv_init_bias(d, 1, &b, &e.record) == CTCONV_OK);
  fill();

  r.record.user = &calls;
  r.record.workers = 2;
  r.record.parallel_for = run_all;
  a.record.user = &blocks;
  a.record.alloc = take;
  a.record.release = give;
  o.record.runner = &r.record;
  o.record.allocator = &a.record;
  o.record.engine = "auto";
#if CTCONV_VERSION_MINOR >= 2
  o.record.reproducible = 2;
  o.record.math = 1;
#endif
  s = ctconv_create(d, &w, &b, &o.record, &op, &e.record);
#if CALLER_TAIL != 0 && defined(LIBRARY_IS_OLDER)
  EXPECT(s == CTCONV_ERR_MISUSE_UNKNOWN_FIELD && op == NULL);
  o.record.appended = 0;
  EXPECT(ctconv_create(d, &w, &b, &o.record, &op, &e.record) == CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  r.record.appended = 0;
  EXPECT(ctconv_create(d, &w, &b, &o.record, &op, &e.record) == CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  a.record.appended = 0;
  s = ctconv_create(d, &w, &b, &o.record, &op, &e.record);
#endif
  EXPECT(s == CTCONV_OK && op != NULL);
#if CTCONV_VERSION_MINOR >= 2
  out_of_range(d, &o.record, &e.record);
#endif
  ctconv_desc_destroy(d);
  if (op == NULL) return;

  c.record.x = &x;
#if CALLER_TAIL != 0 && defined(LIBRARY_IS_OLDER)
  EXPECT(ctconv_output_spec(op, &c.record, &spec, &e.record) == CTCONV_ERR_MISUSE_UNKNOWN_FIELD);
  c.record.appended = 0;
#endif
  EXPECT(ctconv_output_spec(op, &c.record, &spec, &e.record) == CTCONV_OK);
  EXPECT(spec.ndim == 4 && spec.shape[2] == 2 * SIDE);
  EXPECT(ctconv_prepare(op, &c.record, &bytes, &e.record) == CTCONV_OK);
  workspace = malloc(bytes + 1);
  c.record.y = &y;
  c.record.workspace = workspace;
  c.record.workspace_bytes = bytes + 1;
  EXPECT(ctconv_execute(op, &c.record, &e.record) == CTCONV_OK);
  EXPECT(right());
#if CTCONV_VERSION_MINOR >= 2
  region(op, &c.record, &e.record);
#endif
  free(workspace);
  EXPECT(ctconv_describe(op, &c.record, text, sizeof text, &needed, &e.record) == CTCONV_OK);
  EXPECT(strncmp(text, "engine: ", 8) == 0 && needed == strlen(text) + 1);
  ctconv_destroy(op);
  EXPECT(calls > 0);
  EXPECT(blocks == 0);
  EXPECT(whole(e.guard) && whole(o.guard) && whole(r.guard) && whole(a.guard) && whole(c.guard));
#ifdef CALLER_IS_NEWER
  EXPECT(e.record.appended == CALLER_TAIL);
#endif
}

int main(void) {
  library_itself();
  life();
  if (failures == 0) printf("caller: all right\n");
  return failures != 0;
}
