// SPDX-License-Identifier: Apache-2.0
// Running the form "turned"; see turned.h.
//
//   in:  x, packed weights, bias
//   out: the core of y
#include <algorithm>
#include <atomic>

#include "src/engine/native/turned.h"

namespace ctconv::native::turned {
namespace {

using kit::Box;
using kit::BoxDim;

// One worker's memory.
template <class T>
struct Worker {
  T *x, *y;  // panels
  T* bias;   // of the channels of one repeat
  char* inner;

  Worker(const Plan<T>& k, Arena& arena) {
    x = arena.take<T>(k.x_panel);
    y = arena.take<T>(k.view.repeats * k.y_panel + kMaxLanes);
    bias = arena.take<T>(k.cuts.g.step * k.view.p.co);
    inner = arena.take<char>(static_cast<int64_t>(k.inner->scratch_bytes()));
  }
};

// Which piece along each dimension of the view.
struct Task {
  int64_t n, g;
  std::array<int64_t, 3> axis;
};

// Pieces that share input rows and weights follow each other.
Task task_of(const Cuts& c, int64_t index) {
  Task t;
  for (size_t a = 3; a-- > 0;) {
    t.axis[a] = index % c.axis[a].count;
    index /= c.axis[a].count;
  }
  t.g = index % c.g.count;
  t.n = index / c.g.count;
  return t;
}

// What of a piece exists.
struct Part {
  int64_t begin = 0, end = 0;  // within the piece
  int64_t size() const { return end - begin; }
};
Part part_of(int64_t first, int64_t count, int64_t whole) {
  const int64_t begin = std::clamp<int64_t>(-first, 0, count);
  return {begin, std::clamp<int64_t>(whole - first, begin, count)};
}

template <class T>
void bring_in(const Plan<T>& k, const Task& t, const char* x, T* panel) {
  const Problem &v = k.view.p, &q = k.piece;
  const ActivationLayout &from = v.x, &to = q.x;
  const Cuts& c = k.cuts;
  const int64_t n0 = t.n * c.n.step;
  const Part images = part_of(n0, c.n.step, c.n.whole);
  const int64_t channels = q.groups * q.ci;
  int64_t place = n0 * from.n + k.first_group(t.g) * q.ci * from.c, at = k.x_first;
  bool whole = images.size() == c.n.step;
  Box box;
  box[0] = {images.size(), from.n, to.n};
  box[1] = {channels, from.c, to.c};
  for (size_t a = 0; a < 3; ++a) {
    const int64_t first = c.axis[a].first + t.axis[a] * c.axis[a].in_step;
    const Part rows = part_of(first, q.axis[a].i, v.axis[a].i);
    place += (first + rows.begin) * from.axis[a];
    at += rows.begin * to.axis[a];
    whole = whole && rows.size() == q.axis[a].i;
    box[2 + a] = {rows.size(), from.axis[a], to.axis[a]};
  }
  if (!whole) std::memset(panel, 0, static_cast<size_t>(k.x_panel) * sizeof(T));
  if (std::any_of(box.begin(), box.end(), [](const BoxDim& d) { return d.extent == 0; })) return;
  if (k.view.channel_axis) {  // its rows run against the channels
    at += (box[2].extent - 1) * box[2].panel;
    box[2].panel = -box[2].panel;
  }
  kit::box_in(k.moves, x + place * bytes_of(k.p.types.x), k.p.types.x, box, panel + at);
}

template <class T>
void bring_out(const Plan<T>& k, const Task& t, const T* panel, char* y) {
  const Problem &v = k.view.p, &q = k.piece;
  const ActivationLayout &from = q.y, &to = v.y;
  const Cuts& c = k.cuts;
  const int64_t n0 = t.n * c.n.step, g0 = t.g * c.g.step, skipped = g0 - k.first_group(t.g);
  const int64_t channels = (q.groups - skipped) * q.co;
  int64_t place = n0 * to.n + g0 * q.co * to.c;
  Box box;
  box[0] = {part_of(n0, c.n.step, c.n.whole).size(), to.n, from.n};
  box[1] = {channels, to.c, from.c};
  for (size_t a = 0; a < 3; ++a) {
    const int64_t first = t.axis[a] * c.axis[a].step;
    place += first * to.axis[a];
    box[2 + a] = {part_of(first, q.axis[a].o, v.axis[a].o).size(), to.axis[a], from.axis[a]};
  }
  box[5] = {k.view.repeats, k.view.y_repeat, k.y_panel};
  kit::box_out(k.moves, panel + skipped * q.co * from.c, box, k.p.types.y, y + place * bytes_of(k.p.types.y));
}

// Bias of the groups of a part in one repeat.
template <class T>
void spread_bias(const Plan<T>& k, const void* given, int64_t part, int64_t repeat, T* bias) {
  const T* from = static_cast<const T*>(given) + k.first_group(part) * k.piece.co * k.view.repeats + repeat;
  for (int64_t c = 0; c < k.piece.groups * k.piece.co; ++c) bias[c] = from[c * k.view.repeats];
}

template <class T>
bool run_task(const Plan<T>& k, const Operands& m, const Task& t, const Worker<T>& worker) {
  bring_in(k, t, static_cast<const char*>(m.x), worker.x);
  bool ok = true;
  for (int64_t r = 0; r < k.view.repeats; ++r) {
    Operands inner;
    inner.x = worker.x + k.x_first;
    inner.packed = static_cast<const char*>(m.packed) + (t.g * k.view.repeats + r) * k.packed_part();
    if (m.bias != nullptr) {
      spread_bias(k, m.bias, t.g, r, worker.bias);
      inner.bias = worker.bias;
    }
    inner.y = worker.y + r * k.y_panel;
    inner.scratch = worker.inner;
    ok = k.inner->run(inner, Runner()).ok() && ok;
  }
  bring_out(k, t, worker.y, static_cast<char*>(m.y));
  return ok;
}

}  // namespace

template <class T>
std::string describe(const Plan<T>& k) {
  constexpr const char* kLanes[] = {"rows", "the batch", "groups"};
  const Cuts& c = k.cuts;
  return std::string("turned, lanes over ") + kLanes[static_cast<int>(k.view.lanes)] + ", " +
         std::to_string(c.count()) + " pieces of " + std::to_string(c.n.step) + " x " + std::to_string(c.g.step) +
         " groups x " + std::to_string(c.axis[0].step) + " x " + std::to_string(c.axis[1].step) + " x " +
         std::to_string(c.axis[2].step) + ": " + k.inner->form();
}

template <class T>
size_t scratch_size(const Plan<T>& k) {
  return static_cast<size_t>(k.threads) * bytes_taken<Worker<T>>(k);
}

template <class T>
Status compute(const Plan<T>& k, const Operands& m, const Runner& given) {
  const Runner runner = runner_within(given, k.threads);
  const auto bytes = static_cast<int64_t>(bytes_taken<Worker<T>>(k));
  std::atomic<bool> well{true};
  const bool ok = runner(k.cuts.count(), [&](int64_t i, int32_t w) {
    Arena own(static_cast<char*>(m.scratch) + w * bytes);
    if (!run_task(k, m, task_of(k.cuts, i), Worker<T>(k, own))) well.store(false, std::memory_order_relaxed);
  });
  if (!ok || !well.load()) return runner_broke();
  return {};
}

template <class T>
size_t packed_size(const Plan<T>& k) {
  return static_cast<size_t>(k.cuts.g.count * k.view.repeats * k.packed_part());
}

template <class T>
std::string packing_key(const Plan<T>& k) {
  return "native.turned/" + std::to_string(k.cuts.g.step) + "x" + std::to_string(k.view.repeats) + "/" +
         std::to_string(static_cast<int>(k.view.lanes)) + "/" + k.inner->packing();
}

template <class T>
Result<bool> pack_weights(const Plan<T>& k, const void* w, void* packed, const Runner& runner) {
  const int64_t bytes = bytes_of(k.p.types.w), repeats = k.view.repeats, parts = k.cuts.g.count * repeats;
  const auto pack = [&](int64_t i, const Runner& inner) {
    const int64_t place = k.first_group(i / repeats) * k.view.p.w.g + i % repeats * k.view.w_repeat;
    return k.inner->pack(static_cast<const char*>(w) + place * bytes, static_cast<char*>(packed) + i * k.packed_part(),
                         inner);
  };
  if (parts == 1) return pack(0, runner);
  std::atomic<bool> finite{true};
  const bool ok = runner(parts, [&](int64_t i, int32_t) {
    const Result<bool> packed_well = pack(i, Runner());
    if (!packed_well.ok() || !*packed_well) finite.store(false, std::memory_order_relaxed);
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template std::string describe(const Plan<float>&);
template std::string describe(const Plan<double>&);
template size_t scratch_size(const Plan<float>&);
template size_t scratch_size(const Plan<double>&);
template size_t packed_size(const Plan<float>&);
template size_t packed_size(const Plan<double>&);
template std::string packing_key(const Plan<float>&);
template std::string packing_key(const Plan<double>&);
template Result<bool> pack_weights(const Plan<float>&, const void*, void*, const Runner&);
template Result<bool> pack_weights(const Plan<double>&, const void*, void*, const Runner&);
template Status compute(const Plan<float>&, const Operands&, const Runner&);
template Status compute(const Plan<double>&, const Operands&, const Runner&);

}  // namespace ctconv::native::turned
