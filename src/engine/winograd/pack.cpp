// SPDX-License-Identifier: Apache-2.0
// The transformed weight.
//
//   in:  the raw weight, any strides
//   out: for each group, phase (d, h, w) and block of columns: [point][k][column], k = (tap of d, input channel)
//        u = G g G' in f64, along h first, rounded to f32 once; columns beyond co are 0
//        false where the weight is none that this engine takes (values.h)
//   A task packs a block of columns: some input channels at a time, all their taps gathered, then phase by phase.
#include <algorithm>

#include "src/base/at.h"
#include "src/base/memory.h"
#include "src/engine/winograd/plan.h"
#include "src/engine/winograd/values.h"
#include "src/kit/arena.h"

namespace ctconv::winograd {
namespace {

constexpr int64_t kGatherBytes = 24 * 1024, kMostChannels = 16;  // gathered at a time, in the first-level cache

int64_t channels_at_a_time(const Plan& plan) {
  const int64_t bytes = plan.p.taps() * plan.width * int64_t{sizeof(float)};
  return std::min(plan.p.ci, std::clamp<int64_t>(kGatherBytes / bytes, 1, kMostChannels));
}

struct Scratch {
  float* taps;  // [channel][tap][column]
  Level level;  // [tap][column]
  Scratch(const Plan& plan, kit::Arena& arena) {
    const int64_t all = plan.p.taps() * plan.width;
    taps = arena.take<float>(channels_at_a_time(plan) * all);
    level.sum = arena.take<float>(all);
    level.most = arena.take<float>(all);
  }
};

// All taps of one input channel: out[tap][column], zero beyond co.
void gather(const Plan& plan, const void* w, int64_t g, int64_t ci, int64_t first, float* out) {
  const Problem& p = plan.p;
  const int64_t columns = std::min(plan.width, p.co - first), taps = p.taps();
  const int64_t k1 = p.axis[1].k, k2 = p.axis[2].k, place = g * p.w.g + ci * p.w.ci + first * p.w.co;
  const char* from = static_cast<const char*>(w) + place * kit::bytes_of(p.types.w);
  const bool dense = p.w.tap[2] == 1 && p.w.tap[1] == k2 && p.w.tap[0] == k1 * k2 && p.types.w == Dtype::kF32;
  if (columns < plan.width) std::fill(out, out + taps * plan.width, 0.0f);
  if (dense) {
    plan.moves.transpose(reinterpret_cast<const float*>(from), p.w.co, columns, taps, out, plan.width);
    return;
  }
  for (int64_t t = 0; t < taps; ++t) {
    const int64_t tap = t / (k1 * k2) * p.w.tap[0] + t / k2 % k1 * p.w.tap[1] + t % k2 * p.w.tap[2];
    plan.moves.load(from + tap * kit::bytes_of(p.types.w), p.w.co, p.types.w, columns, out + t * plan.width);
  }
}

// The points of one phase, channels c0 .. c0 + channels.
void pack_phase(const Plan& plan, const std::array<int64_t, 3>& f, const Scratch& s, int64_t c0, int64_t channels,
                float* out) {
  const Problem& p = plan.p;
  const kit::Phase &d = plan.d.phase(f[0]), &h = plan.h.phases.phase(f[1]), &w = plan.w.phases.phase(f[2]);
  const Kind kh = at(plan.h.kind, f[1]), kw = at(plan.w.kind, f[2]);
  const auto transform = plan.routines.weights[static_cast<int>(kh)][static_cast<int>(kw)];
  WeightArgs args{.width = plan.width, .out_point = d.taps * p.ci * plan.width};
  for (int64_t t = 0; t < d.taps; ++t) {
    for (int64_t c = 0; c < channels; ++c) {
      const float* taps = s.taps + (c * p.taps() + (d.t0 + t * plan.d.t_step) * p.axis[1].k * p.axis[2].k) * plan.width;
      for (int64_t k = 0; k < h.taps * w.taps; ++k) {  // the oldest input's first
        const int64_t a = h.t0 + (h.taps - 1 - k / w.taps) * plan.h.phases.t_step;
        const int64_t b = w.t0 + (w.taps - 1 - k % w.taps) * plan.w.phases.t_step;
        args.tap[k] = taps + (a * p.axis[2].k + b) * plan.width;
      }
      args.out = out + (t * p.ci + c0 + c) * plan.width;
      transform(args);
    }
  }
}

// One group, one block of columns. packed: of the group.
void pack_columns(const Plan& plan, const void* w, int64_t g, int64_t column, float* packed, Scratch& s,
                  WeightVerdict* verdict) {
  const Problem& p = plan.p;
  const int64_t all = p.taps() * plan.width, step = channels_at_a_time(plan);
  s.level.begin(all);
  bool beyond = false;
  for (int64_t c0 = 0; c0 < p.ci; c0 += step) {
    const int64_t channels = std::min(step, p.ci - c0);
    for (int64_t c = 0; c < channels; ++c) {
      gather(plan, w, g, c0 + c, column * plan.width, s.taps + c * all);
      beyond |= s.level.add(s.taps + c * all, all);
    }
    const int64_t fhs = plan.h.phases.count(), fws = plan.w.phases.count();
    for (int64_t f = 0; f < plan.d.count() * fhs * fws; ++f) {
      const std::array<int64_t, 3> phase{f / (fhs * fws), f / fws % fhs, f % fws};
      const int64_t size = (at(plan.weight_at, f + 1) - at(plan.weight_at, f)) / plan.column_blocks;
      pack_phase(plan, phase, s, c0, channels, packed + at(plan.weight_at, f) + column * size);
    }
  }
  verdict->add(beyond, s.level, all, p.ci);
}

}  // namespace

Result<bool> pack_weights(const Plan& plan, const void* w, float* packed, const Runner& runner) {
  const size_t bytes = kit::bytes_taken<Scratch>(plan);
  const Buffer memory(Allocator{}, bytes * static_cast<size_t>(runner.workers()));
  if (!memory.ok()) return Status(Code::NO_MEMORY, "winograd: no memory to transform the weight");
  WeightVerdict verdict;
  const bool ran = runner(plan.p.groups * plan.column_blocks, [&](int64_t task, int32_t worker) {
    kit::Arena arena(static_cast<char*>(memory.data()) + static_cast<size_t>(worker) * bytes);
    Scratch scratch(plan, arena);
    const int64_t g = task / plan.column_blocks;
    pack_columns(plan, w, g, task % plan.column_blocks, packed + g * plan.weight_at.back(), scratch, &verdict);
  });
  if (!ran) return runner_broke();
  return verdict.honoured();
}

}  // namespace ctconv::winograd
