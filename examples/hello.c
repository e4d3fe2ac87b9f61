/* One 2-D transposed convolution in PyTorch's words:  cc hello.c $(pkg-config --cflags --libs ctconv) && ./a.out */
#include <ctconv/ctconv.h>
#include <stdio.h>

int main(void) {
  float x_data[4] = {1, 2, 3, 4}, w_data[4] = {1, 1, 1, 1}, y_data[16];
  const int64_t x_shape[] = {1, 1, 2, 2}, w_shape[] = {1, 1, 2, 2}, y_shape[] = {1, 1, 4, 4}, kernel[] = {2, 2};
  ctconv_tensor x = {x_data, CTCONV_DEVICE_CPU, 0, 4, CTCONV_DTYPE_FLOAT, 32, 1, x_shape, NULL, 0}, w = x, y = x;
  w.data = w_data, w.shape = w_shape, y.data = y_data, y.shape = y_shape;
  ctconv_desc *desc = NULL;  ctconv_op *op = NULL;  ctconv_error error = CTCONV_ERROR_INIT;  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x, call.y = &y;
  if (ctconv_desc_create("torch.nn.ConvTranspose2d", &desc, &error) || ctconv_desc_set_int(desc, "in_channels", 1) ||
      ctconv_desc_set_int(desc, "out_channels", 1) || ctconv_desc_set_ints(desc, "kernel_size", kernel, 2) ||
      ctconv_desc_set_int(desc, "stride", 2) || ctconv_create(desc, &w, NULL, NULL, &op, &error) || ctconv_execute(op, &call, &error))
    return fprintf(stderr, "%s: %s\n", ctconv_status_name(error.status), error.message), 1;
  for (int i = 0; i < 16; ++i) printf("%g%c", y_data[i], i % 4 == 3 ? '\n' : ' ');
  return ctconv_destroy(op), ctconv_desc_destroy(desc), 0;
}
