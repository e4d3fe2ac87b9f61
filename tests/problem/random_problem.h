// Random canonical problems for the tests of the problem and plan stages: every field in use, sizes small or extreme.
#pragma once

#include <algorithm>
#include <random>

#include "src/problem/problem.h"

namespace ctconv::test {

using Rng = std::mt19937_64;
inline int64_t pick(Rng& rng, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(rng);
}

// Row-major strides of the caller's axes; axes that do not exist keep stride 0, as canonicalize leaves them.
inline ActivationLayout dense_layout(const Problem& p, bool output, bool last) {
  ActivationLayout l;
  const int64_t channels = p.groups * (output ? p.co : p.ci);
  int64_t step = last ? channels : 1;
  for (size_t a = 3; a-- > static_cast<size_t>(3 - p.rank);) {
    l.axis[a] = step;
    step *= std::max<int64_t>(output ? p.axis[a].o + p.axis[a].tail : p.axis[a].i, 1);
  }
  l.c = last ? 1 : step;
  l.n = last ? step : step * channels;
  return l;
}

inline Problem random_problem(Rng& rng) {
  Problem p;
  const auto dtype = [&] { return static_cast<Dtype>(pick(rng, 0, static_cast<int64_t>(Dtype::kI32))); };
  p.written = kEveryWritten[pick(rng, 0, 3) ? 0 : pick(rng, 0, 2)];
  p.types = uniform_types(dtype());
  if (pick(rng, 0, 3) == 0) p.types = {dtype(), dtype(), dtype(), dtype()};
  p.rank = static_cast<int>(pick(rng, 1, 3));
  p.n = pick(rng, 0, 3);
  p.groups = pick(rng, 1, 3);
  p.ci = pick(rng, 1, 6);
  p.co = pick(rng, 1, 6);
  for (size_t a = static_cast<size_t>(3 - p.rank); a < 3; ++a) {
    Axis& x = p.axis[a];
    x.i = pick(rng, 1, 9);
    x.k = pick(rng, 1, 6);
    x.s = pick(rng, 1, 5);
    x.d = pick(rng, 1, 4);
    x.lo = pick(rng, 0, 3) ? pick(rng, 0, 6) : pick(rng, -60, 60);
    x.o = pick(rng, 0, (x.i - 1) * x.s + x.d * (x.k - 1) + 4);
    x.tail = pick(rng, 0, 4) ? 0 : pick(rng, 1, 3);
  }
  const auto layout = [&](bool output) {
    ActivationLayout l = dense_layout(p, output, pick(rng, 0, 1) == 1);
    if (pick(rng, 0, 2) == 0) {
      for (int64_t* s : {&l.n, &l.c, &l.axis[0], &l.axis[1], &l.axis[2]}) *s = pick(rng, -1000, 1000);
    }
    return l;
  };
  p.x = layout(false);
  p.y = layout(true);
  p.w = {pick(rng, -99, 99),
         pick(rng, -99, 99),
         pick(rng, -99, 99),
         {pick(rng, -99, 99), pick(rng, -99, 99), pick(rng, -99, 99)}};
  p.epilogue.bias = pick(rng, 0, 1) == 1;
  p.epilogue.activation.kind = static_cast<Activation::Kind>(pick(rng, 0, 5));
  std::normal_distribution<double> normal;
  Activation& act = p.epilogue.activation;
  if (row_of(act.kind).parameters > 0) act.alpha = normal(rng) * 1e-3;
  if (row_of(act.kind).parameters > 1) act.beta = act.alpha + 1 / 3.0;
  if (pick(rng, 0, 3) == 0) p.epilogue.rescale = {normal(rng), static_cast<double>(pick(rng, -128, 127))};
  return p;
}

}  // namespace ctconv::test
