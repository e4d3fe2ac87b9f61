// SPDX-License-Identifier: Apache-2.0
// How long one push of a stream takes: the layer of a HiFi-GAN (256 to 128 channels, kernel 16, stride 8), by portion.
//
//   in:  pushes (default 100,000)
//   out: a line per portion: inputs, median, 99.9 % and worst microseconds of a push, and outputs a second
//   refuses: what the library refuses, with its message; exit 1
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "ctconv/ctconv_stream.hpp"

namespace {

constexpr std::int64_t kIn = 256, kOut = 128, kTaps = 16, kStride = 8;

std::vector<float> noise(std::size_t count) {
  std::vector<float> values(count);
  std::uint32_t state = 1;
  for (float& v : values) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) / (1 << 24) - 0.5f;
  }
  return values;
}

void measure(ctconv::Stream& stream, std::int64_t portion, int pushes) {
  const std::vector<float> x = noise(static_cast<std::size_t>(kIn * portion));
  std::vector<float> y(static_cast<std::size_t>(kOut * portion * kStride));
  const auto in = ctconv::view(x.data(), {1, kIn, portion});
  const auto out = ctconv::view(y.data(), {1, kOut, portion * kStride});
  std::vector<double> took(static_cast<std::size_t>(pushes));
  for (double& us : took) {
    const auto begin = std::chrono::steady_clock::now();
    stream.push(in, out);
    us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  }
  double sum = 0;
  for (double us : took) sum += us;
  std::sort(took.begin(), took.end());
  const auto at = [&](double share) { return took[static_cast<std::size_t>(share * (pushes - 1))]; };
  std::printf("%6lld inputs   median %8.1f us   99.9 %% %8.1f us   worst %8.1f us   %12.0f outputs a second\n",
              static_cast<long long>(portion), at(0.5), at(0.999), took.back(),
              static_cast<double>(portion * kStride) * pushes / sum * 1e6);
}

}  // namespace

int main(int argc, char** argv) try {
  const int pushes = argc > 1 ? std::max(10, std::atoi(argv[1])) : 100000;
  ctconv::Desc desc("torch.nn.ConvTranspose1d");
  desc.set("in_channels", kIn).set("out_channels", kOut).set("kernel_size", kTaps);
  desc.set("stride", kStride).set("padding", std::int64_t{4});
  const std::vector<float> w = noise(kIn * kOut * kTaps), b = noise(kOut);
  const ctconv::Op op(desc, ctconv::view(w.data(), {kIn, kOut, kTaps}), ctconv::view(b.data(), {kOut}));
  ctconv::Stream stream(op, 1);
  for (std::int64_t portion : {1, 4, 16, 64})
    measure(stream, portion, std::max<int>(10, pushes / static_cast<int>(portion)));
  return 0;
} catch (const ctconv::error& e) {
  std::fprintf(stderr, "stream_latency: %s\n", e.what());
  return 1;
}
