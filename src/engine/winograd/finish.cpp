// SPDX-License-Identifier: Apache-2.0
// Sums into y: the inverse transform, bias and activation, phases interleaved along w.
//
//   in:  sums of all w phases of one (d, h) phase and block of columns: [w phase][point][tile][width]
//   out: the outputs of the block's tiles inside y; nothing else is written
#include "src/base/at.h"
#include "src/base/checked.h"
#include "src/engine/winograd/task.h"

namespace ctconv::winograd {
namespace {

// Outputs of a piece of a run along w: stage column q is output first + q*step.
struct Span {
  int64_t first, step, begin, end;  // columns begin .. end lie in y
};
Span span_of(const Plan& plan, const Run& run) {
  const kit::AxisPhases& w = plan.w.phases;
  const int64_t u = plan.w.first(run.tile_w), columns = run.count * plan.w.m * w.s;
  Span span{.first = u * w.s - w.lo, .step = plan.w.step};
  span.begin = std::clamp<int64_t>(ceil_div(-span.first, span.step), 0, columns);
  const int64_t end = std::min(w.o, (plan.w.u0 + plan.w.un) * w.s - w.lo);  // the last tile may reach beyond the part
  span.end = std::clamp<int64_t>(ceil_div(end - span.first, span.step), span.begin, columns);
  return span;
}

void store_row(const Plan& plan, const float* stage, const Span& span, int64_t channels, char* y, Scratch& s) {
  const Problem& p = plan.p;
  const int64_t count = span.end - span.begin, step = span.step * p.y.axis[2], size = kit::bytes_of(p.types.y);
  y += (span.first + span.begin * span.step) * p.y.axis[2] * size;
  if (p.y.c == 1) {
    for (int64_t q = 0; q < count; ++q) {
      plan.moves.store(stage + q * plan.width, channels, p.types.y, y + q * step * size, 1, false);
    }
    return;
  }
  if (step == 1 && p.types.y == Dtype::kF32) {
    plan.moves.transpose(stage, plan.width, count, channels, reinterpret_cast<float*>(y), p.y.c);
    return;
  }
  plan.moves.transpose(stage, plan.width, count, channels, s.moved, count);
  for (int64_t c = 0; c < channels; ++c) {
    plan.moves.store(s.moved + c * count, count, p.types.y, y + c * p.y.c * size, step, false);
  }
}

// The inverse of all tiles and w phases of a piece of a run, into the stage.
void fill_stage(const Plan& plan, const Block& block, int64_t fh, const Run& run, Scratch& s) {
  const Kind kh = at(plan.h.kind, fh);
  const int64_t tiles = block.tiles(), stride = plan.w.phases.s;
  const float* sums = s.sums;
  OutputArgs args{.m_point = tiles * plan.width, .bias = s.bias, .vectors = plan.vectors};
  args.out_row = plan.stage_columns * plan.width;
  args.out_column = stride * plan.width;
  for (int64_t fw = 0; fw < plan.w.phases.count(); ++fw) {
    const Kind kw = at(plan.w.kind, fw);
    const auto inverse = plan.routines.output[static_cast<int>(kh)][static_cast<int>(kw)];
    const int64_t f = plan.w.phases.phase(fw).f;
    for (int64_t tile = 0; tile < run.count; ++tile) {
      args.m = sums + (run.row + tile) * plan.width;
      args.out = s.stage + (tile * plan.w.m * stride + f) * plan.width;
      inverse(args);
    }
    sums += plan.points(fh, fw) * args.m_point;
  }
}

void store_stage(const Plan& plan, const Block& block, const Columns& c, const Run& run, void* y, Scratch& s) {
  const Problem& p = plan.p;
  const Span span = span_of(plan, run);
  const kit::Phase &d = plan.d.phase(c.fd), &h = plan.h.phases.phase(c.fh);
  if (span.begin == span.end || !d.contains(run.u_d)) return;
  const int64_t first = c.column * plan.width, channels = std::min(plan.width, p.co - first);
  const int64_t plane = run.n * p.y.n + (block.g * p.co + first) * p.y.c + plan.d.out(run.u_d, d) * p.y.axis[0];
  for (int64_t j = 0; j < row_of(at(plan.h.kind, c.fh)).outputs; ++j) {
    const int64_t u = plan.h.first(run.tile_h) + j * plan.h.step;
    if (!h.contains(u) || u >= plan.h.u0 + plan.h.un) continue;
    float* row = s.stage + (j * plan.stage_columns + span.begin) * plan.width;
    const int64_t place = plane + plan.h.phases.out(u, h) * p.y.axis[1];
    if (p.epilogue.activation.kind != Activation::kNone) {
      plan.moves.activate(p.epilogue.activation, row, (span.end - span.begin) * plan.width);
    }
    store_row(plan, row, span, channels, static_cast<char*>(y) + place * kit::bytes_of(p.types.y), s);
  }
}

}  // namespace

void finish_columns(const Plan& plan, const Block& block, const Columns& columns, const float* bias, void* y,
                    Scratch& s) {
  const int64_t first = columns.column * plan.width, channels = std::min(plan.width, plan.p.co - first);
  std::fill(s.bias, s.bias + plan.width, 0.0f);
  if (bias != nullptr) std::copy_n(bias + block.g * plan.p.co + first, channels, s.bias);
  for (int64_t id = block.begin; id < block.end;) {
    const Run run = run_at(plan, id, block.begin, block.end, plan.stage_tiles);
    if (plan.d.phase(columns.fd).contains(run.u_d)) {
      fill_stage(plan, block, columns.fh, run, s);
      store_stage(plan, block, columns, run, y, s);
    }
    id += run.count;
  }
}

}  // namespace ctconv::winograd
