// SPDX-License-Identifier: Apache-2.0
// The numbers of the weight gradients' kernels; see weights_forms.h.
#include "cuda/weights_forms.h"

#include <algorithm>

namespace ctconv::cuda {
namespace {

constexpr int64_t kMost = int64_t{1} << 30;
constexpr int64_t kMostTogether = 65535;  // blocks of a grid along y

int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

int64_t chains_of(int64_t places) { return std::max<int64_t>(1, (places + kChain - 1) / kChain); }

Divider divider(int64_t d) { return Divider::of(static_cast<uint32_t>(std::max<int64_t>(d, 1))); }

bool nearer_channels(const int64_t (&stride)[5], int64_t channels, int64_t inner) {
  return channels > 1 && (inner <= 1 || magnitude(stride[1]) < magnitude(stride[4]));
}

}  // namespace

void weights_form(const ctconv_cuda_problem& p, WeightsParams* out) {
  *out = {};
  out->groups = p.groups;
  out->ci = p.ci;
  out->co = p.co;
  out->places = p.n;
  out->taps = 1;
  for (int a = 0; a < 3; ++a) {
    const ctconv_cuda_axis& axis = p.axis[a];
    out->i[a] = axis.i;
    out->o[a] = axis.o;
    out->k[a] = axis.k;
    out->s[a] = axis.s;
    out->d[a] = axis.d;
    out->lo[a] = axis.lo;
    out->places *= axis.i;
    out->taps *= axis.k;
  }
  std::copy(p.x, p.x + 5, out->xs);
  std::copy(p.y, p.y + 5, out->ys);
  std::copy(p.w, p.w + 6, out->ws);
  out->weights = weight_elements(p);
  out->chains = chains_of(out->places);
  out->wide = p.wide_weights;
  out->taps_fastest = !nearer_channels(p.y, channels_out(p), p.axis[2].o);
  if (out->places > INT32_MAX) return;
  for (int a = 0; a < 3; ++a) out->by_i[a] = divider(out->i[a]);
}

const std::vector<WeightsConfig>& weights_configs() {
  static const std::vector<WeightsConfig> all{{128, 64}, {64, 64}, {32, 32}, {64, 16}, {16, 64}, {16, 16}};
  return all;
}

std::string weights_gemm_form(const ctconv_cuda_problem& p, WeightsGemmParams* out) {
  *out = {};
  weights_form(p, &out->w);
  if (!fits32(p)) return "extents beyond 31 bits";
  int64_t taps = 1, places = p.n;
  for (int a = 0; a < 3; ++a) {
    const ctconv_cuda_axis& axis = p.axis[a];
    taps *= axis.k;
    places *= axis.i;
    if (taps >= kMost || places >= kMost) return "extents beyond 31 bits";
    out->i[a] = static_cast<int32_t>(axis.i);
    out->o[a] = static_cast<int32_t>(axis.o);
    out->s[a] = static_cast<int32_t>(axis.s);
    out->d[a] = static_cast<int32_t>(axis.d);
    out->lo[a] = static_cast<int32_t>(axis.lo);
    out->by_k[a] = divider(axis.k);
    if (axis.o == 0) return "y is empty";
  }
  if (places == 0) return "x is empty";
  out->n = static_cast<int32_t>(p.n);
  out->ci = static_cast<int32_t>(p.ci);
  out->co = static_cast<int32_t>(p.co);
  out->places = static_cast<int32_t>(places);
  out->taps = static_cast<int32_t>(taps);
  out->by_taps = divider(taps);
  out->x_last = nearer_channels(p.x, channels_in(p), p.axis[2].i);
  out->y_last = nearer_channels(p.y, channels_out(p), p.axis[2].o);
  weights_tile({16, 16}, out);  // the most blocks
  const double blocks = static_cast<double>(out->tiles_m) * out->tiles_n * static_cast<double>(taps * p.groups);
  return blocks < static_cast<double>(kMost) ? "" : "more blocks than a grid holds";
}

void weights_tile(const WeightsConfig& config, WeightsGemmParams* p) {
  p->tiles_m = (p->ci + config.bm - 1) / config.bm;
  p->tiles_n = (p->co + config.bn - 1) / config.bn;
  p->by_tiles_m = divider(p->tiles_m);
  p->by_tiles_n = divider(p->tiles_n);
}

int64_t weights_blocks(const WeightsGemmParams& p) { return int64_t{p.tiles_m} * p.tiles_n * p.taps * p.w.groups; }

int64_t chains_together(const WeightsParams& p, int64_t wanted, size_t accumulator, size_t limit) {
  const auto room = static_cast<int64_t>(std::min<size_t>(limit, INT64_MAX)) / static_cast<int64_t>(accumulator);
  const int64_t rows = room / std::max<int64_t>(1, p.weights);
  int64_t together = std::min({wanted, p.chains, kMostTogether});
  if (together > rows || together < p.chains) together = std::min(together, rows - 1);  // one row for `running`
  return together > 1 ? together : 0;
}

size_t chains_workspace(const WeightsParams& p, int64_t together, size_t accumulator) {
  const int64_t rows = together == 0 ? 0 : together + (together < p.chains ? 1 : 0);
  return static_cast<size_t>(rows * p.weights) * accumulator;
}

void chains_place(int64_t together, size_t accumulator, void* workspace, WeightsParams* p) {
  if (together == 0) return;
  p->sums = workspace;
  p->running = static_cast<unsigned char*>(workspace) + static_cast<size_t>(together * p->weights) * accumulator;
}

void bias_form(const ctconv_cuda_problem& p, BiasParams* out, WeightsParams* add) {
  *out = {};
  *add = {};
  out->channels = channels_out(p);
  out->places = p.n;
  for (int a = 0; a < 3; ++a) {
    out->o[a] = p.axis[a].o;
    out->places *= p.axis[a].o;
  }
  std::copy(p.y, p.y + 5, out->ys);
  const int64_t chains = chains_of(out->places);
  out->rows = out->channels * chains;
  out->channels_fastest = nearer_channels(p.y, out->channels, p.axis[2].o);
  out->wide = out->places > INT32_MAX || out->rows > INT32_MAX;
  if (!out->wide) {
    for (int a = 0; a < 3; ++a) out->by_o[a] = divider(out->o[a]);
    out->by_channels = divider(out->channels);
  }
  add->groups = add->ci = add->taps = 1;
  add->co = add->weights = out->channels;
  add->ws[2] = 1;
  for (int64_t& k : add->k) k = 1;
  add->chains = add->count = chains;
  add->last = add->wide = 1;
}

}  // namespace ctconv::cuda
