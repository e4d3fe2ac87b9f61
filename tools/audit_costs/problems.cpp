// SPDX-License-Identifier: Apache-2.0
// See problems.h.
#include "tools/audit_costs/problems.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

namespace audit {
namespace {

using Rng = std::mt19937_64;

constexpr const char* kThemes[] = {"common",        "long signal", "large batch",     "many groups",
                                   "depthwise",     "many taps",   "wide stride",     "dilated",
                                   "many channels", "tiny maps",   "one channel out", "one row of x"};
constexpr int kTries = 1000;

// Log-uniform, so that small and large sizes are as frequent.
int64_t between(Rng& rng, double least, double most) {
  std::uniform_real_distribution<double> draw(std::log(least), std::log(most + 1));
  return std::clamp(static_cast<int64_t>(std::exp(draw(rng))), static_cast<int64_t>(least), static_cast<int64_t>(most));
}

void draw_axis(Rng& rng, const std::string& theme, size_t rank, Layer* l) {
  const double most_extent = rank == 1 ? 5000 : rank == 2 ? 100 : 20;
  int64_t i = between(rng, 1, most_extent), k = between(rng, 1, rank == 1 ? 16 : 5), s = between(rng, 1, 4), d = 1;
  if (theme == "long signal" && l->i.empty()) i = between(rng, 1e4, 1e6);
  if (theme == "tiny maps" || theme == "large batch") i = between(rng, 1, 4);
  if (theme == "many taps") k = between(rng, 16, rank == 1 ? 5000 : rank == 2 ? 64 : 16);
  if (theme == "wide stride") s = between(rng, 4, rank == 1 ? 2000 : rank == 2 ? 64 : 16);
  if (theme == "wide stride") k = std::max<int64_t>(1, s + between(rng, 1, 9) - 5);
  if (theme == "dilated") d = between(rng, 2, rank == 1 ? 500 : 30);
  if (theme == "one row of x") i = 1;
  const int64_t reach = (i - 1) * s + (k - 1) * d;
  l->i.push_back(i);
  l->k.push_back(k);
  l->s.push_back(s);
  l->d.push_back(d);
  l->begin.push_back(std::min(reach / 2, rng() % 2 ? 0 : (k - 1) * d / 2));
  l->end.push_back(std::min(reach / 2, rng() % 2 ? 0 : (k - 1) * d / 2));
}

void draw_channels(Rng& rng, const std::string& theme, Layer* l) {
  l->ci = between(rng, 1, 256);
  l->co = between(rng, 1, 256);
  if (theme == "many channels") l->ci = between(rng, 256, 8192);
  if (theme == "many channels") l->co = between(rng, 64, 2048);
  if (theme == "one channel out") l->co = 1;
  if (theme == "large batch") l->n = between(rng, 1000, 1e6);
  if (theme == "large batch" || theme == "long signal") {
    l->ci = between(rng, 1, 16);
    l->co = between(rng, 1, 16);
  }
  l->groups = 1;
  if (theme == "common" && rng() % 3 == 0) l->groups = between(rng, 2, 32);
  if (theme == "many groups" || theme == "depthwise") l->groups = between(rng, 8, 1e5);
  if (l->groups == 1) return;
  const bool alone = theme == "depthwise";
  l->ci = l->groups * (alone ? 1 : between(rng, 1, 8));
  l->co = l->groups * (alone ? 1 : between(rng, 1, 8));
}

Layer draw(Rng& rng) {
  Layer l;
  l.theme = kThemes[rng() % std::size(kThemes)];
  constexpr const char* kTypes[] = {"float32", "float32", "float64", "float16", "bfloat16"};
  l.type = kTypes[rng() % std::size(kTypes)];
  l.last = rng() % 3 == 0;
  l.n = rng() % 2 ? 1 : between(rng, 1, 16);
  draw_channels(rng, l.theme, &l);
  const size_t rank = 1 + rng() % 3;
  for (size_t a = 0; a < rank; ++a) draw_axis(rng, l.theme, rank, &l);
  return l;
}

double product(const std::vector<int64_t>& v) {
  double p = 1;
  for (const int64_t e : v) p *= static_cast<double>(e);
  return p;
}

std::string list(const std::vector<int64_t>& v) {
  std::string text;
  for (const int64_t e : v) text += (text.empty() ? "" : ",") + std::to_string(e);
  return "[" + text + "]";
}

std::vector<int64_t> activation(const Layer& l, int64_t channels, const std::vector<int64_t>& extents) {
  std::vector<int64_t> shape{l.n};
  if (!l.last) shape.push_back(channels);
  shape.insert(shape.end(), extents.begin(), extents.end());
  if (l.last) shape.push_back(channels);
  return shape;
}

}  // namespace

double Layer::x_elements() const { return product(x_shape()); }
double Layer::y_elements() const { return product(y_shape()); }
double Layer::w_elements() const { return product(w_shape()); }
double Layer::flop() const { return 2 * x_elements() * static_cast<double>(co / groups) * product(k); }

std::vector<int64_t> Layer::x_shape() const { return activation(*this, ci, i); }
std::vector<int64_t> Layer::y_shape() const {
  std::vector<int64_t> extents;
  for (size_t a = 0; a < i.size(); ++a) extents.push_back(o(a));
  return activation(*this, co, extents);
}
std::vector<int64_t> Layer::w_shape() const {
  std::vector<int64_t> shape{ci, co / groups};
  shape.insert(shape.end(), k.begin(), k.end());
  return shape;
}

std::string Layer::command() const {
  std::string shape = list(x_shape());
  shape = shape.substr(1, shape.size() - 2);
  return "ctconv bench ctconv '{\"in_channels\":" + std::to_string(ci) + ",\"out_channels\":" + std::to_string(co) +
         ",\"groups\":" + std::to_string(groups) + ",\"kernel_size\":" + list(k) + ",\"stride\":" + list(s) +
         ",\"dilation\":" + list(d) + ",\"pad_begin\":" + list(begin) + ",\"pad_end\":" + list(end) +
         ",\"data_format\":\"" + (last ? "channels_last" : "channels_first") +
         "\",\"bias\":false}' -x random:" + shape + ":" + type;
}

Layer random_layer(uint64_t seed, uint64_t number, const Bounds& bounds) {
  Rng rng(seed * 1000003 + number);
  for (int n = 0; n < kTries; ++n) {
    Layer l = draw(rng);
    const double most = std::max({l.x_elements(), l.y_elements(), l.w_elements()});
    if (most <= bounds.elements && l.flop() <= bounds.flop) return l;
  }
  Layer plain;
  plain.type = "float32";
  plain.theme = "common";
  plain.i = plain.k = plain.s = plain.d = {1};
  plain.begin = plain.end = {0};
  return plain;
}

}  // namespace audit
