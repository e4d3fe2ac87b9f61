// SPDX-License-Identifier: Apache-2.0
// One layer as the command line asks for it: descriptor, tensors and the ops made from them.
//
//   in:  a Request;   out: Desc, x, weight and bias with their origin in words, ops for any engine
//   refuses: what the library refuses (ctconv::error), unreadable sources (Fault)
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctconv/ctconv.hpp"
#include "tools/cli/array.h"
#include "tools/cli/json_args.h"
#include "tools/cli/request.h"

namespace cli {

// `key: value` lines of describe and build_info, in their order.
class Facts {
 public:
  explicit Facts(const std::string& lines);
  const std::string& get(const std::string& key) const;  // "" where absent
  double number(const std::string& key) const;           // 0 where absent
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// How long one call takes by the engine's own estimate; 0: not said.
double seconds_of(const Facts& facts);

ctconv::Desc make_desc(const std::string& dialect, const Arguments& arguments);

class Layer {
 public:
  enum Need {
    kShapes,   // only what is given
    kWeights,  // as kAnyData, but no numbers of x, and none of a weight that is not given: blank, lent (explain)
    kData,     // no source for the weight: the dialect's initialiser
    kHead,     // as kData, but of x only what its .npy file says before the numbers (run --tiles)
    kAnyData,  // the same, but random where the dialect has no initialiser (bench, verify)
  };
  Layer(const Request& request, Need need);

  ctconv::Op op(const std::string& engine, int reproducible = 0) const;
  // With the region where one was read.
  ctconv::CallExtras extras() const;
  // The region of request.begin and request.end; what is not given is the edge of y. op: says how many axes there are.
  void read_region(const ctconv::Op& op);
  // engine must outlive the options.
  ctconv::Options options(const char* engine, int reproducible) const;

  // Runs one engine; the output is dense.
  Array execute(const ctconv::Op& op) const;
  Facts describe(const ctconv::Op& op) const { return Facts(op.describe(x_tensor(), extras())); }
  ctconv::Tensor x_tensor() const;

  // The same layer on |x|, |weight|, |bias| without activation: the scale of rounding errors.
  Array magnitude() const;

  const Request& request;
  Arguments arguments;
  ctconv::Desc desc;
  std::vector<int64_t> x_shape;
  ctconv::Dtype x_type;
  Array x;
  std::optional<Array> weight, bias;
  std::vector<int64_t> begin, end;  // of the region, an entry per spatial axis; empty: the whole y
  std::string x_origin, weight_origin, bias_origin;

 private:
  void load_x(Need need);
  void load_weight(Need need);
  std::optional<ctconv::Value> output_size_;
  bool lends_ = false;  // the ops use the weight in place
};

}  // namespace cli
