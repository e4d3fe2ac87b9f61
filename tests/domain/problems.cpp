// SPDX-License-Identifier: Apache-2.0
// See problems.h.
#include "tests/domain/problems.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "src/base/checked.h"

namespace ctconv::domain {
namespace {

class Draw {
 public:
  explicit Draw(uint64_t seed) : engine_(seed) {}
  int64_t between(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  bool one_in(int64_t n) { return between(1, n) == 1; }
  // Near 2^7 to 2^16, now and then near 2^17 to 2^31: at the power, beside it, or anywhere up to the next.
  int64_t wild() {
    const int64_t power = int64_t{1} << (one_in(8) ? between(17, 31) : between(7, 16));
    return one_in(3) ? between(power, 2 * power - 1) : power + between(-1, 1);
  }
  int64_t channels() {
    switch (between(0, 3)) {
      case 0:
        return between(1, 8);
      case 1:
        return 16 * between(1, 8);
      case 2:
        return between(9, 70);
      default:
        return int64_t{1} << between(0, 8);
    }
  }

 private:
  std::mt19937_64 engine_;
};

// The numbers of a problem before they are cut to the budget, and which of them may not give way first.
struct Number {
  int64_t* value;
  bool wild = false;
};

int64_t full_extent(const Axis& a) { return (a.i - 1) * a.s + a.d * (a.k - 1) + 1; }

bool full_extents_fit(const Problem& p) {
  constexpr int64_t kMost = int64_t{1} << 40;
  for (const Axis& a : p.axis) {
    const Checked full = (Checked(a.i) - 1) * a.s + Checked(a.d) * (Checked(a.k) - 1) + 1;
    if (!full.ok() || full.value() > kMost) return false;
  }
  return true;
}

bool fits(const Problem& p, const Budget& most) {
  const auto bytes = static_cast<int64_t>(size_of(p.types.x));
  Checked x = Checked(p.n) * p.groups * p.ci * bytes, y = Checked(p.n) * p.groups * p.co * bytes;
  Checked w = Checked(p.groups) * p.ci * p.co * bytes;
  for (const Axis& a : p.axis) {
    x = x * a.i;
    y = y * (a.o + a.tail);
    w = w * a.k;
  }
  for (const Checked& part : {x, y, w}) {
    if (!part.ok() || part.value() > most.bytes) return false;
  }
  return useful_flop(p) <= most.flop;
}

void draw_channels(Draw& draw, Problem* p) {
  const int64_t kind = draw.between(0, 9);
  if (kind == 0) {
    p->groups = draw.channels();  // depthwise
  } else {
    p->ci = draw.channels();
    p->co = draw.channels();
    if (kind <= 2) p->groups = draw.between(2, 9);
    if (kind == 3) p->co = p->ci;
  }
}

// Where the core lies in the full extent: all of it, cropped, cut out of the middle, or with output_padding.
void draw_window(Draw& draw, Axis* a, bool wild_lo) {
  const int64_t full = full_extent(*a), reach = a->d * (a->k - 1);
  switch (draw.between(0, 4)) {
    case 0:
      break;
    case 1:
      a->lo = draw.between(0, 3);
      break;
    case 2:
      a->lo = draw.between(0, std::min(reach, full - 1));
      break;
    case 3:
      a->lo = draw.between(0, std::min<int64_t>(full - 1, 40));
      break;
    default:
      a->lo = draw.one_in(4) ? draw.between(0, full - 1) : reach / 2;
  }
  if (wild_lo) a->lo = draw.wild();
  const int64_t rest = full - a->lo;
  int64_t hi = 0;
  switch (draw.between(0, 4)) {
    case 0:
      hi = -draw.between(0, a->s - 1);  // output_padding
      break;
    case 1:
      hi = draw.between(0, 3);
      break;
    case 2:
      hi = std::min(reach, a->lo);
      break;
    case 3:
      if (draw.one_in(4) && rest > 1) hi = rest - draw.between(1, std::min<int64_t>(rest, 200));
      break;
    default:
      break;
  }
  a->o = rest - hi;
  if (a->o < 1) {
    a->lo = std::min(a->lo, full - 1);
    a->o = full - a->lo;
  }
}

// Channels-first or -last, now and then with a gap after each row.
void lay_out_activation(Draw& draw, Problem* p, bool output) {
  ActivationLayout& l = output ? p->y : p->x;
  const int64_t channels = p->groups * (output ? p->co : p->ci);
  const bool last = draw.one_in(2);
  const int64_t gap = draw.one_in(12) ? draw.between(1, 3) : 0;
  int64_t step = last ? channels + gap : 1;
  for (size_t a = 3; a-- > 0;) {
    l.axis[a] = step;
    step *= output ? p->axis[a].o + p->axis[a].tail : p->axis[a].i;
    if (a == 2 && !last) step += gap;
  }
  l.c = last ? 1 : step;
  l.n = last ? step : step * channels;
  for (size_t a = 0; a + static_cast<size_t>(p->rank) < 3; ++a) l.axis[a] = 0;
}

// Dense weights in a random order of their dimensions, most often the one of torch.
void lay_out_weight(Draw& draw, Problem* p) {
  std::vector<std::pair<int64_t, int64_t*>> parts = {{p->groups, &p->w.g}, {p->ci, &p->w.ci}, {p->co, &p->w.co}};
  for (size_t a = 0; a < 3; ++a) parts.emplace_back(p->axis[a].k, &p->w.tap[a]);
  if (draw.one_in(3)) {
    for (size_t k = parts.size(); k-- > 1;) {
      std::swap(parts[k], parts[static_cast<size_t>(draw.between(0, static_cast<int64_t>(k)))]);
    }
  }
  int64_t step = 1;
  for (size_t k = parts.size(); k-- > 0;) {
    *parts[k].second = step;
    step *= parts[k].first;
  }
  for (size_t a = 0; a + static_cast<size_t>(p->rank) < 3; ++a) p->w.tap[a] = 0;
}

void draw_epilogue(Draw& draw, Problem* p) {
  p->epilogue.bias = draw.one_in(2);
  if (draw.one_in(2)) p->epilogue.activation.kind = static_cast<Activation::Kind>(draw.between(0, Activation::kClip));
  if (p->epilogue.activation.kind == Activation::kLeakyRelu) p->epilogue.activation.alpha = 0.25;
  if (p->epilogue.activation.kind == Activation::kClip) p->epilogue.activation = {Activation::kClip, -3, 6};
}

// Halves numbers until the problem fits: first those that were not drawn wild, then all.
bool cut(Draw& draw, Problem* p, std::vector<Number>& numbers, const std::vector<bool>& wild_lo, const Budget& most) {
  for (int round = 0; round < 400; ++round) {
    if (full_extents_fit(*p)) {
      for (size_t a = 3 - static_cast<size_t>(p->rank); a < 3; ++a) {
        p->axis[a].lo = 0;
        draw_window(draw, &p->axis[a], wild_lo[a]);
      }
      if (fits(*p, most)) return true;
    }
    std::vector<Number*> left;
    for (const bool also_wild : {false, true}) {
      for (Number& n : numbers) {
        if (*n.value > 1 && (also_wild || !n.wild)) left.push_back(&n);
      }
      if (!left.empty()) break;
    }
    if (left.empty()) return false;
    Number& n = *left[static_cast<size_t>(draw.between(0, static_cast<int64_t>(left.size()) - 1))];
    *n.value = (*n.value + 1) / 2;
  }
  return false;
}

Problem draw_problem(Draw& draw, const Budget& most) {
  for (;;) {
    Problem p;
    const int64_t type = draw.between(0, 19);
    p.types = uniform_types(type < 11 ? Dtype::kF32 : type < 19 ? Dtype::kBf16 : Dtype::kF16);
    p.rank = static_cast<int>(draw.between(1, 3));
    p.n = draw.between(1, 3);
    draw_channels(draw, &p);
    std::vector<Number> numbers = {{&p.n}, {&p.groups}, {&p.ci}, {&p.co}};
    const int64_t extent = p.rank == 1 ? 40 : p.rank == 2 ? 9 : 5;
    for (size_t a = 3 - static_cast<size_t>(p.rank); a < 3; ++a) {
      Axis& x = p.axis[a];
      x = {draw.between(1, extent), 1, draw.between(1, 5), draw.between(1, 4), 1, 0, 0};
      if (draw.one_in(4)) x.d = draw.between(2, 4);
      if (draw.one_in(6)) x.k = x.s;
      if (draw.one_in(20)) x.tail = draw.between(1, 2);
      for (int64_t* value : {&x.i, &x.k, &x.s, &x.d}) numbers.push_back({value});
    }
    std::vector<bool> wild_lo(3, false);
    for (int64_t left = draw.between(0, 3); left > 0; --left) {
      const auto which = static_cast<size_t>(draw.between(0, static_cast<int64_t>(numbers.size()) + p.rank - 1));
      if (which >= numbers.size()) {
        wild_lo[2 - (which - numbers.size())] = true;
        continue;
      }
      *numbers[which].value = draw.wild();
      numbers[which].wild = true;
    }
    // A kernel as long as its stride, as real layers have it.
    for (size_t a = 0; a < 3; ++a) {
      if (p.axis[a].s > 100 && draw.one_in(3)) p.axis[a].k = p.axis[a].s * draw.between(1, 2);
    }
    if (!cut(draw, &p, numbers, wild_lo, most)) continue;
    draw_epilogue(draw, &p);
    for (const bool output : {false, true}) lay_out_activation(draw, &p, output);
    lay_out_weight(draw, &p);
    return p;
  }
}

}  // namespace

Problem problem_at(uint64_t seed, uint64_t index, const Budget& most) {
  Draw draw(seed * 0x9e3779b97f4a7c15ull + index * 0xd1342543de82ef95ull + 1);
  Budget budget = most;
  // Most problems are far below the budget, so that a million of them take minutes.
  const int64_t size = draw.between(0, 99);
  if (size < 97) budget.bytes = std::min(budget.bytes, int64_t{1} << (size < 80 ? 16 : 20));
  if (size < 90) budget.flop = std::min(budget.flop, 3e5);
  return draw_problem(draw, budget);
}

}  // namespace ctconv::domain
