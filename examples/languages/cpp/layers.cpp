// The three layers of examples/languages in C++17: weights and y in memory of their own, a hash of y.
//   c++ -std=c++17 -O2 layers.cpp -o layers $(pkg-config --cflags --libs ctconv) \
//     -Wl,-rpath,$(pkg-config --variable=libdir ctconv)
//   prints dialect, y's shape and the FNV-1a of y's bytes, or the refusal and exit 1
#include <cinttypes>
#include <cstdio>
#include <ctconv/ctconv.hpp>
#include <exception>
#include <string>
#include <vector>

namespace {

void print(const std::string& dialect, const ctconv::Array& y) {
  const auto* bytes = static_cast<const unsigned char*>(y.raw());
  uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < y.size() * y.dtype().bytes(); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  std::string shape;
  for (const int64_t extent : y.shape()) shape += (shape.empty() ? "" : "x") + std::to_string(extent);
  std::printf("%s %s %016" PRIx64 "\n", dialect.c_str(), shape.c_str(), hash);
}

// Weight by seed 1, bias by seed 2, x[i] = (i * 37 % 101 - 50) / 64, the reference's bits.
void run(const std::string& dialect, const ctconv::Desc& desc, const std::vector<int64_t>& x_shape) {
  std::vector<float> x(ctconv::elements(x_shape));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (static_cast<float>(i * 37 % 101) - 50.0f) / 64.0f;
  ctconv::Options options;
  options.reproducible = 1;
  const ctconv::Op op(desc, desc.make_weight(1), desc.make_bias(2), options);
  print(dialect, op(ctconv::view(x, x_shape)));
}

}  // namespace

int main() try {
  ctconv::Desc vocoder("torch.nn.ConvTranspose1d");
  vocoder.set("in_channels", 32).set("out_channels", 16).set("kernel_size", 16).set("stride", 8).set("padding", 4);
  run("torch.nn.ConvTranspose1d", vocoder, {1, 32, 200});

  ctconv::Desc picture("mindspore.nn.Conv2dTranspose");
  picture.set("in_channels", 24).set("out_channels", 12).set("kernel_size", 3).set("stride", 2);
  picture.set("pad_mode", "same").set("has_bias", true);
  run("mindspore.nn.Conv2dTranspose", picture, {2, 24, 30, 40});

  ctconv::Desc volume("torch.nn.ConvTranspose3d");
  volume.set("in_channels", 16).set("out_channels", 33).set("kernel_size", {3, 5, 2});
  volume.set("stride", {2, 1, 1}).set("padding", {0, 4, 2});
  run("torch.nn.ConvTranspose3d", volume, {2, 16, 10, 50, 100});
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
