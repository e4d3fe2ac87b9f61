// SPDX-License-Identifier: Apache-2.0
// Running the form "rows"; see rows.h.
//
//   in:  x, weights, bias with rows contiguous, one channel per group
//   out: the core of y
#include "src/engine/native/rows.h"

namespace ctconv::native::rows {
namespace {

// One channel's memory: its padded plane, and values that wait for their place in y.
template <class T>
struct Place {
  T *plane, *stage;

  Place(const Plan<T>& k, Arena& arena) {
    plane = arena.take<T>(k.planes.plane);
    stage = arena.take<T>(k.room);
  }
};

// Where rows of y go: straight there, or to the stage while they follow each other.
template <class T>
class Output {
 public:
  Output(const Plan<T>& k, T* stage) : k_(k), stage_(stage) {}

  // Where to write `count` values that belong at y.
  void* reserve(char* y, int64_t count) {
    if (k_.room == 0) return y;
    if (filled_ != 0 && (y_ + filled_ * bytes_of(k_.p.types.y) != y || filled_ + count > k_.room)) flush();
    if (filled_ == 0) y_ = y;
    filled_ += count;
    return stage_ + filled_ - count;
  }
  void flush() {
    if (filled_ != 0) k_.moves.store(stage_, filled_, k_.p.types.y, y_, 1, k_.stream);
    filled_ = 0;
  }

 private:
  const Plan<T>& k_;
  T* const stage_;
  char* y_ = nullptr;  // where the stage's values belong
  int64_t filled_ = 0;
};

// The output rows of an axis one by one: remainder and quotient by the stride are counted along, because a division
// costs as much as a short row.
struct RowAt {
  const AxisPhases& axis;
  int64_t o = 0, f = 0, q = 0;

  bool inside() const { return o < axis.o; }
  int64_t u() const { return axis.phase(f).u_begin + q - axis.u0; }
  void next() {
    ++o;
    if (++f == axis.s) {
      f = 0;
      ++q;
    }
  }
};

// One channel of one image.
template <class T>
void run_channel(const Plan<T>& k, const Operands& m, int64_t index, const Place<T>& place) {
  const Problem& p = k.p;
  const int64_t n = index / p.groups, g = index % p.groups;
  const char* x = static_cast<const char*>(m.x) + (n * p.x.n + g * p.x.c) * bytes_of(p.types.x);
  kit::plane_part(k.moves, k.channel, k.planes, x, {0, 1, 0, k.planes.plane}, k.planes.plane, place.plane);
  const int64_t bytes = bytes_of(p.types.y);
  char* y = static_cast<char*>(m.y) + (n * p.y.n + g * p.y.c) * bytes;
  Output<T> output(k, place.stage);
  const T* packed = static_cast<const T*>(m.packed) + g * k.weights;
  const auto stored = k.room == 0 ? kit::stored_as(p.types.y) : kit::Stored::kWide;
  const auto row = k.routines.row[static_cast<size_t>(stored)][k.grid[2].s];
  const bool activates = p.epilogue.activation.kind != Activation::kNone;
  const int64_t pairs_h = k.grid[1].count(), x_step = k.planes.stride[1], y_step = p.y.axis[1] * bytes;
  RowsArgs<T> a;
  a.bias = m.bias ? static_cast<const T*>(m.bias)[g] : T(0);
  a.values = p.axis[2].o;
  for (RowAt d{k.grid[0]}; d.inside(); d.next()) {
    const PhasePair* pairs = k.pairs.data() + d.f * pairs_h;
    const T* from = place.plane + d.u() * k.planes.stride[0];
    char* to = y + d.o * p.y.axis[0] * bytes;
    for (RowAt h{k.grid[1]}; h.inside(); h.next(), to += y_step) {
      const PhasePair& pair = pairs[h.f];
      a.x = from + h.u() * x_step;
      a.x_tap = pair.x_tap.data();
      a.w = packed + pair.weight;
      a.begin = pair.begin.data();
      a.y = output.reserve(to, a.values);
      row(a);
      if (activates) k.moves.activate(p.epilogue.activation, static_cast<T*>(a.y), a.values);
    }
  }
  output.flush();
  if (k.stream) k.moves.fence();
}

}  // namespace

template <class T>
std::string describe(const Plan<T>& k) {
  return std::string("rows of y, ") + k.moves.name + ", a padded plane per worker, " + std::to_string(k.pairs.size()) +
         " x " + std::to_string(k.grid[2].s) + " phases" + (k.stream ? ", streaming stores" : "");
}

template <class T>
size_t scratch_size(const Plan<T>& k) {
  return static_cast<size_t>(k.places) * bytes_taken<Place<T>>(k);
}

template <class T>
Status compute(const Plan<T>& k, const Operands& m, const Runner& given) {
  const Runner runner = runner_within(given, k.threads);
  const auto bytes = static_cast<int64_t>(bytes_taken<Place<T>>(k));
  const bool own = k.places == k.p.n * k.p.groups;  // each channel has a place of its own
  const bool ok = runner(k.p.n * k.p.groups, [&](int64_t i, int32_t w) {
    Arena arena(static_cast<char*>(m.scratch) + (own ? i : w) * bytes);
    run_channel(k, m, i, Place<T>(k, arena));
  });
  if (!ok) return runner_broke();
  return {};
}

template std::string describe(const Plan<float>&);
template std::string describe(const Plan<double>&);
template size_t scratch_size(const Plan<float>&);
template size_t scratch_size(const Plan<double>&);
template Status compute(const Plan<float>&, const Operands&, const Runner&);
template Status compute(const Plan<double>&, const Operands&, const Runner&);

}  // namespace ctconv::native::rows
