// SPDX-License-Identifier: Apache-2.0
// Running the form "taps"; see taps.h.
//
//   in:  x by its strides, packed weights, bias
//   out: the core of y, a strip of a row at a time
#include <algorithm>

#include "src/engine/native/costs.h"
#include "src/engine/native/taps.h"
#include "src/kit/boxes.h"

namespace ctconv::native::taps {
namespace {

// One worker's memory: the rows of x and w that meet a row of y, and a strip of each image.
template <class T>
struct Worker {
  int64_t *x_at, *w_at;
  T* strip;

  Worker(const Plan<T>& k, Arena& arena) {
    x_at = arena.take<int64_t>(k.rows());
    w_at = arena.take<int64_t>(k.rows());
    strip = arena.take<T>(k.images * k.strip());
  }
};

template <class T>
struct Scratch {
  T* x;
  char* workers;
  int64_t worker_bytes;

  Scratch(const Plan<T>& k, Arena& arena) {
    x = arena.take<T>(k.p.in_elements());
    worker_bytes = static_cast<int64_t>(bytes_taken<Worker<T>>(k));
    workers = arena.take<char>(k.threads * worker_bytes);
  }
  Worker<T> worker(const Plan<T>& k, int64_t index) const {
    Arena own(workers + index * worker_bytes);
    return Worker<T>(k, own);
  }
};

// x dense: [image][group][input channel][d][h][w].
template <class T>
bool bring_in(const Plan<T>& k, const Operands& m, T* dense, const Runner& runner) {
  const Problem& p = k.p;
  const int64_t h = p.axis[1].i, w = p.axis[2].i;
  kit::Box box;
  box[0] = {p.ci, p.x.c, k.inputs()};
  box[1] = {p.axis[0].i, p.x.axis[0], h * w};
  box[2] = {h, p.x.axis[1], w};
  box[3] = {w, p.x.axis[2], 1};
  return runner(p.n * p.groups, [&](int64_t task, int32_t) {
    const int64_t from = task / p.groups * p.x.n + task % p.groups * p.ci * p.x.c;
    const char* x = static_cast<const char*>(m.x) + from * bytes_of(p.types.x);
    kit::box_in(k.moves, x, p.types.x, box, dense + task * p.ci * k.inputs());
  });
}

// Taps of row o of an axis in ascending order: each with the input it meets.
template <class Visit>
void each_tap(const Axis& a, int64_t o, const Visit& visit) {
  // i = (o + lo - t*d) / s, a whole number in [0, a.i): few inputs, so they are what is counted.
  for (int64_t i = a.i; i-- > 0;) {
    const int64_t reach = o + a.lo - i * a.s;
    if (reach < 0 || reach % a.d != 0 || reach / a.d >= a.k) continue;
    visit(reach / a.d, i);
  }
}

// Rows of x and w that meet row (d, h) of y, in the order of the chain.
template <class T>
int64_t rows_of(const Plan<T>& k, int64_t d, int64_t h, const Worker<T>& own) {
  const Problem& p = k.p;
  int64_t rows = 0;
  for (int64_t c = 0; c < p.ci; ++c) {
    each_tap(p.axis[0], d, [&](int64_t td, int64_t id) {
      each_tap(p.axis[1], h, [&](int64_t th, int64_t ih) {
        own.x_at[rows] = ((c * p.axis[0].i + id) * p.axis[1].i + ih) * p.axis[2].i;
        own.w_at[rows++] = ((c * p.axis[0].k + td) * p.axis[1].k + th) * p.axis[2].k;
      });
    });
  }
  return rows;
}

// A row of y of some images: strip by strip.
template <class T>
void run_row(const Plan<T>& k, const Operands& m, TapsArgs<T> a, int64_t images, int64_t channel, char* y,
             const Worker<T>& own) {
  const Problem& p = k.p;
  const Axis& w = p.axis[2];
  const T bias = m.bias ? static_cast<const T*>(m.bias)[channel] : T(0);
  const bool activates = p.epilogue.activation.kind != Activation::kNone;
  for (int64_t o = 0; o < w.o; o += k.strip()) {
    const int64_t count = std::min(k.strip(), w.o - o);
    a.t0 = o + w.lo;
    // Inputs with a tap on one of these outputs.
    a.first = std::max<int64_t>(0, ceil_div(a.t0 - (w.k - 1), w.s));
    a.last = std::min(w.i - 1, floor_div(a.t0 + count - 1, w.s));
    k.routines.strip[images - 1](a);
    for (int64_t image = 0; image < images; ++image) {
      T* strip = own.strip + image * k.strip();
      for (int64_t q = 0; q < count; ++q) strip[q] += bias;
      if (activates) k.moves.activate(p.epilogue.activation, strip, count);
      char* to = y + (image * p.y.n + o * p.y.axis[2]) * bytes_of(p.types.y);
      k.moves.store(strip, count, p.types.y, to, p.y.axis[2], false);
    }
  }
}

}  // namespace

template <class T>
size_t scratch_size(const Plan<T>& k) {
  return bytes_taken<Scratch<T>>(k);
}

template <class T>
Status compute(const Plan<T>& k, const Operands& m, const Runner& given) {
  const Runner runner = runner_within(given, k.threads);
  const Problem& p = k.p;
  Arena arena(m.scratch);
  const Scratch<T> s(k, arena);
  if (!bring_in(k, m, s.x, runner)) return runner_broke();
  const int64_t channels = p.groups * p.co, d = p.axis[0].o, h = p.axis[1].o, taps = p.taps();
  const bool ok = runner(k.blocks() * channels * d * h, [&](int64_t task, int32_t worker) {
    const int64_t oh = task % h, od = task / h % d, channel = task / h / d % channels;
    const int64_t n = task / h / d / channels * k.images, images = std::min(k.images, p.n - n);
    const Worker<T> own = s.worker(k, worker);
    const TapsArgs<T> a{.x = s.x + (n * p.groups + channel / p.co) * p.ci * k.inputs(),
                        .w = static_cast<const T*>(m.packed) + k.strip() + channel * p.ci * taps,
                        .x_at = own.x_at,
                        .w_at = own.w_at,
                        .rows = rows_of(k, od, oh, own),
                        .image = p.groups * p.ci * k.inputs(),
                        .first = 0,
                        .last = 0,
                        .t0 = 0,
                        .s = p.axis[2].s,
                        .k = p.axis[2].k,
                        .out_image = k.strip(),
                        .out = own.strip};
    char* y = static_cast<char*>(m.y) +
              (n * p.y.n + channel * p.y.c + od * p.y.axis[0] + oh * p.y.axis[1]) * bytes_of(p.types.y);
    run_row(k, m, a, images, channel, y, own);
  });
  if (!ok) return runner_broke();
  return {};
}

template size_t scratch_size(const Plan<float>&);
template size_t scratch_size(const Plan<double>&);
template Status compute(const Plan<float>&, const Operands&, const Runner&);
template Status compute(const Plan<double>&, const Operands&, const Runner&);

}  // namespace ctconv::native::taps
