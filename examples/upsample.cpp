// The C++ wrapper: shapes asked of the library, weights from PyTorch's initialiser, a refusal as an exception.
//   prints the shapes, the engine that ran and its first numbers, then an error message
#include <ctconv/ctconv.hpp>
#include <iostream>
#include <vector>

int main() try {
  ctconv::Desc desc("torch.nn.ConvTranspose3d");
  desc.set("in_channels", 3).set("out_channels", 32).set("kernel_size", 5).set("stride", 3);
  desc.set("padding", {2, 2, 2}).set("output_padding", 2);

  const auto [weight_spec, bias_spec] = desc.weight_spec();
  std::vector<float> weight(ctconv::elements(weight_spec)), bias(ctconv::elements(bias_spec));
  desc.init_weight(1, ctconv::view(weight.data(), weight_spec));
  desc.init_bias(2, ctconv::view(bias.data(), bias_spec));

  const ctconv::Op op(desc, ctconv::view(weight.data(), weight_spec), ctconv::view(bias.data(), bias_spec));
  std::vector<float> input(3 * 4 * 9 * 16, 1.0f);
  const ctconv::Tensor x = ctconv::view(input.data(), {1, 3, 4, 9, 16});
  const ctconv_spec y_spec = op.output_spec(x);
  std::vector<float> output(ctconv::elements(y_spec));
  op.execute(x, ctconv::view(output.data(), y_spec));

  std::cout << "y:";
  for (int64_t extent : ctconv::shape_of(y_spec)) std::cout << ' ' << extent;
  const std::string facts = op.describe(x);
  std::cout << "\n" << facts.substr(0, facts.find('\n')) << "\nfirst: " << output[0] << "\n";

  try {
    desc.set("stride", 0).validate();
  } catch (const ctconv::error& e) {
    std::cout << "refused: " << e.what() << "\n";
  }
  return 0;
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
