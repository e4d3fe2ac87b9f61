/* The three layers of examples/languages in C: shapes asked of the library, a hash of y.
 *   cc -O2 layers.c -o layers $(pkg-config --cflags --libs ctconv) -Wl,-rpath,$(pkg-config --variable=libdir ctconv)
 *   prints dialect, y's shape and the FNV-1a of y's bytes, or the refusal and exit 1 */
#include <ctconv/ctconv.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A failure's text, once for all calls. */
static int refused(ctconv_status status, const ctconv_error *error) {
  if (status != CTCONV_OK) fprintf(stderr, "%s: %s\n", ctconv_status_name(status), error->message);
  return status != CTCONV_OK;
}

static size_t elements(const ctconv_spec *spec) {
  size_t n = 1;
  for (int i = 0; i < spec->ndim; ++i) n *= (size_t)spec->shape[i];
  return n;
}

/* A dense float32 tensor of a spec's shape. */
static ctconv_tensor tensor(float *data, const ctconv_spec *spec) {
  const ctconv_tensor t = {data, CTCONV_DEVICE_CPU, 0, spec->ndim, CTCONV_DTYPE_FLOAT, 32, 1, spec->shape, NULL, 0};
  return t;
}

static void print(const char *dialect, const ctconv_spec *spec, const float *y) {
  const unsigned char *bytes = (const unsigned char *)y;
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < elements(spec) * sizeof *y; ++i) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  printf("%s ", dialect);
  for (int i = 0; i < spec->ndim; ++i) printf("%s%" PRId64, i ? "x" : "", spec->shape[i]);
  printf(" %016" PRIx64 "\n", hash);
}

/* Weight by seed 1, bias by seed 2, x[i] = (i * 37 % 101 - 50) / 64, the reference's bits. */
static int run(const char *dialect, const ctconv_desc *desc, const ctconv_spec *x_spec) {
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_options options = CTCONV_OPTIONS_INIT;
  ctconv_call call = CTCONV_CALL_INIT;
  ctconv_op *op = NULL;
  ctconv_spec w_spec, b_spec, y_spec;
  int failed = refused(ctconv_desc_weight_spec(desc, NULL, &w_spec, &b_spec, &error), &error);
  if (failed) return 1;
  float *w = malloc(elements(&w_spec) * sizeof *w), *b = malloc(elements(&b_spec) * sizeof *b);
  float *x = malloc(elements(x_spec) * sizeof *x), *y = NULL;
  if (!w || !b || !x) return 1;
  for (size_t i = 0; i < elements(x_spec); ++i) x[i] = ((float)(i * 37 % 101) - 50.0f) / 64.0f;
  const ctconv_tensor wt = tensor(w, &w_spec), bt = tensor(b, &b_spec), xt = tensor(x, x_spec);
  options.reproducible = 1;
  call.x = &xt;
  failed = refused(ctconv_init_weight(desc, 1, &wt, &error), &error) ||
           refused(ctconv_init_bias(desc, 2, &bt, &error), &error) ||
           refused(ctconv_create(desc, &wt, &bt, &options, &op, &error), &error) ||
           refused(ctconv_output_spec(op, &call, &y_spec, &error), &error);
  if (!failed && (y = malloc(elements(&y_spec) * sizeof *y))) {
    const ctconv_tensor yt = tensor(y, &y_spec);
    call.y = &yt;
    failed = refused(ctconv_execute(op, &call, &error), &error);
    if (!failed) print(dialect, &y_spec, y);
  }
  ctconv_destroy(op);
  free(w);
  free(b);
  free(x);
  free(y);
  return failed;
}

static int vocoder(void) {
  const ctconv_spec x = {3, CTCONV_DTYPE_FLOAT, 32, 1, {1, 32, 200}};
  ctconv_desc *desc = NULL;
  ctconv_error error = CTCONV_ERROR_INIT;
  if (refused(ctconv_desc_create("torch.nn.ConvTranspose1d", &desc, &error), &error)) return 1;
  ctconv_desc_set_int(desc, "in_channels", 32); /* a set that fails is remembered: weight_spec returns it */
  ctconv_desc_set_int(desc, "out_channels", 16);
  ctconv_desc_set_int(desc, "kernel_size", 16);
  ctconv_desc_set_int(desc, "stride", 8);
  ctconv_desc_set_int(desc, "padding", 4);
  const int failed = run("torch.nn.ConvTranspose1d", desc, &x);
  ctconv_desc_destroy(desc);
  return failed;
}

static int picture(void) {
  const ctconv_spec x = {4, CTCONV_DTYPE_FLOAT, 32, 1, {2, 24, 30, 40}};
  ctconv_desc *desc = NULL;
  ctconv_error error = CTCONV_ERROR_INIT;
  if (refused(ctconv_desc_create("mindspore.nn.Conv2dTranspose", &desc, &error), &error)) return 1;
  ctconv_desc_set_int(desc, "in_channels", 24);
  ctconv_desc_set_int(desc, "out_channels", 12);
  ctconv_desc_set_int(desc, "kernel_size", 3);
  ctconv_desc_set_int(desc, "stride", 2);
  ctconv_desc_set_string(desc, "pad_mode", "same");
  ctconv_desc_set_bool(desc, "has_bias", 1);
  const int failed = run("mindspore.nn.Conv2dTranspose", desc, &x);
  ctconv_desc_destroy(desc);
  return failed;
}

static int volume(void) {
  const ctconv_spec x = {5, CTCONV_DTYPE_FLOAT, 32, 1, {2, 16, 10, 50, 100}};
  const int64_t kernel[] = {3, 5, 2}, stride[] = {2, 1, 1}, padding[] = {0, 4, 2};
  ctconv_desc *desc = NULL;
  ctconv_error error = CTCONV_ERROR_INIT;
  if (refused(ctconv_desc_create("torch.nn.ConvTranspose3d", &desc, &error), &error)) return 1;
  ctconv_desc_set_int(desc, "in_channels", 16);
  ctconv_desc_set_int(desc, "out_channels", 33);
  ctconv_desc_set_ints(desc, "kernel_size", kernel, 3);
  ctconv_desc_set_ints(desc, "stride", stride, 3);
  ctconv_desc_set_ints(desc, "padding", padding, 3);
  const int failed = run("torch.nn.ConvTranspose3d", desc, &x);
  ctconv_desc_destroy(desc);
  return failed;
}

int main(void) { return vocoder() || picture() || volume(); }
