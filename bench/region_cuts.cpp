// SPDX-License-Identifier: Apache-2.0
// What cutting costs: the processor time of a whole call over that of its boxes, one after the other, on one thread.
//
//   in:  rounds (default 5)
//   out: a line per layer and cut: milliseconds of the whole call and of all boxes, the least of the rounds, and their
//        ratio. The clock counts this thread's own time, so that other work on the machine disturbs it little.
//        A box is computed from its own window of x into a block of memory of its own, as ctconv.tiles computes it;
//        boxes begin where phases begin, and, for comparison, at multiples of the stride.
//   refuses: what the library refuses, with its message; exit 1
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "ctconv/ctconv.hpp"
#include "ctconv/ctconv_stream.hpp"

namespace {

using Shape = std::vector<std::int64_t>;

double seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

std::size_t product(const Shape& shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  return count;
}

std::vector<float> noise(std::size_t count) {
  std::vector<float> values(count);
  std::uint32_t state = 1;
  for (float& v : values) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<float>(state >> 8) / (1 << 24) - 0.5f;
  }
  return values;
}

struct Layer {
  const char* name;
  std::int64_t in, out, kernel, stride, padding;
  Shape x;                   // spatial extents
  std::vector<Shape> boxes;  // their extents
};

ctconv::Op op_of(const Layer& layer) {
  ctconv::Desc desc("torch.nn.ConvTranspose" + std::to_string(layer.x.size()) + "d");
  desc.set("in_channels", layer.in).set("out_channels", layer.out).set("kernel_size", layer.kernel);
  desc.set("stride", layer.stride).set("padding", layer.padding).set("bias", false);
  Shape shape = {layer.in, layer.out};
  shape.insert(shape.end(), layer.x.size(), layer.kernel);
  const std::vector<float> w = noise(product(shape));
  ctconv::Options options;
  options.threads = 1;
  options.reproducible = 1;
  return ctconv::Op(desc, ctconv::view(w.data(), shape), options);
}

// All boxes of one extent, in C order; the first of an axis is shorter by `ahead`.
template <class Action>
void each_box(const Shape& y, const Shape& extent, std::int64_t ahead, Action action) {
  Shape from(y.size());
  for (std::size_t a = 0; a < y.size(); ++a) from[a] = extent[a] < y[a] ? -ahead : 0;
  for (Shape at = from, begin = from, end = from;;) {
    for (std::size_t a = 0; a < y.size(); ++a) {
      begin[a] = std::max<std::int64_t>(at[a], 0);
      end[a] = std::min(at[a] + extent[a], y[a]);
    }
    action(begin, end);
    std::size_t a = y.size();
    while (a-- > 0) {
      if ((at[a] += extent[a]) < y[a]) break;
      at[a] = from[a];
    }
    if (a == static_cast<std::size_t>(-1)) return;
  }
}

std::string text_of(const Shape& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text;
}

template <class Action>
double once(Action action) {
  const double begin = seconds();
  action();
  return seconds() - begin;
}

// One layer: an op, x and the memory that y and its boxes are written to.
class Cut {
 public:
  explicit Cut(const Layer& layer) : layer_(layer), op_(op_of(layer)), shape_{1, layer.in} {
    shape_.insert(shape_.end(), layer.x.begin(), layer.x.end());
    x_ = noise(product(shape_));
    y_shape_ = ctconv::shape_of(op_.output_spec(ctconv::view(x_.data(), shape_)));
    y_.assign(y_shape_.begin() + 2, y_shape_.end());
    memory_.resize(product(y_shape_));
  }
  const Shape& y() const { return y_; }
  void whole() { op_.execute(ctconv::view(x_.data(), shape_), ctconv::view(memory_.data(), y_shape_)); }
  void box(const Shape& begin, const Shape& end) {
    ctconv::CallExtras extras;
    extras.begin = begin.data();
    extras.end = end.data();
    Shape from(y_.size()), to(y_.size()), window = {1, layer_.in}, box = {1, layer_.out};
    op_.region_window(ctconv::view(x_.data(), shape_), extras, from.data(), to.data());
    for (std::size_t a = 0; a < y_.size(); ++a) {
      window.push_back(to[a] - from[a]);
      box.push_back(end[a] - begin[a]);
    }
    extras.x_begin = from.data();
    extras.x_shape = shape_.data();
    op_.execute(ctconv::view(x_.data(), window), ctconv::view(memory_.data(), box), extras);
  }

 private:
  const Layer& layer_;
  const ctconv::Op op_;
  Shape shape_, y_shape_, y_;
  std::vector<float> x_, memory_;
};

void measure(const Layer& layer, int rounds) {
  Cut cut(layer);
  for (const Shape& extent : layer.boxes) {
    double whole = 1e30, boxes[2] = {1e30, 1e30};
    for (int round = 0; round < rounds; ++round) {
      whole = std::min(whole, once([&] { cut.whole(); }));
      for (const int aligned : {0, 1}) {
        const std::int64_t ahead = aligned != 0 ? layer.padding % layer.stride : 0;
        const auto all = [&] {
          each_box(cut.y(), extent, ahead, [&](const Shape& begin, const Shape& end) { cut.box(begin, end); });
        };
        boxes[aligned] = std::min(boxes[aligned], once(all));
      }
    }
    std::printf("%-33s y %-15s boxes of %-15s %7.2f ms whole; cut at phases %7.2f ms %.2f, at the stride %.2f\n",
                layer.name, text_of(cut.y()).c_str(), text_of(extent).c_str(), whole * 1e3, boxes[1] * 1e3,
                whole / boxes[1], whole / boxes[0]);
  }
}

// A push of a stream against one whole call of the same length.
void measure_stream(const char* name, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                    int rounds) {
  const std::int64_t push = 4096 / stride, pushes = 8;
  const Layer layer{name, in, out, kernel, stride, (kernel - stride) / 2, {push * pushes}, {}};
  const ctconv::Op op = op_of(layer);
  const std::vector<float> x = noise(static_cast<std::size_t>(in * push * pushes));
  std::vector<float> y(static_cast<std::size_t>(out * (push * pushes + kernel) * stride));
  const auto whole_x = ctconv::view(x.data(), {1, in, push * pushes});
  const Shape y_shape = ctconv::shape_of(op.output_spec(whole_x));
  ctconv::Stream stream(op, 1);
  double whole = 1e30, pushed = 1e30;
  for (int round = 0; round < rounds; ++round) {
    whole = std::min(whole, once([&] { op.execute(whole_x, ctconv::view(y.data(), y_shape)); }));
    pushed = std::min(pushed, once([&] {
                        for (std::int64_t at = 0; at < pushes; ++at) {
                          const auto part = ctconv::view(x.data() + at * in * push, {1, in, push});
                          stream.push(part, ctconv::view(y.data() + at * out * 4096, {1, out, 4096}));
                        }
                      }));
  }
  std::printf("%-33s y %-15s pushes of 4096 outputs  %7.2f ms whole; pushed %7.2f ms %.2f\n", name,
              text_of({y_shape[2]}).c_str(), whole * 1e3, pushed * 1e3, whole / pushed);
}

}  // namespace

int main(int argc, char** argv) try {
  const int rounds = argc > 1 ? std::max(2, std::atoi(argv[1])) : 5;  // the first of them warms up
  const Layer layers[] = {
      {"3-D, 32 to 16 channels, k2 s2", 32, 16, 2, 2, 0, {64, 96, 96}, {{16, 192, 192}, {64, 96, 96}, {8, 48, 48}}},
      {"3-D, 32 to 16 channels, k3 s2 p1", 32, 16, 3, 2, 1, {64, 96, 96}, {{16, 191, 191}, {64, 96, 96}, {8, 48, 48}}},
      {"2-D, 64 to 32 channels, k4 s2 p1", 64, 32, 4, 2, 1, {512, 512}, {{128, 1024}, {512, 512}, {128, 128}}},
  };
  for (const Layer& layer : layers) measure(layer, rounds);
  measure_stream("1-D, 512 to 256 channels, k16 s8", 512, 256, 16, 8, rounds);
  measure_stream("1-D, 256 to 128 channels, k16 s8", 256, 128, 16, 8, rounds);
  measure_stream("1-D, 128 to 64 channels, k4 s2", 128, 64, 4, 2, rounds);
  measure_stream("1-D, 64 to 32 channels, k4 s2", 64, 32, 4, 2, rounds);
  return 0;
} catch (const ctconv::error& e) {
  std::fprintf(stderr, "region_cuts: %s\n", e.what());
  return 1;
}
