// SPDX-License-Identifier: Apache-2.0
// The file of `bench --layers`: a JSON array of layers in the words of the `ctconv` dialect.
//
//   in:  [{"id": "a", "n": 1, "cin": 3, "cout": 8, "g": 1, "in": [16, 16], "k": [4, 4], "s": [2, 2], "d": [1, 1],
//          "p_begin": [1, 1], "p_end": [1, 1], "op": [0, 0], "bias": true, "activation": "none", "dtype": "f32"}, ..]
//        activation and dtype may be left out; other members are notes (docs/schema/ctconv-layers.schema.json)
//   out: what `ctconv bench ctconv ARGS -x SHAPE` would be asked, one request a layer
//   refuses (Fault FILE, JSON): what is no such file; the sentence names the layer and the member
#pragma once

#include <string>
#include <vector>

#include "tools/cli/request.h"

namespace cli {

struct NamedRequest {
  std::string id;
  Request request;
};
// base: the options that hold for every layer.
std::vector<NamedRequest> read_layers(const Request& base);

}  // namespace cli
