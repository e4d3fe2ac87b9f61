/* hello.c: one 2-D transposed convolution in PyTorch's words.
 *   cc hello.c -o hello $(pkg-config --cflags --libs ctconv) -Wl,-rpath,$(pkg-config --variable=libdir ctconv)
 * The -rpath says where libctconv.so.0 lies. Without it: LD_LIBRARY_PATH, or a system folder and ldconfig. */
#include <ctconv/ctconv.h>
#include <stdio.h>

int main(void) {
  float x_data[4] = {1, 2, 3, 4};
  float w_data[4] = {1, 1, 1, 1};
  float y_data[16];
  const int64_t x_shape[] = {1, 1, 2, 2};
  const int64_t w_shape[] = {1, 1, 2, 2};
  const int64_t y_shape[] = {1, 1, 4, 4};
  const ctconv_tensor x = {x_data, CTCONV_DEVICE_CPU, 0, 4, CTCONV_DTYPE_FLOAT, 32, 1, x_shape, NULL, 0};
  const ctconv_tensor w = {w_data, CTCONV_DEVICE_CPU, 0, 4, CTCONV_DTYPE_FLOAT, 32, 1, w_shape, NULL, 0};
  const ctconv_tensor y = {y_data, CTCONV_DEVICE_CPU, 0, 4, CTCONV_DTYPE_FLOAT, 32, 1, y_shape, NULL, 0};
  ctconv_desc *desc = NULL;
  ctconv_op *op = NULL;
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x;
  call.y = &y;

  int failed = ctconv_desc_create("torch.nn.ConvTranspose2d", &desc, &error) != 0;
  if (!failed) {
    ctconv_desc_set_int(desc, "in_channels", 1); /* a set that fails is remembered: create returns it */
    ctconv_desc_set_int(desc, "out_channels", 1);
    ctconv_desc_set_int(desc, "kernel_size", 2);
    ctconv_desc_set_int(desc, "stride", 2);
    failed = ctconv_create(desc, &w, NULL, NULL, &op, &error) != 0; /* judges everything, packs the weight once */
  }
  if (!failed) failed = ctconv_execute(op, &call, &error) != 0; /* any number of threads at once */

  if (failed) fprintf(stderr, "%s: %s\n", ctconv_status_name(error.status), error.message);
  for (int i = 0; i < 16 && !failed; ++i) printf("%g%c", y_data[i], i % 4 == 3 ? '\n' : ' ');
  ctconv_destroy(op);
  ctconv_desc_destroy(desc);
  return failed;
}
