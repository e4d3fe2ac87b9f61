// SPDX-License-Identifier: Apache-2.0
// Reads and cuts the published layers; see layers.h.
#include "tests/rig/layers.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/rig/layouts.h"

namespace ctconv::rig {

std::vector<Layer> bench_layers() {
  std::ifstream file(CTCONV_SOURCE_DIR "/bench/layers.json");
  std::vector<Layer> layers;
  for (const auto& row : nlohmann::json::parse(file)) {
    Problem p;
    const size_t rank = row["in"].size();
    p.rank = static_cast<int>(rank);
    p.n = row["n"];
    p.groups = row["g"];
    p.ci = row["cin"].get<int64_t>() / p.groups;
    p.co = row["cout"].get<int64_t>() / p.groups;
    p.epilogue.bias = row["bias"];
    for (size_t k = 0; k < rank; ++k) {
      Axis& a = p.axis[3 - rank + k];
      a = {.i = row["in"][k], .k = row["k"][k], .s = row["s"][k], .d = row["d"][k], .lo = row["p_begin"][k]};
      const int64_t end = row["p_end"][k], extra = row["op"][k];
      a.o = (a.i - 1) * a.s + a.d * (a.k - 1) + 1 - a.lo - end + extra;
    }
    lay_out(&p, false, false);
    layers.push_back({row["id"], p});
  }
  return layers;
}

Problem cut_layer(Problem p, double most_flop) {
  p.n = 1;
  while (useful_flop(p) > most_flop) {
    Axis* longest = &*std::max_element(p.axis.begin(), p.axis.end(), [](auto& a, auto& b) { return a.i < b.i; });
    if (p.groups > 16) {
      p.groups /= 2;
    } else if (p.co > 32) {
      p.co /= 2;
    } else if (longest->i > 3) {
      const int64_t fewer = longest->i / 2;
      longest->i -= fewer;
      longest->o -= fewer * longest->s;
    } else {
      break;
    }
  }
  lay_out(&p, true, true);
  return p;
}

}  // namespace ctconv::rig
