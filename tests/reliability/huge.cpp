// SPDX-License-Identifier: Apache-2.0
// An output of more than 2^31 elements, and of more than 2^32 bytes, right at sampled points.
//
//   in:  --elements N (default 2^31 + 4096); memory of about 2 N bytes that is free, of which x takes none
//   out: exit 0 where every sampled y is right and the neighbours of y untouched; 77 where there is too little memory
//   x is an anonymous mapping of zeros, never written but at the samples: it reads the one page of zeros.
//   All is bfloat16.
//   One axis, stride 2, 3 taps: y[o] = sum of x[i] w[t] over 2 i + t == o.
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ctconv/ctconv.h"

namespace {

constexpr uint16_t kOne = 0x3f80, kTwo = 0x4000, kMark = 0x7fc1;  // bfloat16: 1, 2, and a NaN

uint16_t* mapped(int64_t elements) {
  void* p = mmap(nullptr, static_cast<size_t>(elements) * 2, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  madvise(p, static_cast<size_t>(elements) * 2, MADV_NOHUGEPAGE);  // a read must not make a page of memory
  return static_cast<uint16_t*>(p);
}

ctconv_tensor tensor(void* data, const int64_t* shape) {
  ctconv_tensor t = {};
  t.data = data;
  t.device_type = CTCONV_DEVICE_CPU;
  t.ndim = 3;
  t.dtype_code = CTCONV_DTYPE_BFLOAT;
  t.dtype_bits = 16;
  t.dtype_lanes = 1;
  t.shape = shape;
  return t;
}

// What y[o] must be: x is 1 at the samples and 0 elsewhere; the taps are 1, 2, 1.
uint16_t wanted(const uint16_t* x, int64_t in, int64_t o) {
  double sum = 0;
  for (int64_t t = 0; t < 3; ++t) {
    const int64_t at = o - t;
    if (at < 0 || at % 2 != 0 || at / 2 >= in) continue;
    sum += (x[at / 2] == kOne) * (t == 1 ? 2 : 1);
  }
  return sum == 0 ? 0 : sum == 1 ? kOne : kTwo;
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t asked = argc > 2 && std::strcmp(argv[1], "--elements") == 0 ? std::atoll(argv[2]) : 0;
  const int64_t least = asked > 0 ? asked : (int64_t{1} << 31) + 4096;
  const int64_t in = least / 2, out = (in - 1) * 2 + 3;
  const double room = 2.2 * static_cast<double>(out);
  FILE* f = std::fopen("/proc/meminfo", "r");
  long long available = 0;
  char line[256];
  while (f != nullptr && std::fgets(line, sizeof line, f)) (void)std::sscanf(line, "MemAvailable: %lld", &available);
  if (f != nullptr) std::fclose(f);
  if (static_cast<double>(available) * 1024 < room) {
    std::printf("skipped: %.1f GB of free memory are needed\n", room / 1e9);
    return 77;
  }
  uint16_t *x = mapped(in), *y = mapped(out + 64);
  if (x == nullptr || y == nullptr) return std::puts("skipped: no address space"), 77;
  for (int n = 0; n < 64; ++n) y[out + n] = kMark;
  const int64_t samples[] = {0, 1, in / 7, in / 2, (int64_t{1} << 30) - 1, in - 2, in - 1};
  for (const int64_t at : samples) {
    if (at >= 0 && at < in) x[at] = kOne;
  }
  uint16_t w[3] = {kOne, kTwo, kOne};
  const int64_t x_shape[] = {1, 1, in}, w_shape[] = {1, 1, 3}, y_shape[] = {1, 1, out}, taps = 3, stride = 2;
  const ctconv_tensor tx = tensor(x, x_shape), tw = tensor(w, w_shape), ty = tensor(y, y_shape);
  ctconv_error error = CTCONV_ERROR_INIT;
  ctconv_desc* desc = nullptr;
  ctconv_op* op = nullptr;
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &tx;
  call.y = &ty;
  ctconv_status status = ctconv_desc_create("ctconv", &desc, &error);
  if (status == 0) status = ctconv_desc_set_int(desc, "in_channels", 1);
  if (status == 0) status = ctconv_desc_set_int(desc, "out_channels", 1);
  if (status == 0) status = ctconv_desc_set_ints(desc, "kernel_size", &taps, 1);
  if (status == 0) status = ctconv_desc_set_ints(desc, "stride", &stride, 1);
  if (status == 0) status = ctconv_create(desc, &tw, nullptr, nullptr, &op, &error);
  if (status == 0) status = ctconv_execute(op, &call, &error);
  if (status != 0) return std::printf("%s\n", error.message), 1;
  int64_t looked = 0, wrong = 0;
  const auto look = [&](int64_t o) {
    if (o < 0 || o >= out) return;
    ++looked;
    wrong += y[o] != wanted(x, in, o);
  };
  for (const int64_t at : samples) {
    for (int64_t o = 2 * at - 70; o < 2 * at + 70; ++o) look(o);
  }
  for (int64_t o = 0; o < out; o += 104729) look(o);
  for (int n = 0; n < 64; ++n) wrong += y[out + n] != kMark;
  ctconv_destroy(op);
  ctconv_desc_destroy(desc);
  std::printf("y of %lld elements: %lld looked at, %lld wrong\n", static_cast<long long>(out),
              static_cast<long long>(looked), static_cast<long long>(wrong));
  return wrong == 0 && looked > 1000 ? 0 : 1;
}
