// SPDX-License-Identifier: Apache-2.0
// From a problem to a plan; see plan.h.
//
//   in:      Problem, PlanContext
//   out:     the kinds of all phases, the passes, the block and part of a task
//   refuses: with the reason, each at the place where it shows
#include "src/engine/winograd/plan.h"

#include <algorithm>
#include <memory>

#include "src/base/at.h"
#include "src/base/checked.h"
#include "src/engine/winograd/winograd.h"
#include "src/machine/machine.h"

namespace ctconv::winograd {
namespace {

constexpr int64_t kMostPhases = 64;                        // of an axis: rows of y wait for all of them
constexpr int64_t kMostStep = int64_t{1} << 20;            // strides, dilations, extents of the kernel
constexpr int64_t kMostPlace = int64_t{1} << 46;           // rows and tiles
constexpr int64_t kMostChain = int64_t{1} << 20;           // terms of a chain: values.h rests on it
constexpr double kMostWeights = double{int64_t{1} << 32};  // transformed ones
constexpr int64_t kStageBytes = 40 * 1024;                 // rows of y that wait, beside other things in 32 KB and 1 MB
constexpr double kOwnShare = 0.55;                         // of the second-level cache: a block's points
constexpr int64_t kMostOwn = int64_t{5} << 19;             // bytes of a block's points where few tiles fill the cache
constexpr int64_t kRunTiles = 48;                          // tiles of a run

// "" or why an axis is refused. Phases begin at tap offset 0 and have taps that follow each other by v_step.
std::string judge_phases(const kit::AxisPhases& a, const char* name) {
  const std::string along = std::string(" along ") + name;
  if (a.count() > kMostPhases) return "more than " + std::to_string(kMostPhases) + " phases" + along;
  if (a.s > 1 && a.v_step > 1) return "dilation together with a stride" + along;
  for (const kit::Phase& f : a.phases) {
    if (f.taps == 0) return "a phase without a tap" + along;
    if (f.v0 != 0) return "phases that begin at different inputs" + along;
  }
  return {};
}

Kind kind_of(int64_t taps, int64_t most) {
  if (most == 1) return Kind::kOne;
  if (most == 2) return taps == 2 ? Kind::kTwo : Kind::kRaw;
  return taps == 3 ? Kind::kThree : Kind::kPair;
}

void set_extent(TiledAxis* a, int64_t un) {
  a->un = un;
  a->per_class = ceil_div(un, a->m * a->step);
  a->tiles = a->per_class * a->step;
}

std::string tile_axis(const kit::AxisPhases& phases, const char* name, TiledAxis* out) {
  std::string why = judge_phases(phases, name);
  if (!why.empty()) return why;
  TiledAxis a;
  a.phases = phases;
  int64_t most = 1, least = kMostTaps;
  for (const kit::Phase& f : phases.phases) {
    most = std::max(most, f.taps);
    least = std::min(least, f.taps);
  }
  if (most > kMostTaps) return "more than 3 taps a phase along " + std::string(name);
  if (most - least > 1) return "phases of one and of three taps along " + std::string(name);
  for (const kit::Phase& f : phases.phases) a.kind.push_back(kind_of(f.taps, most));
  a.m = most == 1 ? 1 : most == 2 ? 3 : 2;
  a.inputs = most == 1 ? 1 : kMostInputs;
  a.step = most == 1 ? 1 : phases.v_step;
  a.back = (most - 1) * a.step;
  a.packed = a.kind;
  a.first_point.assign(a.kind.size(), 0);
  a.u0 = phases.u0;
  set_extent(&a, phases.un);
  *out = std::move(a);
  return {};
}

// One u that meets one row of x by one tap, the newest or the oldest: its tile would bring errors of rows that it does
// not read, so it is an axis of one tap.
TiledAxis edge_of(const TiledAxis& whole, int64_t u, bool newest) {
  TiledAxis a = whole;
  a.u0 = u;
  a.m = a.inputs = 1;
  if (newest) a.back = 0;
  for (size_t f = 0; f < a.kind.size(); ++f) {
    a.kind[f] = Kind::kOne;
    const KindRow& row = row_of(a.packed[f]);
    a.first_point[f] = newest && row.taps > 1 ? row.points - 1 : 0;
  }
  set_extent(&a, 1);
  return a;
}

// The middle, where anything is left of it, and the edges.
std::vector<TiledAxis> parts_of(const TiledAxis& whole) {
  std::vector<TiledAxis> parts;
  const kit::AxisPhases& p = whole.phases;
  int64_t begin = p.u0, end = p.u0 + p.un, most = 1;
  for (const kit::Phase& f : p.phases) most = std::max(most, f.taps);
  if (most > 1 && whole.step == 1) {
    if (begin == 0) parts.push_back(edge_of(whole, begin++, true));
    const int64_t last = end - 1;
    const auto here = [&](const kit::Phase& f) { return f.taps < most && f.contains(last); };
    if (last >= begin && last == p.i + most - 2 && std::none_of(p.phases.begin(), p.phases.end(), here)) {
      parts.push_back(edge_of(whole, last, false));
      --end;
    }
  }
  if (begin == end) return parts;
  TiledAxis middle = whole;
  middle.u0 = begin;
  set_extent(&middle, end - begin);
  parts.insert(parts.begin(), middle);
  return parts;
}

// Counts stay far from the ends of int64.
std::string judge_sizes(const Problem& p) {
  double tiles = static_cast<double>(p.n);
  for (const Axis& a : p.axis) {
    if (std::max({a.k, a.s, a.d, a.d * (a.k - 1)}) > kMostStep) return "a kernel, stride or dilation beyond its tables";
    if (std::max({a.i, a.o, a.lo, -a.lo}) > kMostPlace) return "rows too far apart for its tables";
    tiles *= static_cast<double>(a.o) + static_cast<double>(a.s * a.d);
  }
  if (tiles > static_cast<double>(kMostPlace)) return "more tiles than its tables hold";
  if (p.ci < kLeastWinogradChannels) {
    return "fewer than " + std::to_string(kLeastWinogradChannels) +
           " input channels: rounding errors of its points would show";
  }
  const double k = static_cast<double>(p.ci) * static_cast<double>(p.axis[0].k);
  if (k > static_cast<double>(kMostChain)) return "sums too long for its range of values";
  if (k * static_cast<double>(p.co) * static_cast<double>(p.groups) > kMostWeights) return "too large a weight";
  return {};
}

void add_passes(Plan* plan) {
  const auto& kinds = plan->w.kind;
  for (Kind kind : kinds) {
    const auto same = [&](const PointsW& q) { return q.kind == kind; };
    if (std::any_of(plan->points_w.begin(), plan->points_w.end(), same)) continue;
    plan->points_w.push_back({kind, plan->all_points_w});
    plan->all_points_w += row_of(kind).points;
  }
  for (int64_t f = 0; f < plan->h.phases.count(); ++f) {
    const Kind kind = at(plan->h.kind, f);
    const auto same = [&](const Pass& q) { return q.kind == kind; };
    auto known = std::find_if(plan->passes.begin(), plan->passes.end(), same);
    if (known == plan->passes.end()) known = plan->passes.insert(known, Pass{kind, {}});
    known->h_phases.push_back(f);
  }
}

// The width of a column block: the one that wastes the fewest lanes, then the widest of two or three vectors.
void choose_columns(Plan* plan) {
  const int64_t lanes = plan->routines.lanes, co = plan->p.co;
  int64_t best = -1;
  for (const int64_t vectors : {2, 3, 4, 1}) {
    const int64_t width = vectors * lanes, columns = ceil_div(co, width) * width;
    if (best >= 0 && columns >= best) continue;
    best = columns;
    plan->vectors = vectors;
    plan->width = width;
    plan->column_blocks = columns / width;
  }
  const auto& column = at(plan->routines.products, plan->vectors - 1);
  plan->row_limit = kMostRows;
  while (column[plan->row_limit - 1] == nullptr) --plan->row_limit;
}

// Where each phase's transformed weight lies.
void place_weights(Plan* plan) {
  int64_t here = 0;
  for (int64_t fd = 0; fd < plan->d.count(); ++fd) {
    for (int64_t fh = 0; fh < plan->h.phases.count(); ++fh) {
      for (int64_t fw = 0; fw < plan->w.phases.count(); ++fw) {
        plan->weight_at.push_back(here);
        const int64_t chain = plan->d.phase(fd).taps * plan->p.ci;
        here += plan->column_blocks * plan->points(fh, fw) * chain * plan->width;
      }
    }
  }
  plan->weight_at.push_back(here);
}

// Tiles of one task, so that their points stay in the cache; and tasks, so that every worker has as many.
void cut_tasks(Plan* plan) {
  const Problem& p = plan->p;
  const int64_t threads = plan->threads;
  plan->tiles = p.n * plan->d.un * plan->h.tiles * plan->w.tiles;
  const int64_t tile_bytes = plan->most_points_h() * plan->all_points_w * plan->pitch * int64_t{sizeof(float)};
  const auto own = static_cast<int64_t>(kOwnShare * static_cast<double>(machine().l2));
  const int64_t few = std::min(2 * plan->row_limit, std::max<int64_t>(1, kMostOwn / tile_bytes));
  const int64_t most = std::clamp<int64_t>(own / tile_bytes, few, 256);
  plan->blocks = ceil_div(plan->tiles, most);
  int64_t units = 0;  // column blocks of all (d, h) phases
  for (const Pass& pass : plan->passes) units += std::ssize(pass.h_phases) * plan->d.count() * plan->column_blocks;
  if (p.groups * plan->blocks < 4 * threads && (p.groups * plan->blocks) % threads != 0) {
    const int64_t wanted = ceil_div(ceil_div(p.groups * plan->blocks, threads) * threads, p.groups);
    if (plan->tiles >= wanted * plan->row_limit) {
      plan->blocks = wanted;
    } else {
      plan->parts = std::min(units, threads);
    }
  }
  plan->block = ceil_div(plan->tiles, plan->blocks);
  plan->blocks = ceil_div(plan->tiles, plan->block);
}

// Rows of y that are finished together.
void size_stage(Plan* plan) {
  const int64_t columns = plan->w.m * plan->w.phases.s;
  const int64_t bytes = plan->h.m * columns * plan->width * int64_t{sizeof(float)};
  plan->stage_tiles = std::clamp<int64_t>(kStageBytes / bytes, 1, kRunTiles);
  plan->stage_columns = plan->stage_tiles * columns;
}

void add_regions(Plan* plan) {
  std::vector<Plan> regions;
  for (const TiledAxis& h : parts_of(plan->h)) {
    for (const TiledAxis& w : parts_of(plan->w)) {
      Plan& region = regions.emplace_back(*plan);
      region.h = h;
      region.w = w;
      add_passes(&region);
      cut_tasks(&region);
      size_stage(&region);
    }
  }
  plan->regions = std::move(regions);
}

}  // namespace

int64_t Plan::points(int64_t fh, int64_t fw) const {
  return int64_t{row_of(at(h.kind, fh)).points} * row_of(at(w.kind, fw)).points;
}

const PointsW& Plan::of_kind(Kind kind) const {
  return *std::find_if(points_w.begin(), points_w.end(), [&](const PointsW& q) { return q.kind == kind; });
}

int64_t Plan::most_points_h() const {
  int64_t most = 1;
  for (const Pass& pass : passes) most = std::max<int64_t>(most, row_of(pass.kind).points);
  return most;
}

Run run_at(const Plan& plan, int64_t id, int64_t begin, int64_t end, int64_t most) {
  Run run{.row = id - begin};
  run.tile_w = id % plan.w.tiles;
  const int64_t line = id / plan.w.tiles;
  run.tile_h = line % plan.h.tiles;
  const int64_t plane = line / plan.h.tiles;
  run.u_d = plan.d.u0 + plane % plan.d.un;
  run.n = plane / plan.d.un;
  const int64_t left = plan.w.per_class - run.tile_w % plan.w.per_class;
  run.count = std::min({most, left, end - id});
  return run;
}

std::unique_ptr<const Plan> plan_of(const Problem& p, const PlanContext& context, std::string* why) {
  auto plan = std::make_unique<Plan>();
  plan->p = p;
  plan->threads = std::max(1, context.threads);
  plan->moves = kit::moves<float>();
  plan->routines = routines();
  *why = plan->routines.lanes == 0 ? "this CPU has no fused multiply-add on vectors" : judge_sizes(p);
  if (!why->empty()) return nullptr;
  const kit::Grid grid = kit::grid_of(p);
  plan->d = grid[0];
  *why = judge_phases(grid[0], "d");
  if (why->empty()) *why = tile_axis(grid[1], "h", &plan->h);
  if (why->empty()) *why = tile_axis(grid[2], "w", &plan->w);
  if (why->empty() && plan->h.m == 1 && plan->w.m == 1) *why = "one tap a phase along h and w: nothing to save";
  if (!why->empty()) return nullptr;
  for (const kit::Phase& f : plan->d.phases) plan->d_taps = std::max(plan->d_taps, f.taps);
  plan->k = plan->d_taps * p.ci;
  plan->pitch = ceil_div(plan->k, kit::kMaxLanes) * kit::kMaxLanes + kit::kMaxLanes;
  plan->in_place = p.types.x == Dtype::kF32 && p.x.c == 1 && p.ci % plan->routines.lanes == 0;
  choose_columns(plan.get());
  place_weights(plan.get());
  add_regions(plan.get());
  plan->seconds = expected_seconds(*plan, context);
  return plan;
}

}  // namespace ctconv::winograd
