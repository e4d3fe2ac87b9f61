// SPDX-License-Identifier: Apache-2.0
// See epilogue.h. One task is a run of positions (channels-last) or a part of a plane (channels-first).
#include "src/engine/onednn/epilogue.h"

#include <algorithm>

#include "src/base/activation.h"

namespace ctconv::onednn {
namespace {

#define CTCONV_INLINE [[gnu::always_inline]] inline

constexpr int64_t kChunk = 16384;  // elements a task, about

struct Work {
  const Problem* p;
  float* y;
  const float* bias;
  bool channels_last;
  int64_t points, channels;  // points: positions of one image
  int64_t span, parts;       // channels-last: positions a task; channels-first: points a task and tasks a plane
};

template <class Act>
CTCONV_INLINE void rows(const Work& work, int64_t index, Act act) {
  if (work.channels_last) {
    const int64_t end = std::min(work.p->n * work.points, (index + 1) * work.span);
    for (int64_t at = index * work.span; at < end; ++at) {
      float* row = work.y + at * work.channels;
      for (int64_t c = 0; c < work.channels; ++c) row[c] = act(row[c] + (work.bias ? work.bias[c] : 0.0f));
    }
  } else {
    const int64_t plane = index / work.parts, begin = index % work.parts * work.span;
    const float bias = work.bias ? work.bias[plane % work.channels] : 0.0f;
    float* row = work.y + plane * work.points;
    for (int64_t at = begin; at < std::min(work.points, begin + work.span); ++at) row[at] = act(row[at] + bias);
  }
}

CTCONV_INLINE void any_rows(const Work& work, int64_t index) {
  const auto alpha = static_cast<float>(work.p->epilogue.activation.alpha),
             beta = static_cast<float>(work.p->epilogue.activation.beta);
  switch (work.p->epilogue.activation.kind) {
    case Activation::kNone:
      return rows(work, index, [](float v) { return v; });
    case Activation::kRelu:
      return rows(work, index, [](float v) { return relu(v); });
    case Activation::kLeakyRelu:
      return rows(work, index, [=](float v) { return leaky_relu(v, alpha); });
    case Activation::kTanh:
      return rows(work, index, [](float v) { return tanh_exact_steps(v); });
    case Activation::kSigmoid:
      return rows(work, index, [](float v) { return sigmoid_exact_steps(v); });
    case Activation::kClip:
      return rows(work, index, [=](float v) { return clip(v, alpha, beta); });
  }
}

void plain_rows(const Work& work, int64_t index) { any_rows(work, index); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void fused_rows(const Work& work, int64_t index) { any_rows(work, index); }
bool cpu_fuses() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
void fused_rows(const Work& work, int64_t index) { any_rows(work, index); }
bool cpu_fuses() { return true; }
#endif

}  // namespace

bool finish(const Problem& p, float* y, const float* bias, bool channels_last, const Runner& runner) {
  Work work{&p, y, bias, channels_last, p.axis[0].o * p.axis[1].o * p.axis[2].o, p.groups * p.co, 1, 1};
  int64_t tasks = 0;
  if (channels_last) {
    work.span = std::max<int64_t>(1, kChunk / work.channels);
    tasks = (p.n * work.points + work.span - 1) / work.span;
  } else {
    work.span = std::min(work.points, kChunk);
    work.parts = (work.points + work.span - 1) / work.span;
    tasks = p.n * work.channels * work.parts;
  }
  const auto part = cpu_fuses() ? fused_rows : plain_rows;
  return runner(tasks, [&](int64_t index, int32_t) { part(work, index); });
}

}  // namespace ctconv::onednn
