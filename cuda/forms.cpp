// SPDX-License-Identifier: Apache-2.0
// The "can you?" of our kernels and their numbers; see forms.h.
#include "cuda/forms.h"

#include <algorithm>
#include <numeric>

namespace ctconv::cuda {
namespace {

constexpr int64_t kMost32 = int64_t{1} << 30;

// Every index of an axis, un-cropped, fits 31 bits.
bool axis_fits32(const ctconv_cuda_axis& a) {
  const auto small = [](int64_t v) { return v < kMost32 && v > -kMost32; };
  if (!small(a.i) || !small(a.o) || !small(a.k) || !small(a.s) || !small(a.d) || !small(a.lo)) return false;
  if (a.d > 1 && a.s / std::gcd(a.s, a.d) > AxisMap<int32_t>::kMostTurn) return false;
  // each product of two values below 2^30 fits int64
  return small((a.i - 1) * a.s) && small((a.k - 1) * a.d) && small(a.skip) && small(a.o * (1 + a.skip)) &&
         small((a.i - 1) * a.s + (a.k - 1) * a.d + (a.lo < 0 ? -a.lo : a.lo) + a.o * (1 + a.skip) + a.tail + 16 * a.s);
}

}  // namespace

bool fits32(const ctconv_cuda_problem& p) {
  for (const auto& a : p.axis) {
    if (!axis_fits32(a)) return false;
  }
  return p.n < kMost32 && channels_in(p) < kMost32 && channels_out(p) < kMost32;
}

namespace {

bool dense(const int64_t (&stride)[5], const int64_t (&extent)[5], const int (&order)[5]) {
  int64_t expected = 1;
  for (const int a : order) {  // fastest first
    if (extent[a] != 1 && stride[a] != expected) return false;
    expected *= extent[a];
  }
  return true;
}

}  // namespace

ActParams act_of(const ctconv_cuda_problem& p) { return {static_cast<Act>(p.activation), p.alpha, p.beta}; }

const char* name_of(Packing packing) {
  switch (packing) {
    case Packing::kRaw:
      return "raw";
    case Packing::kTapsLast:
      return "taps-last";
    case Packing::kTapsMiddle:
      return "taps-middle";
    case Packing::kTapsFirst:
      return "taps-first";
    case Packing::kRowsOfCi:
      return "rows-of-ci";
    case Packing::kRunsOfTaps:
      return "runs-of-taps";
    case Packing::kRunsOfCi:
      return "runs-of-ci";
    case Packing::kCells:
      return "cells";
    case Packing::kFilterFirst:
      return "filter-first";
    case Packing::kFilterLast:
      return "filter-last";
  }
  return "";
}

size_t element_bytes(int32_t dtype) { return dtype == CTCONV_CUDA_F64 ? 8 : dtype == CTCONV_CUDA_F32 ? 4 : 2; }
size_t accumulator_bytes(int32_t dtype) { return dtype == CTCONV_CUDA_F64 ? 8 : 4; }
int64_t channels_out(const ctconv_cuda_problem& p) { return p.groups * p.co; }
int64_t channels_in(const ctconv_cuda_problem& p) { return p.groups * p.ci; }
int64_t weight_elements(const ctconv_cuda_problem& p) {
  return p.groups * p.ci * p.co * p.axis[0].k * p.axis[1].k * p.axis[2].k;
}
int64_t core_elements(const ctconv_cuda_problem& p) {
  return p.n * channels_out(p) * p.axis[0].o * p.axis[1].o * p.axis[2].o;
}
int64_t input_elements(const ctconv_cuda_problem& p) {
  return p.n * channels_in(p) * p.axis[0].i * p.axis[1].i * p.axis[2].i;
}
bool has_tail(const ctconv_cuda_problem& p) { return p.axis[0].tail + p.axis[1].tail + p.axis[2].tail != 0; }

void extents_of(const ctconv_cuda_problem& p, bool output, int64_t (&extent)[5]) {
  extent[0] = p.n;
  extent[1] = output ? channels_out(p) : channels_in(p);
  for (int a = 0; a < 3; ++a) extent[2 + a] = output ? p.axis[a].o + p.axis[a].tail : p.axis[a].i;
}

bool dense_channels_first(const ctconv_cuda_problem& p, bool output) {
  int64_t extent[5];
  extents_of(p, output, extent);
  return dense(output ? p.y : p.x, extent, {4, 3, 2, 1, 0});
}

bool dense_channels_last(const ctconv_cuda_problem& p, bool output) {
  int64_t extent[5];
  extents_of(p, output, extent);
  return dense(output ? p.y : p.x, extent, {1, 4, 3, 2, 0});
}

std::string direct_form(const ctconv_cuda_problem& p, DirectParams* out) {
  *out = {};
  for (int a = 0; a < 3; ++a) {
    if (p.axis[a].s > (int64_t{1} << 31)) return "a stride above 2^31";
    out->axis[a] = AxisMap<int64_t>::of(p.axis[a]);
  }
  out->n = p.n;
  out->groups = p.groups;
  out->ci = p.ci;
  out->co = p.co;
  out->elements = core_elements(p);
  out->bias_stride = p.bias_stride;
  std::copy(p.x, p.x + 5, out->xs);
  std::copy(p.y, p.y + 5, out->ys);
  std::copy(p.w, p.w + 6, out->ws);
  out->act = act_of(p);
  const auto magnitude = [](int64_t v) { return v < 0 ? -v : v; };
  out->channel_fastest = channels_out(p) > 1 && magnitude(p.y[1]) < magnitude(p.y[4]);
  out->bias_accumulator = p.bias == CTCONV_CUDA_BIAS_ACCUMULATOR;
  return {};
}

namespace {

// Product of counts, none negative; kMost32 or more where it does not fit 31 bits.
int64_t count32(std::initializer_list<int64_t> counts) {
  int64_t product = 1;
  for (const int64_t c : counts) product = c > kMost32 ? kMost32 : std::min(product * c, kMost32);
  return product;
}

Divider divider32(int64_t d) { return Divider::of(static_cast<uint32_t>(std::max<int64_t>(d, 1))); }

// Runs of outputs that start at multiples of `run` are aligned as their stores want it.
bool whole_runs(const ctconv_cuda_problem& p, int64_t run) {
  int64_t extent[5];
  extents_of(p, true, extent);
  const int64_t part = std::min(run, 16 / static_cast<int64_t>(element_bytes(p.dtype)));
  for (int a = 0; a < 4; ++a) {
    if (extent[a] != 1 && p.y[a] % part != 0) return false;
  }
  return true;
}

void cell_row_form(const ctconv_cuda_axis& w, const CellForm& form, CellParams* out) {
  if (form.s == 0) {
    out->runs = static_cast<int32_t>(w.o);
    return;
  }
  const int64_t s = form.s, run = s * form.q;
  out->front = static_cast<int32_t>(((-w.lo) % s + s) % s);
  out->cell0 = static_cast<int32_t>((w.lo + out->front) / s);  // the division is exact
  out->jt = static_cast<int32_t>((w.k + out->front + s - 1) / s);
  out->jt_whole = (out->jt + kCellJ - 1) / kCellJ * kCellJ;
  out->runs = static_cast<int32_t>((w.o + run - 1) / run);
  for (int64_t u = out->front; u < s * kCellJ; ++u) {
    if (u < out->front + w.k) out->taps0 |= uint32_t{1} << u;
  }
}

}  // namespace

int64_t cell_block(int64_t co) { return co == 1 ? 1 : co <= 4 ? 4 : 8; }

std::string cell_form(const ctconv_cuda_problem& p, CellForm* form, CellParams* out) {
  *out = {};
  const ctconv_cuda_axis& w = p.axis[2];
  if ((p.x[4] != 1 && w.i != 1) || (p.y[4] != 1 && w.o != 1)) return "rows of x and y must be contiguous";
  if (!fits32(p)) return "extents beyond 31 bits";
  form->cb = static_cast<int32_t>(cell_block(p.co));
  const bool cells = w.d == 1 && w.skip == 0 && (w.s <= 4 || (w.s == 8 && form->cb == 1));
  form->s = cells ? static_cast<int32_t>(w.s) : 0;
  form->q = cell_q(form->s, form->cb);
  const int64_t taps = count32({p.axis[0].k, p.axis[1].k, w.k, p.ci});
  const int64_t block = count32({taps, form->cb, static_cast<int64_t>(accumulator_bytes(p.dtype))});
  const int64_t co_blocks = (p.co + form->cb - 1) / form->cb;
  if (block > kCellWeights) return "the weights of one channel block exceed " + std::to_string(kCellWeights) + " bytes";
  if (count32({taps, co_blocks, form->cb}) >= kMost32) return "weights beyond 31 bits";
  out->ci = static_cast<int32_t>(p.ci);
  out->co = static_cast<int32_t>(p.co);
  out->co_padded = static_cast<int32_t>(co_blocks * form->cb);
  cell_row_form(w, *form, out);
  if (count32({out->runs, p.axis[1].o, p.axis[0].o, co_blocks, p.groups, p.n}) >= kMost32) {
    return "more threads than 30 bits count";
  }
  out->by_runs = divider32(out->runs);
  out->by_od = divider32(p.axis[0].o);
  out->by_co_blocks = divider32(co_blocks);
  out->by_groups = divider32(p.groups);
  out->by_oh = divider32(p.axis[1].o);
  out->threads =
      static_cast<uint32_t>(out->runs * p.axis[1].o * p.axis[0].o * out->by_co_blocks.divisor * p.groups * p.n);
  out->whole = form->s > 0 && whole_runs(p, int64_t{form->s} * form->q);
  std::copy(p.x, p.x + 4, out->xs);
  std::copy(p.y, p.y + 4, out->ys);
  for (int a = 0; a < 3; ++a) out->axis[a] = AxisMap<int32_t>::of(p.axis[a]);
  out->step = TapSteps::of(out->axis, p.x[2], p.x[3], out->co_padded);
  out->x_group = p.ci * p.x[1];
  out->w_group = p.ci * out->step.volume;
  out->act = act_of(p);
  out->bias_stride = p.bias_stride;
  out->bias_accumulator = p.bias == CTCONV_CUDA_BIAS_ACCUMULATOR;
  return {};
}

void pixel_vectors(int64_t vectors, const ctconv_cuda_problem& p, PixelParams* out) {
  out->vectors = static_cast<int32_t>(vectors);
  out->by_vectors = divider32(vectors);
  out->items = static_cast<uint32_t>(vectors * out->runs * p.axis[1].o * p.axis[0].o * p.n);
}

std::string pixel_form(const ctconv_cuda_problem& p, bool* vector, PixelParams* out) {
  *out = {};
  const int64_t channels = channels_out(p);
  if (p.groups != 1 && p.ci != 1) return "groups that are not depthwise";
  if ((p.x[1] != 1 && channels_in(p) != 1) || (p.y[1] != 1 && channels != 1))
    return "channels of x and y must be contiguous";
  if (!fits32(p)) return "extents beyond 31 bits";
  const int64_t wide = 16 / static_cast<int64_t>(element_bytes(p.dtype));
  const auto whole = [wide](int64_t stride, int64_t extent) { return extent == 1 || stride % wide == 0; };
  *vector = channels % wide == 0;
  for (const int a : {0, 2, 3, 4}) {
    int64_t ex[5], ey[5];
    extents_of(p, false, ex);
    extents_of(p, true, ey);
    if (!whole(p.y[a], ey[a]) || (p.groups > 1 && p.co == 1 && !whole(p.x[a], ex[a]))) *vector = false;
  }
  if (count32({p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k}) >= kMost32)
    return "weights beyond 31 bits";
  out->groups = static_cast<int32_t>(p.groups);
  out->ci = static_cast<int32_t>(p.ci);
  out->co = static_cast<int32_t>(p.co);
  out->phases = static_cast<int32_t>(std::min(p.axis[2].s, p.axis[2].o));
  const int64_t of_phase = (p.axis[2].o + out->phases - 1) / out->phases;
  out->runs = static_cast<int32_t>(out->phases * ((of_phase + kPixelP - 1) / kPixelP));
  if (p.axis[2].s > p.axis[2].o) out->runs = out->phases;  // each output is a phase of its own
  // as many as the scalar way needs, which a call with unaligned pointers takes
  if (count32({channels, out->runs, p.axis[1].o, p.axis[0].o, p.n}) >= kMost32)
    return "more threads than 30 bits count";
  pixel_vectors(*vector ? channels / wide : channels, p, out);
  out->by_runs = divider32(out->runs);
  out->by_oh = divider32(p.axis[1].o);
  out->by_od = divider32(p.axis[0].o);
  out->by_phases = divider32(out->phases);
  out->by_co = divider32(p.co);
  std::copy(p.x, p.x + 5, out->xs);
  std::copy(p.y, p.y + 5, out->ys);
  for (int a = 0; a < 3; ++a) out->axis[a] = AxisMap<int32_t>::of(p.axis[a]);
  out->channels = static_cast<int32_t>(channels);
  out->step = TapSteps::of(out->axis, p.x[2], p.x[3], out->channels);
  out->x_w = -out->axis[2].input_step * p.x[4];
  out->y_w = p.axis[2].s * p.y[4];
  out->x_q = out->axis[2].every * p.x[4];
  out->w_w = out->axis[2].tap_step < out->axis[2].k ? out->axis[2].tap_step * out->channels : 0;
  out->act = act_of(p);
  out->bias_stride = p.bias_stride;
  out->bias_accumulator = p.bias == CTCONV_CUDA_BIAS_ACCUMULATOR;
  return {};
}

std::string shuffle_form(const ctconv_cuda_problem& p, ShuffleMath math, ShuffleParams* out) {
  *out = {};
  if (math == ShuffleMath::kTensor && p.dtype == CTCONV_CUDA_F64) return "no tensor-core form in f64";
  if (!fits32(p)) return "extents beyond 31 bits";
  int64_t taps = 1, positions = p.n;
  for (int a = 0; a < 3; ++a) {
    const ctconv_cuda_axis& axis = p.axis[a];
    if (axis.skip != 0) return "outputs are left out";
    if (axis.k != axis.s || (axis.d != 1 && axis.k != 1)) return "kernel and stride differ";
    if (axis.lo < 0 || axis.o + axis.lo > axis.i * axis.s) return "rows that no tap reaches";
    taps *= axis.k;
    positions *= axis.i;
    out->i[a] = static_cast<int32_t>(axis.i);
    out->o[a] = static_cast<int32_t>(axis.o);
    out->k[a] = static_cast<int32_t>(axis.k);
    out->lo[a] = static_cast<int32_t>(axis.lo);
    if (axis.lo != 0 || axis.o != axis.i * axis.s) out->crop = 1;
    if (taps >= kMost32 || positions >= kMost32) return "extents beyond 31 bits";
  }
  if (taps * p.co >= kMost32) return "extents beyond 31 bits";
  if (p.axis[2].k > kTile) return "a kernel wider than a tile";
  const bool first = p.x[4] == 1 || p.axis[2].i == 1, last = p.x[1] == 1 || channels_in(p) == 1;
  out->channels_last = dense_channels_last(p, false) && dense_channels_last(p, true) && !(first && p.x[1] != 1);
  if (!out->channels_last && !(dense_channels_first(p, false) && dense_channels_first(p, true))) {
    return last ? "x and y lie in different orders" : "x or y is not dense";
  }
  out->groups = static_cast<int32_t>(p.groups);
  out->ci = static_cast<int32_t>(p.ci);
  out->co = static_cast<int32_t>(p.co);
  out->columns = static_cast<int32_t>(p.co * taps);
  out->positions = static_cast<int32_t>(positions);
  const auto kw = static_cast<int32_t>(p.axis[2].k);
  out->tile_columns = out->channels_last ? kTile : kTile / kw * kw;
  if (p.groups > 65535 || (out->columns + out->tile_columns - 1) / out->tile_columns > 65535)
    return "more tiles than a grid holds";
  out->run = SmallDivider::of(static_cast<uint32_t>(kw));
  out->row_span = SmallDivider::of(static_cast<uint32_t>(out->channels_last ? out->tile_columns : kTile * kw));
  std::copy(p.x, p.x + 5, out->xs);
  std::copy(p.y, p.y + 5, out->ys);
  out->act = act_of(p);
  out->bias_stride = p.bias_stride;
  out->bias_accumulator = p.bias == CTCONV_CUDA_BIAS_ACCUMULATOR;
  return {};
}

EpilogueWay epilogue_form(const ctconv_cuda_problem& p, const Box& interior, bool finish, bool* vector,
                          EpilogueParams* out) {
  *out = {};
  int64_t extent[5];
  extents_of(p, true, extent);
  out->n = p.n;
  out->channels = channels_out(p);
  out->bias_stride = p.bias_stride;
  out->act = act_of(p);
  out->bias_accumulator = p.bias == CTCONV_CUDA_BIAS_ACCUMULATOR;
  out->interior = finish;
  bool whole = finish;
  int64_t plane = 1;
  for (int a = 0; a < 3; ++a) {
    out->extent[a] = extent[2 + a];
    out->core[a] = p.axis[a].o;
    out->lo[a] = interior.lo[a];
    out->hi[a] = interior.hi[a];
    whole = whole && interior.lo[a] == 0 && interior.hi[a] == extent[2 + a];
    plane *= extent[2 + a];
  }
  out->elements = p.n * out->channels * plane;
  out->wide = out->elements > 0x7fffffff;
  std::copy(p.y, p.y + 5, out->ys);
  *vector = false;
  if (out->wide) return EpilogueWay::kAny;
  out->by_plane = divider32(plane);
  out->by_channels = divider32(out->channels);
  for (int a = 0; a < 3; ++a) out->by_extent[a] = divider32(out->extent[a]);
  const int64_t wide = 16 / static_cast<int64_t>(element_bytes(p.dtype));
  if (whole && dense_channels_first(p, true)) {
    *vector = plane % wide == 0;
    return EpilogueWay::kRows;
  }
  if (whole && dense_channels_last(p, true)) {
    *vector = out->channels % wide == 0;
    return EpilogueWay::kChannels;
  }
  return EpilogueWay::kAny;
}

const int (&packed_order(Packing packing))[6] {
  static constexpr int kOrders[9][6] = {{0, 1, 2, 3, 4, 5}, {0, 1, 3, 4, 5, 2}, {1, 3, 4, 5, 0, 2},
                                        {0, 3, 4, 5, 2, 1}, {0, 1, 3, 4, 2, 5}, {0, 3, 4, 2, 5, 1},
                                        {0, 1, 3, 4, 5, 2}, {0, 2, 1, 3, 4, 5}, {0, 2, 3, 4, 5, 1}};
  return kOrders[static_cast<int>(packing) - 1];
}

// Taps from the last to the first.
bool turned(Packing packing) { return packing == Packing::kFilterFirst || packing == Packing::kFilterLast; }

void pack_form(const ctconv_cuda_problem& p, Packing packing, PackParams* out) {
  *out = {};
  const int64_t extent[6] = {p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
  const auto& order = packed_order(packing);
  for (int a = 0; a < 6; ++a) {
    out->extent[a] = extent[order[a]];
    out->stride[a] = p.w[order[a]];
    if (!turned(packing) || order[a] < 3) continue;
    out->first += (out->extent[a] - 1) * out->stride[a];
    out->stride[a] = -out->stride[a];
  }
  out->real = out->extent[5];
  if (packing == Packing::kRowsOfCi || packing == Packing::kRunsOfCi) {
    const auto wide = static_cast<int64_t>(16 / element_bytes(p.dtype));
    out->extent[5] = (out->real + wide - 1) / wide * wide;
  }
  if (packing == Packing::kCells) {
    const int64_t block = cell_block(p.co);
    out->extent[5] = (out->real + block - 1) / block * block;
  }
  out->elements = weight_elements(p) / std::max<int64_t>(out->real, 1) * out->extent[5];
}

int64_t packed_elements(const ctconv_cuda_problem& p, Packing packing) {
  if (packing == Packing::kRaw) return weight_elements(p);
  PackParams pack;
  pack_form(p, packing, &pack);
  return pack.elements;
}

bool raw_matches(const ctconv_cuda_problem& p, Packing packing) {
  if (packing == Packing::kRaw) return true;
  PackParams pack;
  pack_form(p, packing, &pack);
  if (pack.real != pack.extent[5]) return false;
  if (packing == Packing::kCells && pack.real > 1) return false;  // blocks are loaded whole: aligned, so packed
  int64_t expected = 1;
  for (int a = 5; a >= 0; --a) {
    if (pack.extent[a] != 1 && pack.stride[a] != expected) return false;
    expected *= pack.extent[a];
  }
  return true;
}

}  // namespace ctconv::cuda
