// SPDX-License-Identifier: Apache-2.0
// A million short lives: create, execute, destroy over ten thousand shapes, and what is left of them.
//
//   in:  --cycles N --shapes M [--p99]
//   out: memory, threads and descriptors after a tenth of the cycles and at the end, the 99th percentile of a cycle in
//        the second and in the last tenth; exit 0 where memory grew by no more than 1 MiB, threads and descriptors not
//        at all and every sampled y was right, else 1. --p99: the last percentile no more than 5 % above the first too
//   Linked with libctconv.so, as an application is.
#include <dirent.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "ctconv/ctconv.h"

namespace {

int entries(const char* path) {
  DIR* d = opendir(path);
  int n = 0;
  while (d != nullptr && readdir(d) != nullptr) ++n;
  if (d != nullptr) closedir(d);
  return n;
}

struct State {
  long resident = 0;  // KiB
  int threads = 0, files = 0;

  static State now() {
    State s;
    malloc_trim(0);
    long pages = 0;
    if (FILE* f = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(f, "%ld %ld", &pages, &s.resident) != 2) s.resident = 0;
      std::fclose(f);
    }
    s.resident *= sysconf(_SC_PAGESIZE) / 1024;
    s.threads = entries("/proc/self/task");
    s.files = entries("/proc/self/fd");
    return s;
  }
};

// The number-th shape: every product stays small.
struct Shape {
  int64_t n, ci, co, in, k, s, d;
  explicit Shape(uint64_t number) {
    const auto part = [&number](uint64_t bound) {
      const uint64_t value = number % bound;
      number /= bound;
      return static_cast<int64_t>(value + 1);
    };
    k = part(7), in = part(24), ci = part(5), co = part(5), s = part(3), d = part(2), n = part(2);
  }
  int64_t out() const { return (in - 1) * s + (k - 1) * d + 1; }
};

ctconv_tensor tensor(std::vector<float>* memory, const int64_t* shape) {
  ctconv_tensor t = {};
  t.data = memory->data();
  t.device_type = CTCONV_DEVICE_CPU;
  t.ndim = 3;
  t.dtype_code = CTCONV_DTYPE_FLOAT;
  t.dtype_bits = 32;
  t.dtype_lanes = 1;
  t.shape = shape;
  return t;
}

// One life; all ones, so that the sum of y is known. False: a status, or a wrong sum.
bool life(const Shape& p, std::vector<float>* x, std::vector<float>* w, std::vector<float>* y) {
  const int64_t x_shape[] = {p.n, p.ci, p.in}, w_shape[] = {p.ci, p.co, p.k}, y_shape[] = {p.n, p.co, p.out()};
  const ctconv_tensor tx = tensor(x, x_shape), tw = tensor(w, w_shape), ty = tensor(y, y_shape);
  ctconv_desc* desc = nullptr;
  ctconv_op* op = nullptr;
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &tx;
  call.y = &ty;
  ctconv_status status = ctconv_desc_create("ctconv", &desc, nullptr);
  if (status == 0) status = ctconv_desc_set_int(desc, "in_channels", p.ci);
  if (status == 0) status = ctconv_desc_set_int(desc, "out_channels", p.co);
  if (status == 0) status = ctconv_desc_set_ints(desc, "kernel_size", &p.k, 1);
  if (status == 0) status = ctconv_desc_set_ints(desc, "stride", &p.s, 1);
  if (status == 0) status = ctconv_desc_set_ints(desc, "dilation", &p.d, 1);
  if (status == 0) status = ctconv_create(desc, &tw, nullptr, nullptr, &op, nullptr);
  if (status == 0) status = ctconv_execute(op, &call, nullptr);
  ctconv_destroy(op);
  ctconv_desc_destroy(desc);
  if (status != 0) return false;
  double sum = 0;
  for (int64_t at = 0; at < p.n * p.co * p.out(); ++at) sum += static_cast<double>((*y)[static_cast<size_t>(at)]);
  return sum == static_cast<double>(p.n * p.ci * p.co * p.in * p.k);
}

double percentile_99(std::vector<float>* seconds) {
  if (seconds->empty()) return 0;
  std::sort(seconds->begin(), seconds->end());
  return static_cast<double>((*seconds)[seconds->size() * 99 / 100]);
}

uint64_t number_after(int argc, char** argv, const char* name, uint64_t fallback) {
  for (int n = 1; n + 1 < argc; ++n) {
    if (std::strcmp(argv[n], name) == 0) return std::strtoull(argv[n + 1], nullptr, 10);
  }
  return fallback;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t cycles = number_after(argc, argv, "--cycles", 20000),
                 shapes = number_after(argc, argv, "--shapes", 500);
  const bool strict = std::any_of(argv + 1, argv + argc, [](const char* a) { return std::strcmp(a, "--p99") == 0; });
  std::vector<float> x(2 * 5 * 24, 1), w(5 * 5 * 7, 1), y(2 * 5 * 96);
  std::vector<float> early, late;
  early.reserve(cycles / 10 + 1);
  late.reserve(cycles / 10 + 1);
  State before;
  for (uint64_t n = 0; n < cycles; ++n) {
    const Shape shape(n * 2654435761u % shapes);
    const auto start = std::chrono::steady_clock::now();
    if (!life(shape, &x, &w, &y)) return std::fprintf(stderr, "cycle %llu: wrong\n", (unsigned long long)n), 1;
    const auto seconds =
        static_cast<float>(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    if (n * 10 / cycles == 1) early.push_back(seconds);
    if (n * 10 / cycles == 9) late.push_back(seconds);
    if (n == cycles / 10) before = State::now();
  }
  const double first = percentile_99(&early) * 1e6, last = percentile_99(&late) * 1e6;
  const State after = State::now();
  std::printf("%llu cycles, %llu shapes: %ld KiB more of %ld, threads %d to %d, descriptors %d to %d\n",
              (unsigned long long)cycles, (unsigned long long)shapes, after.resident - before.resident, before.resident,
              before.threads - 2, after.threads - 2, before.files, after.files);
  std::printf("99th percentile of a cycle: %.0f us, then %.0f us\n", first, last);
  bool good =
      after.resident - before.resident <= 1024 && after.threads == before.threads && after.files == before.files;
  good = good && (!strict || last <= first * 1.05);
  return good ? 0 : 1;
}
