// Problems, a scalar fma reference and a runner for the tests of the native engine.
//
//   in:  a Case (geometry, layout, dtype);   out: operands in guarded memory, the engine's y and the reference's y
//   The reference follows the exactness rule to the letter: per output one chain of std::fma from +0 over input
//   channel, then taps d, h, w, only taps that meet an input element; then + bias; then activation; then one rounding.
#pragma once

#include <atomic>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "src/base/activation.h"
#include "src/base/half.h"
#include "src/plan/engine.h"

namespace ctconv::native_test {

struct Operand {
  std::vector<char> memory;
  size_t offset = 0;
  char* data() { return memory.data() + offset; }
  const char* data() const { return memory.data() + offset; }
};

inline double read_value(const char* p, Dtype t, int64_t at) {
  switch (t) {
    case Dtype::kF64: {
      double v;
      std::memcpy(&v, p + at * 8, 8);
      return v;
    }
    case Dtype::kF32: {
      float v;
      std::memcpy(&v, p + at * 4, 4);
      return v;
    }
    default: {
      uint16_t v;
      std::memcpy(&v, p + at * 2, 2);
      return t == Dtype::kF16 ? f16_to_f32(v) : bf16_to_f32(v);
    }
  }
}
template <class T>
void write_value(char* p, Dtype t, int64_t at, T value) {
  switch (t) {
    case Dtype::kF64: {
      const double v = value;
      std::memcpy(p + at * 8, &v, 8);
      return;
    }
    case Dtype::kF32: {
      const float v = static_cast<float>(value);
      std::memcpy(p + at * 4, &v, 4);
      return;
    }
    default: {
      const float f = static_cast<float>(value);
      const uint16_t v = t == Dtype::kF16 ? f32_to_f16(f) : f32_to_bf16(f);
      std::memcpy(p + at * 2, &v, 2);
    }
  }
}

template <class T>
T activate(const Activation& e, T v) {
  const T a = static_cast<T>(e.alpha), b = static_cast<T>(e.beta);
  switch (e.kind) {
    case Activation::kNone:
      return v;
    case Activation::kRelu:
      return relu(v);
    case Activation::kLeakyRelu:
      return leaky_relu(v, a);
    case Activation::kTanh:
      return tanh_exact_steps(v);
    case Activation::kSigmoid:
      return sigmoid_exact_steps(v);
    case Activation::kClip:
      return clip(v, a, b);
  }
  return v;
}

// y must hold the layout of p.y at y.
template <class T>
void reference(const Problem& p, const char* x, const char* w, const T* bias, char* y) {
  const Axis &D = p.axis[0], &H = p.axis[1], &W = p.axis[2];
  auto hit = [](const Axis& a, int64_t o, int64_t t, int64_t* i) {
    const int64_t v = o + a.lo - t * a.d;
    if (v < 0 || v % a.s != 0) return false;
    *i = v / a.s;
    return *i < a.i;
  };
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t g = 0; g < p.groups; ++g)
      for (int64_t co = 0; co < p.co; ++co)
        for (int64_t od = 0; od < D.o; ++od)
          for (int64_t oh = 0; oh < H.o; ++oh)
            for (int64_t ow = 0; ow < W.o; ++ow) {
              T sum = 0;
              for (int64_t ci = 0; ci < p.ci; ++ci)
                for (int64_t td = 0; td < D.k; ++td) {
                  int64_t id, ih, iw;
                  if (!hit(D, od, td, &id)) continue;
                  for (int64_t th = 0; th < H.k; ++th) {
                    if (!hit(H, oh, th, &ih)) continue;
                    for (int64_t tw = 0; tw < W.k; ++tw) {
                      if (!hit(W, ow, tw, &iw)) continue;
                      const T xv = static_cast<T>(read_value(x, p.types.x,
                                                             n * p.x.n + (g * p.ci + ci) * p.x.c + id * p.x.axis[0] +
                                                                 ih * p.x.axis[1] + iw * p.x.axis[2]));
                      const T wv = static_cast<T>(read_value(
                          w, p.types.x,
                          g * p.w.g + ci * p.w.ci + co * p.w.co + td * p.w.tap[0] + th * p.w.tap[1] + tw * p.w.tap[2]));
                      sum = std::fma(xv, wv, sum);
                    }
                  }
                }
              sum = sum + (bias ? bias[g * p.co + co] : T(0));
              write_value<T>(
                  y, p.types.x,
                  n * p.y.n + (g * p.co + co) * p.y.c + od * p.y.axis[0] + oh * p.y.axis[1] + ow * p.y.axis[2],
                  activate(p.epilogue.activation, sum));
            }
}

// Dense strides of an activation; last: channels innermost. gap widens the channel (or row) pitch, as in a slice of a
// larger tensor.
inline ActivationLayout layout(const Problem& p, bool output, bool last, int64_t gap) {
  ActivationLayout l;
  const int64_t c = p.groups * (output ? p.co : p.ci);
  auto size = [&](int a) { return output ? p.axis[static_cast<size_t>(a)].o : p.axis[static_cast<size_t>(a)].i; };
  if (last) {
    l.c = 1;
    int64_t s = c + gap;
    for (int a = 2; a >= 0; --a) {
      l.axis[static_cast<size_t>(a)] = s;
      s *= size(a);
    }
    l.n = s + gap;
  } else {
    int64_t s = 1;
    for (int a = 2; a >= 0; --a) {
      l.axis[static_cast<size_t>(a)] = s;
      s *= size(a);
    }
    l.c = s + gap;
    l.n = l.c * (c + gap);
  }
  return l;
}
inline int64_t extent(const Problem& p, const ActivationLayout& l, bool output) {
  int64_t e = 1 + (p.n - 1) * l.n + (p.groups * (output ? p.co : p.ci) - 1) * l.c;
  for (size_t a = 0; a < 3; ++a) e += ((output ? p.axis[a].o : p.axis[a].i) - 1) * l.axis[a];
  return e;
}

// Starts a thread per worker and call: slow, honest, for tests.
inline void threads_for(void* user, int64_t count, Runner::Task task, void* data) {
  const int workers = *static_cast<int*>(user);
  std::atomic<int64_t> next{0};
  std::vector<std::thread> pool;
  for (int w = 0; w < workers; ++w) {
    pool.emplace_back([&, w] {
      for (int64_t i; (i = next.fetch_add(1)) < count;) task(data, i, w);
    });
  }
  for (auto& t : pool) t.join();
}

inline std::string text(const Problem& p) {
  std::string s = std::string(name_of(p.types.x)) + " n" + std::to_string(p.n) + " g" + std::to_string(p.groups) +
                  " ci" + std::to_string(p.ci) + " co" + std::to_string(p.co);
  for (const Axis& a : p.axis) {
    s += " [i" + std::to_string(a.i) + " o" + std::to_string(a.o) + " k" + std::to_string(a.k) + " s" +
         std::to_string(a.s) + " d" + std::to_string(a.d) + " lo" + std::to_string(a.lo) + "]";
  }
  s += " x(" + std::to_string(p.x.n) + "," + std::to_string(p.x.c) + "," + std::to_string(p.x.axis[0]) + "," +
       std::to_string(p.x.axis[1]) + "," + std::to_string(p.x.axis[2]) + ")";
  s += " y(" + std::to_string(p.y.n) + "," + std::to_string(p.y.c) + "," + std::to_string(p.y.axis[0]) + "," +
       std::to_string(p.y.axis[1]) + "," + std::to_string(p.y.axis[2]) + ")";
  return s + " act" + std::to_string(p.epilogue.activation.kind) + (p.epilogue.bias ? " bias" : "");
}

}  // namespace ctconv::native_test
