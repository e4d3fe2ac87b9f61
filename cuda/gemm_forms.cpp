// SPDX-License-Identifier: Apache-2.0
// The "can you?" of the GEMM kernels and their numbers; see gemm_forms.h.
#include "cuda/gemm_forms.h"

#include <algorithm>
#include <cstdint>

namespace ctconv::cuda {
namespace {

constexpr int64_t kMost = int64_t{1} << 30;
constexpr double kMostSums = 268435456.0;

int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

// Farthest index the kernel computes on an axis of x, also where it reads nothing.
int64_t reach(const ctconv_cuda_axis& a) {
  return (a.o * (1 + a.skip) + magnitude(a.lo) + a.k * a.d) / a.s + a.k * a.d + a.i + 2;
}

bool offsets_fit(const ctconv_cuda_problem& p, const int64_t (&xs)[5]) {
  int64_t last = 0;
  const int64_t steps[5] = {p.n, p.groups * p.ci, reach(p.axis[0]), reach(p.axis[1]), reach(p.axis[2])};
  const int64_t strides[5] = {magnitude(xs[0]), magnitude(xs[1]), magnitude(xs[2]), magnitude(xs[3]), magnitude(xs[4])};
  for (int a = 0; a < 5; ++a) {
    if (steps[a] >= kMost || strides[a] >= kMost) return false;
    last += steps[a] * strides[a];  // below 2^60
    if (last >= kMost) return false;
  }
  return true;
}

// x as the tensor kernel reads it where it lies: unit channel stride, all others whole 16-byte chunks.
bool in_chunks(const ctconv_cuda_problem& p, int64_t wide) {
  if ((p.x[1] != 1 && channels_in(p) != 1) || p.ci % wide != 0) return false;
  int64_t extent[5];
  extents_of(p, false, extent);
  for (const int a : {0, 2, 3, 4}) {
    if (extent[a] != 1 && p.x[a] % wide != 0) return false;
  }
  return true;
}

// Dense copy of x in the workspace: channels-last with padded groups, or channels-first.
void bring(const ctconv_cuda_problem& p, bool last, int64_t pitch, GemmForm* form) {
  RelayoutParams& r = form->relayout;
  form->moves_x = true;
  r.n = static_cast<int32_t>(p.n);
  r.groups = static_cast<int32_t>(p.groups);
  r.ci = static_cast<int32_t>(p.ci);
  r.pitch = static_cast<int32_t>(pitch);
  r.to_last = last;
  r.positions = 1;
  for (int a = 0; a < 3; ++a) {
    r.extent[a] = static_cast<int32_t>(p.axis[a].i);
    r.positions *= r.extent[a];
  }
  std::copy(p.x, p.x + 5, r.stride);
  for (int a = 0; a < 3; ++a) r.by_extent[a] = Divider::of(static_cast<uint32_t>(r.extent[a]));
  r.by_pitch = Divider::of(static_cast<uint32_t>(std::max<int64_t>(1, pitch)));
  r.flat = (r.extent[1] == 1 || p.x[3] == r.extent[2] * p.x[4]) &&
           (r.extent[0] == 1 || p.x[2] == int64_t{r.extent[1]} * r.extent[2] * p.x[4]);
  r.channels_fastest = channels_in(p) > 1 && magnitude(p.x[1]) < magnitude(p.x[4]);
  const int64_t channels = p.groups * (last ? pitch : p.ci), h = p.axis[1].i, w = p.axis[2].i;
  const int64_t step = last ? channels : 1;
  form->params.xs[4] = step;
  form->params.xs[3] = w * step;
  form->params.xs[2] = h * w * step;
  form->params.xs[1] = last ? 1 : r.positions;
  form->params.xs[0] = channels * r.positions;
  form->workspace = static_cast<size_t>(p.n * channels * r.positions) * element_bytes(p.dtype);
}

// Kernel = stride, dilation 1, every row of y reached: one GEMM for all phases.
bool can_merge(const ctconv_cuda_problem& p) {
  int64_t taps = 1;
  for (const ctconv_cuda_axis& a : p.axis) {
    if (a.skip != 0 || a.k != a.s || (a.d != 1 && a.k != 1) || a.lo < 0 || a.o + a.lo > a.i * a.s) return false;
    taps *= a.k;
    if (taps > kGemmMostTaps) return false;
  }
  return taps > 1 && p.axis[2].k <= 8 && taps * p.co < kMost / 64;
}

// One phase whose positions are the inputs.
void merge(const ctconv_cuda_problem& p, GemmParams* out) {
  out->merged = 1;
  out->weight_taps = 1;
  for (int a = 0; a < 3; ++a) {
    const ctconv_cuda_axis& axis = p.axis[a];
    out->axis[a] = AxisMap<int32_t>::of({axis.i, axis.i, 1, 1, 1, 0, 0});
    out->columns *= out->taps[a];
    out->phases[a] = 1;
    out->step[a] = static_cast<int32_t>(axis.s);
    out->base[a] = static_cast<int32_t>(axis.lo);
    if (axis.lo != 0 || axis.o != axis.i * axis.s) out->crop = 1;
  }
  out->most_taps = 1;
  if (!out->channels_fastest) out->run = out->taps[2];
}

// What threads would have to divide for.
void tabulate(GemmParams* out) {
  const auto by = [](int32_t d) { return Divider::of(static_cast<uint32_t>(std::max(1, d))); };
  out->by_run = by(out->run);
  out->by_co = by(out->co);
  out->tabled = 1;
  for (int a = 0; a < 3; ++a) {
    out->by_taps[a] = by(out->taps[a]);
    out->by_phases[a] = by(out->phases[a]);
    if (out->phases[a] > kGemmTable) out->tabled = 0;
    for (int32_t phase = 0; phase < std::min(out->phases[a], kGemmTable); ++phase) {
      GemmPhaseAxis& f = out->table[a][phase];
      gemm_phase_axis(*out, phase, a, &f);
      f.by_outputs = by(f.outputs);
      f.by_count = by(f.count);
    }
    if (out->tabled) {
      std::stable_sort(out->table[a], out->table[a] + out->phases[a],
                       [](const GemmPhaseAxis& one, const GemmPhaseAxis& two) { return one.count > two.count; });
    }
  }
}

void store_of(const ctconv_cuda_problem& p, GemmParams* out) {
  const int64_t wide = 16 / static_cast<int64_t>(element_bytes(p.dtype));
  std::copy(p.y, p.y + 5, out->ys);
  out->channels_fastest = channels_out(p) > 1 && magnitude(p.y[1]) < magnitude(p.y[4]);
  int64_t extent[5];
  extents_of(p, true, extent);
  out->vector = out->channels_fastest && p.y[1] == 1 && p.co % wide == 0;
  for (const int a : {0, 2, 3, 4}) {
    if (extent[a] != 1 && p.y[a] % wide != 0) out->vector = 0;
  }
}

// The sizes that need no choice; x as the caller laid it out.
void sizes_of(const ctconv_cuda_problem& p, int64_t taps, int64_t pitch, GemmParams* out) {
  out->n = static_cast<int32_t>(p.n);
  out->groups = static_cast<int32_t>(p.groups);
  out->ci = static_cast<int32_t>(p.ci);
  out->co = static_cast<int32_t>(p.co);
  out->most_taps = static_cast<int32_t>(taps);
  out->split = 1;
  out->ci_pitch = static_cast<int32_t>(pitch);
  std::copy(p.x, p.x + 5, out->xs);
}

}  // namespace

const std::vector<GemmConfig>& gemm_configs(GemmMath math, int32_t dtype) {
  static const std::vector<GemmConfig> wide{{128, 128}, {128, 96}, {128, 64}, {64, 64}, {128, 32}}, small{{64, 64}};
  static const std::vector<GemmConfig> tensor{{128, 128}, {128, 64}, {64, 64}, {128, 32}, {128, 8}};
  if (math == GemmMath::kTensor) return tensor;
  return dtype == CTCONV_CUDA_F32 ? wide : small;
}

std::string gemm_form(const ctconv_cuda_problem& p, GemmMath math, GemmForm* form) {
  *form = {};
  const bool tensor = math == GemmMath::kTensor;
  if (tensor && p.dtype == CTCONV_CUDA_F64) return "no tensor-core form in f64";
  if (!fits32(p)) return "extents beyond 31 bits";
  if (input_elements(p) == 0) return "x is empty";  // a data gradient without outputs
  GemmParams& out = form->params;
  int64_t taps = 1, positions = p.n, inputs = p.n, phases = 1;
  for (int a = 0; a < 3; ++a) {
    const ctconv_cuda_axis& axis = p.axis[a];
    out.axis[a] = AxisMap<int32_t>::of(axis);
    out.phases[a] = static_cast<int32_t>(std::min(axis.s, axis.o));
    taps *= (axis.k + out.axis[a].tap_step - 1) / out.axis[a].tap_step;
    positions *= (axis.o + axis.s - 1) / axis.s;
    inputs *= axis.i;
    phases *= out.phases[a];
    out.step[a] = static_cast<int32_t>(axis.s);
    out.out[a] = static_cast<int32_t>(axis.o);
    out.taps[a] = static_cast<int32_t>(axis.k);
    if (taps > kGemmMostTaps) return "more than 1024 taps in a phase";
    if (positions >= kMost || inputs >= kMost) return "extents beyond 31 bits";
    if (phases > 65535) return "more than 65535 phases";
  }
  const int64_t wide = 16 / static_cast<int64_t>(element_bytes(p.dtype));
  const int64_t pitch = tensor ? (p.ci + wide - 1) / wide * wide : p.ci;
  if (p.ci >= kMost / kGemmMostTaps / 2 || inputs >= kMost / std::max<int64_t>(1, p.groups * pitch)) {
    return "extents beyond 31 bits";
  }
  sizes_of(p, taps, pitch, &out);
  if (tensor ? !in_chunks(p, wide) : p.x[4] != 1 && p.axis[2].i != 1) bring(p, tensor, pitch, form);
  if (form->moves_x && (relayout_channels(form->relayout) + kRelayoutTile - 1) / kRelayoutTile > 65535) {
    return "more than 65535 channel tiles of x";
  }
  if (tensor) out.xs[1] = 1;
  out.x_group = (form->moves_x && tensor ? pitch : p.ci) * out.xs[1];
  out.channel_step = static_cast<int32_t>(out.xs[1]);
  if (!offsets_fit(p, out.xs)) return "offsets in x beyond 31 bits";
  if (p.ci * out.taps[0] * out.taps[1] * out.taps[2] >= kMost / std::max<int64_t>(p.co * p.groups, 1)) {
    return "weights beyond 31 bits";
  }
  store_of(p, &out);
  out.run = 1;
  out.columns = out.co;
  out.weight_taps = out.taps[0] * out.taps[1] * out.taps[2];
  form->packing = tensor ? Packing::kRowsOfCi : Packing::kTapsMiddle;
  if (can_merge(p)) {
    merge(p, &out);
    if (!out.channels_fastest) form->packing = tensor ? Packing::kRunsOfCi : Packing::kRunsOfTaps;
  }
  out.vector_weights = out.columns % 4 == 0;
  tabulate(&out);
  out.act = act_of(p);
  out.bias_stride = p.bias_stride;
  out.bias_accumulator = p.bias == CTCONV_CUDA_BIAS_ACCUMULATOR;
  if (p.groups * ((int64_t{out.columns} + 3) / 4) > 65535) return "more than 65535 channel tiles";
  return {};
}

std::string fold_form(const ctconv_cuda_problem& p, GemmMath math, GemmForm* form) {
  if (std::string reason = gemm_form(p, math, form); !reason.empty()) return reason;
  GemmParams& out = form->params;
  int64_t columns = p.co, positions = p.n;
  for (const ctconv_cuda_axis& a : p.axis) {
    if (a.skip != 0) return "outputs are left out";
    columns *= a.k;
    positions *= a.i;
  }  // each below 2^30 in a checked form
  if (columns == p.co) return "a single tap";
  if (columns > kMost / 1024 || core_elements(p) > INT32_MAX) return "extents beyond 31 bits";
  const double bytes = static_cast<double>(columns * p.groups) * static_cast<double>(positions) *
                       static_cast<double>(accumulator_bytes(p.dtype));
  if (bytes > kMostSums) return "the sums of all taps exceed 256 MiB";
  FoldParams& f = form->fold;
  f.n = out.n;
  f.groups = out.groups;
  f.co = out.co;
  f.elements = static_cast<int32_t>(core_elements(p));
  f.positions = positions;
  f.act = out.act;
  f.bias_stride = p.bias_stride;
  f.bias_accumulator = out.bias_accumulator;
  std::copy(p.y, p.y + 5, f.ys);
  f.channels_fastest = out.channels_fastest;
  f.by_channels = Divider::of(static_cast<uint32_t>(channels_out(p)));
  for (int a = 0; a < 3; ++a) {
    f.axis[a] = AxisMap<int32_t>::of(p.axis[a]);
    f.by_o[a] = Divider::of(static_cast<uint32_t>(p.axis[a].o));
    out.axis[a] = AxisMap<int32_t>::of({p.axis[a].i, p.axis[a].i, 1, 1, 1, 0, 0});
    out.phases[a] = 1;
    out.step[a] = 1;
    out.base[a] = 0;
  }
  out.raw = 1;
  out.raw_positions = static_cast<int32_t>(positions);
  out.merged = 0;
  out.crop = 0;
  out.run = 1;
  out.columns = static_cast<int32_t>(columns);
  out.weight_taps = 1;
  out.most_taps = 1;
  out.channels_fastest = 0;
  out.vector = 0;
  out.vector_weights = columns % 4 == 0;
  out.act = {};
  form->packing = math == GemmMath::kTensor ? Packing::kRowsOfCi : Packing::kTapsMiddle;
  tabulate(&out);
  form->folds = true;
  form->sums_at = (form->workspace + 255) / 256 * 256;
  form->workspace = form->sums_at + static_cast<size_t>(columns * p.groups * positions) * accumulator_bytes(p.dtype);
  return {};
}

GemmShape gemm_shape(const GemmParams& p, const GemmConfig& config) {
  GemmShape s;
  const int64_t wide = config.bn / p.run * p.run, tiles_n = (p.columns + wide - 1) / wide;
  int64_t most = p.n;
  for (int a = 0; a < 3; ++a) most *= (p.axis[a].o + p.axis[a].s - 1) / p.axis[a].s;  // merged: o = i, s = 1
  s.grid_x = (most + config.bm - 1) / config.bm;
  s.grid_y = tiles_n * p.groups;
  s.grid_z = int64_t{p.phases[0]} * p.phases[1] * p.phases[2];
  s.blocks = static_cast<double>(s.grid_x) * static_cast<double>(s.grid_y) * static_cast<double>(s.grid_z);
  s.steps = static_cast<double>(p.ci_pitch) * static_cast<double>(p.most_taps);
  return s;
}

}  // namespace ctconv::cuda
