// SPDX-License-Identifier: Apache-2.0
// A million short lives: create, execute, destroy over ten thousand shapes, and what is left of them.
//
//   in:  --cycles N --shapes M; CTCONV_TEST_P99 in the environment
//   out: memory, threads and descriptors after a tenth of the cycles and at the end; exit 0 where memory grew by no
//        more than 1 MiB, threads and descriptors not at all and every sampled y was right, else 1
//        CTCONV_TEST_P99=1.05: then this process and a young one time a life of each shape, by turns, 31 times.
//        Printed: the medians of both 99th percentiles, and of old / young in a turn, which must not be above 1.05
//   Linked with libctconv.so, as an application is.
#include <dirent.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
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

// The tensors of every shape.
struct Memory {
  std::vector<float> x = std::vector<float>(2 * 5 * 24, 1), w = std::vector<float>(5 * 5 * 7, 1),
                     y = std::vector<float>(2 * 5 * 96);
  bool life(uint64_t number) { return ::life(Shape(number), &x, &w, &y); }
};

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

// The 99th percentile, in seconds, of a life of each shape; those before it only warm up. Below 0: a life went wrong.
double percentile_99(Memory* m, uint64_t shapes) {
  std::vector<double> seconds;
  seconds.reserve(shapes);
  for (uint64_t n = 0; n < 2 * shapes; ++n) {
    const auto start = std::chrono::steady_clock::now();
    if (!m->life(n * 2654435761u % shapes)) return -1;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (n >= shapes) seconds.push_back(passed.count());
  }
  return quantile(std::move(seconds), 0.99);
}

// A process that never lives itself: for each byte it is sent it forks a young one, which answers with its percentile.
class Nursery {
 public:
  explicit Nursery(uint64_t shapes) {
    if (pipe(ask_) != 0 || pipe(answer_) != 0) return;
    child_ = fork();
    if (child_ != 0) {
      close(ask_[0]);
      close(answer_[1]);
      return;
    }
    close(ask_[1]);
    char turn;
    while (read(ask_[0], &turn, 1) == 1) {
      const pid_t young = fork();
      if (young == 0) {
        Memory m;
        const double p99 = percentile_99(&m, shapes);
        _exit(write(answer_[1], &p99, sizeof p99) == sizeof p99 ? 0 : 1);
      }
      waitpid(young, nullptr, 0);
    }
    _exit(0);
  }
  ~Nursery() {
    close(ask_[1]);
    if (child_ > 0) waitpid(child_, nullptr, 0);
  }
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  double young() const {
    double p99 = -1;
    if (child_ < 0 || write(ask_[1], "", 1) != 1 || read(answer_[0], &p99, sizeof p99) != sizeof p99) return -1;
    return p99;
  }

 private:
  int ask_[2] = {-1, -1}, answer_[2] = {-1, -1};
  pid_t child_ = -1;
};

// The median of the turns of the old process and young ones: a slow phase of the machine meets both.
double old_over_young(const Nursery& nursery, Memory* m, uint64_t shapes) {
  std::vector<double> old, young, ratio;
  for (int turn = 0; turn < 31; ++turn) {
    young.push_back(nursery.young());
    old.push_back(percentile_99(m, shapes));
    if (old.back() <= 0 || young.back() <= 0) return std::fprintf(stderr, "turn %d: wrong\n", turn), HUGE_VAL;
    ratio.push_back(old.back() / young.back());
  }
  std::printf(
      "99th percentile of a cycle: %.0f us, in a young process %.0f us; old / young %.3f (quartiles %.3f, %.3f)\n",
      quantile(old, 0.5) * 1e6, quantile(young, 0.5) * 1e6, quantile(ratio, 0.5), quantile(ratio, 0.25),
      quantile(ratio, 0.75));
  return quantile(ratio, 0.5);
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
  const char* limit = std::getenv("CTCONV_TEST_P99");
  std::optional<Nursery> nursery;
  if (limit != nullptr) nursery.emplace(shapes);
  Memory memory;
  State before;
  for (uint64_t n = 0; n < cycles; ++n) {
    if (!memory.life(n * 2654435761u % shapes)) {
      return std::fprintf(stderr, "cycle %llu: wrong\n", (unsigned long long)n), 1;
    }
    if (n == cycles / 10) before = State::now();
  }
  const State after = State::now();
  std::printf("%llu cycles, %llu shapes: %ld KiB more of %ld, threads %d to %d, descriptors %d to %d\n",
              (unsigned long long)cycles, (unsigned long long)shapes, after.resident - before.resident, before.resident,
              before.threads - 2, after.threads - 2, before.files, after.files);
  const bool flat =
      after.resident - before.resident <= 1024 && after.threads == before.threads && after.files == before.files;
  const bool fast = !nursery || old_over_young(*nursery, &memory, shapes) <= std::strtod(limit, nullptr);
  return flat && fast ? 0 : 1;
}
