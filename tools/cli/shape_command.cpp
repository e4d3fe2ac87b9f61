// SPDX-License-Identifier: Apache-2.0
// ctconv shape: what to allocate: output, weight and bias. No number of x is read.
#include <fmt/format.h>

#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"

namespace cli {

int shape_command(const Request& request) {
  const bool has_x = !request.x.empty();
  if (!has_x) {
    // Without x only the weight's and the bias's shapes can be told, and not for every dialect.
    const ctconv::WeightSpec spec = make_desc(request.dialect, parse_arguments(request.arguments)).weight_spec();
    if (request.json) {
      Json out = {{"dialect", request.dialect}, {"weight", json_of(spec.weight)}, {"bias", nullptr}};
      if (spec.bias.ndim) out["bias"] = json_of(spec.bias);
      print_json(out);
    } else {
      print("weight    {}\n", text_of(ctconv::shape_of(spec.weight)));
      print("bias      {}\n", spec.bias.ndim ? text_of(ctconv::shape_of(spec.bias)) : "none");
      print("y         give --x SHAPE to see the output's\n");
    }
    return 0;
  }
  const Layer layer(request, Layer::kShapes);
  const ctconv_spec y = layer.op("auto").output_spec(layer.x_tensor(), layer.extras());
  Json weight, bias;
  std::string weight_text, bias_text = "none";
  try {
    const ctconv::Tensor x = layer.x_tensor();
    const ctconv::WeightSpec spec = layer.desc.weight_spec(&x);
    weight = json_of(spec.weight);
    weight_text = text_of(ctconv::shape_of(spec.weight));
    if (spec.bias.ndim) {
      bias = json_of(spec.bias);
      bias_text = text_of(ctconv::shape_of(spec.bias));
    }
  } catch (const ctconv::error&) {
    // The dialect's weight does not follow from its arguments; the one given then says it.
    weight = {{"shape", layer.weight->shape()}, {"dtype", name_of(layer.weight->dtype())}};
    weight_text = text_of(layer.weight->shape()) + "  as given";
    bias_text = "one value per output channel, optional";
  }
  if (request.json) {
    print_json({{"dialect", request.dialect},
                {"x", {{"shape", layer.x_shape}, {"dtype", name_of(layer.x_type)}}},
                {"weight", weight},
                {"bias", bias},
                {"y", json_of(y)}});
    return 0;
  }
  print("x         {} {}\n", text_of(layer.x_shape), name_of(layer.x_type));
  print("weight    {}\n", weight_text);
  print("bias      {}\n", bias_text);
  print("y         {} {}\n", text_of(ctconv::shape_of(y)), name_of(ctconv::dtype_of(y)));
  return 0;
}

}  // namespace cli
