// SPDX-License-Identifier: Apache-2.0
// Property: what a tap reads at a position of the padded planes is the input element it means, or zero where there is
// none; whatever the strides of x, the cut into tasks, the part asked for, and lo.
#include "src/kit/planes.h"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <random>
#include <vector>

namespace ctconv::kit {
namespace {

struct Random {
  std::mt19937_64 rng;
  int64_t operator()(int64_t a, int64_t b) { return std::uniform_int_distribution<int64_t>(a, b)(rng); }
};

Problem random_problem(Random& pick) {
  Problem p;
  p.rank = 3;
  p.n = pick(1, 2);
  p.groups = pick(1, 2);
  p.ci = pick(1, 5);
  for (Axis& a : p.axis) {
    a.i = pick(1, 7);
    a.k = pick(1, 4);
    a.s = pick(1, 3);
    a.d = pick(1, 3);
    a.lo = pick(0, 2) ? pick(-2, 5) : pick(-40, 60);
    a.o = pick(1, 12);
  }
  const int64_t gap = pick(0, 2), channels = p.groups * p.ci;
  int64_t step = 1;
  const bool last = pick(0, 1) == 1;
  if (last) {
    p.x.c = 1;
    step = channels + gap;
  }
  for (size_t a = 3; a-- > 0;) {
    p.x.axis[a] = step;
    step *= p.axis[a].i;
  }
  if (!last) {
    p.x.c = step + gap;
    step = p.x.c * channels;
  }
  p.x.n = step + gap;
  return p;
}

float value_of(const Problem& p, int64_t n, int64_t c, const std::array<int64_t, 3>& i) {
  int64_t v = n * p.groups * p.ci + c;
  for (size_t a = 0; a < 3; ++a) v = v * p.axis[a].i + i[a];
  return static_cast<float>(v + 1);
}

std::vector<float> input_of(const Problem& p) {
  std::vector<float> x(static_cast<size_t>(p.n * p.x.n), -1.0f);
  for (int64_t n = 0; n < p.n; ++n) {
    for (int64_t c = 0; c < p.groups * p.ci; ++c) {
      for (int64_t at = 0; at < p.axis[0].i * p.axis[1].i * p.axis[2].i; ++at) {
        const std::array<int64_t, 3> i{at / p.axis[2].i / p.axis[1].i, at / p.axis[2].i % p.axis[1].i,
                                       at % p.axis[2].i};
        x[static_cast<size_t>(n * p.x.n + c * p.x.c + i[0] * p.x.axis[0] + i[1] * p.x.axis[1] + i[2] * p.x.axis[2])] =
            value_of(p, n, c, i);
      }
    }
  }
  return x;
}

// Row of x that tap j of a phase reads at position u, and the places of both in a plane.
struct Read {
  int64_t row, place;
};
std::vector<Read> reads_along(const Grid& grid, const Planes& planes, size_t a) {
  std::vector<Read> all;
  for (const Phase& f : grid[a].phases) {
    for (int64_t u = f.u_begin; u < f.u_end; ++u) {
      for (int64_t j = 0; j < f.taps; ++j) {
        all.push_back({u + grid[a].row(f, j), (u - grid[a].u0) * planes.stride[a] + planes.tap(grid, a, f, j)});
      }
    }
  }
  return all;
}

// Compares every read of every tap at every position.
bool all_read(const Problem& p, const Grid& grid, const Planes& g, const std::vector<float>& planes) {
  const auto d = reads_along(grid, g, 0), h = reads_along(grid, g, 1), w = reads_along(grid, g, 2);
  for (int64_t nc = 0; nc < p.n * p.groups * p.ci; ++nc) {
    const float* plane = planes.data() + nc * g.plane;
    for (const Read& a : d) {
      for (const Read& b : h) {
        for (const Read& c : w) {
          const bool real = a.row >= 0 && a.row < p.axis[0].i && b.row >= 0 && b.row < p.axis[1].i && c.row >= 0 &&
                            c.row < p.axis[2].i;
          const float want =
              real ? value_of(p, nc / (p.groups * p.ci), nc % (p.groups * p.ci), {a.row, b.row, c.row}) : 0.0f;
          if (plane[a.place + b.place + c.place] != want) return false;
        }
      }
    }
  }
  return true;
}

}  // namespace

TEST_CASE("planes: every tap reads its input element or a zero") {
  Random pick{std::mt19937_64(5)};
  const Moves<float> moves = kit::moves<float>();
  if (moves.lanes == 0) return;
  for (int round = 0; round < 600; ++round) {
    const Problem p = random_problem(pick);
    const Grid grid = grid_of(p);
    const Planes g = planes_of(grid, 16, moves.lanes);
    const std::vector<float> x = input_of(p);
    std::vector<float> planes(static_cast<size_t>(p.n * p.groups * p.ci * g.plane), NAN);
    const int32_t threads = static_cast<int32_t>(pick(1, 5));
    for (int64_t task = plane_tasks(p, p.n, threads); task-- > 0;) {
      plane_task(moves, p, g, reinterpret_cast<const char*>(x.data()), threads, task, planes.data());
    }
    if (!all_read(p, grid, g, planes)) FAIL("round " << round);

    // Any part of the planes of any channels is the same.
    PlanePart part{pick(0, p.groups * p.ci - 1), 0, pick(0, g.plane - 1), 0};
    part.c1 = pick(part.c0 + 1, p.groups * p.ci);
    part.to = pick(part.from + 1, g.plane);
    const int64_t pitch = part.to - part.from + pick(0, 3);
    std::vector<float> cut(static_cast<size_t>((part.c1 - part.c0) * pitch), NAN);
    plane_part(moves, p, g, reinterpret_cast<const char*>(x.data()), part, pitch, cut.data());
    for (int64_t c = part.c0; c < part.c1; ++c) {
      for (int64_t at = part.from; at < part.to; ++at) {
        const float got = cut[static_cast<size_t>((c - part.c0) * pitch + at - part.from)];
        REQUIRE(got == planes[static_cast<size_t>(c * g.plane + at)]);
      }
    }
  }
}

}  // namespace ctconv::kit
