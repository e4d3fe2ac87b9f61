// SPDX-License-Identifier: Apache-2.0
// Planning and packing the form "taps"; see taps.h.
//
//   in:  a problem; the raw weight
//   out: a Plan, or null; the weight dense and widened, w taps innermost, a strip of room before and behind it
#include <algorithm>

#include "src/engine/native/costs.h"
#include "src/engine/native/limits.h"
#include "src/engine/native/taps.h"

namespace ctconv::native::taps {
namespace {

template <class T>
double seconds_of(const Plan<T>& k) {
  const Problem& p = k.p;
  const auto count = [](int64_t a) { return static_cast<double>(a); };
  const double images = count(k.images), vectors = kTapsVectors;
  const Axis& w = p.axis[2];
  // Rows of w that rows of y read, and the strips that each input reaches.
  double pairs = count(p.ci);
  for (size_t a = 0; a < 2; ++a) pairs *= count(p.axis[a].i) * count(p.axis[a].k);
  const double reached = std::min(count(k.strips()), count(w.k) / count(k.strip()) + 1);
  const double step = vectors * std::max(images * on_ports(kFmaCycles), kTapsLoadCycles) + images;
  const double channels = count(p.groups) * count(p.co), blocks = count(k.blocks());
  double cycles = blocks * channels * pairs * count(w.i) * reached * step;
  const double rows = blocks * channels * count(p.axis[0].o) * count(p.axis[1].o);
  cycles += rows * count(k.strips()) * (kCallCycles + images * (kRowCycles + vectors * kPositionsStoreCycles));
  return call_seconds(cycles / k.threads, p, k.threads);
}

}  // namespace

template <class T>
std::unique_ptr<Kernel> plan(const Given<T>& given) {
  const Problem& p = given.p;
  const Axis& w = p.axis[2];
  if ((w.d != 1 && w.k > 1) || w.k < given.lanes()) return nullptr;
  Plan<T> k{.p = p, .moves = given.moves, .routines = taps_routines<T>(), .threads = given.threads()};
  if (k.routines.strip[0] == nullptr) return nullptr;
  const int most = k.routines.strip[kMostTapsImages - 1] ? kMostTapsImages : 2;
  k.images = std::min<int64_t>(p.n, most);
  if (k.rows() > kMostTapsRows || p.in_elements() > kMostTapsInputs) return nullptr;
  k.seconds = seconds_of(k);
  return kernel_of(std::move(k));
}

template <class T>
std::string describe(const Plan<T>& k) {
  return std::string("taps, ") + k.moves.name + ", lanes over taps, " + std::to_string(k.strips()) + " strips of " +
         std::to_string(k.strip()) + " outputs of " + std::to_string(k.images) + " images";
}

template <class T>
size_t packed_size(const Plan<T>& k) {
  return static_cast<size_t>(k.p.weight_elements() + 2 * k.strip()) * sizeof(T);
}

template <class T>
std::string packing_key(const Plan<T>& k) {
  return std::string("native.taps/") + name_of(k.p.types.w);
}

template <class T>
Result<bool> pack_weights(const Plan<T>& k, const void* w, void* packed, const Runner& runner) {
  const Problem& p = k.p;
  T* first = static_cast<T*>(packed);
  std::fill(first, first + k.strip(), T(0));
  first += k.strip();
  std::fill(first + p.weight_elements(), first + p.weight_elements() + k.strip(), T(0));
  const int64_t d = p.axis[0].k, h = p.axis[1].k, row = p.axis[2].k;
  const bool ok = runner(p.groups * p.co, [&](int64_t channel, int32_t) {
    const int64_t g = channel / p.co, co = channel % p.co;
    T* to = first + channel * p.ci * d * h * row;
    for (int64_t c = 0; c < p.ci; ++c) {
      for (int64_t t = 0; t < d * h; ++t, to += row) {
        const int64_t from = g * p.w.g + co * p.w.co + c * p.w.ci + t / h * p.w.tap[0] + t % h * p.w.tap[1];
        k.moves.load(static_cast<const char*>(w) + from * bytes_of(p.types.w), p.w.tap[2], p.types.w, row, to);
      }
    }
  });
  if (!ok) return runner_broke();
  return true;
}

template std::unique_ptr<Kernel> plan(const Given<float>&);
template std::unique_ptr<Kernel> plan(const Given<double>&);
template std::string describe(const Plan<float>&);
template std::string describe(const Plan<double>&);
template size_t packed_size(const Plan<float>&);
template size_t packed_size(const Plan<double>&);
template std::string packing_key(const Plan<float>&);
template std::string packing_key(const Plan<double>&);
template Result<bool> pack_weights(const Plan<float>&, const void*, void*, const Runner&);
template Result<bool> pack_weights(const Plan<double>&, const void*, void*, const Runner&);

}  // namespace ctconv::native::taps
