// SPDX-License-Identifier: Apache-2.0
// bench/layers.json as problem records.
//
//   in:      the file's path
//   out:     one Layer a row, for any element type and either order
//   refuses: throws what the parser throws
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cuda/forms.h"
#include "tests/cuda/random_problem.h"

namespace ctconv::cuda::testing {

struct Layer {
  std::string id;
  ctconv_cuda_problem p{};  // strides and dtype not set
  std::string activation;
};

inline std::vector<Layer> read_layers(const std::string& path) {
  std::ifstream file(path);
  std::vector<Layer> layers;
  for (const auto& row : nlohmann::json::parse(file)) {
    Layer layer;
    layer.id = row["id"];
    ctconv_cuda_problem& p = layer.p;
    p.n = row["n"];
    p.groups = row["g"];
    p.ci = row["cin"].get<int64_t>() / p.groups;
    p.co = row["cout"].get<int64_t>() / p.groups;
    p.rank = static_cast<int32_t>(row["in"].size());
    for (auto& a : p.axis) a = {1, 1, 1, 1, 1, 0, 0};
    for (int e = 0; e < p.rank; ++e) {
      ctconv_cuda_axis& a = p.axis[3 - p.rank + e];
      a.i = row["in"][e];
      a.k = row["k"][e];
      a.s = row["s"][e];
      a.d = row["d"][e];
      a.lo = row["p_begin"][e];
      const int64_t end = row["p_end"][e], out = row["op"][e];
      a.o = (a.i - 1) * a.s + a.d * (a.k - 1) + 1 - a.lo - end + out;
    }
    p.bias = row["bias"].get<bool>() ? CTCONV_CUDA_BIAS_ELEMENT : CTCONV_CUDA_BIAS_NONE;
    p.bias_stride = 1;
    layer.activation = row["activation"];
    layers.push_back(layer);
  }
  return layers;
}

// Dense x, y in one order, weights as torch lays them.
inline ctconv_cuda_problem problem_of(const Layer& layer, int32_t dtype, bool channels_last) {
  ctconv_cuda_problem p = layer.p;
  p.dtype = dtype;
  int64_t ex[5], ey[5];
  extents_of(p, false, ex);
  extents_of(p, true, ey);
  set_strides(channels_last ? Layout::kLast : Layout::kFirst, ex, p.x, 0);
  set_strides(channels_last ? Layout::kLast : Layout::kFirst, ey, p.y, 0);
  const int64_t ew[6] = {p.groups, p.ci, p.co, p.axis[0].k, p.axis[1].k, p.axis[2].k};
  int64_t step = 1;
  for (int a = 5; a >= 0; --a) {
    p.w[a] = step;
    step *= ew[a];
  }
  return p;
}

}  // namespace ctconv::cuda::testing
