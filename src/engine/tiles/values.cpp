// See values.h. Integer work on bit patterns: compilers make vectors of it.
#include "src/engine/tiles/values.h"

#include <algorithm>
#include <atomic>

#include "src/kit/tensor_rows.h"

namespace ctconv::tiles {
namespace {

constexpr int64_t kChunk = 32768;  // values a task

template <class Bits>
[[gnu::always_inline]] inline bool all_fit(Dtype type, const Bits* from, int64_t count, int64_t stride) {
  Judge<Bits> judge(type, input_range(type));
  if (stride == 1) {
    for (int64_t k = 0; k < count; ++k) judge.look(from[k]);
  } else {
    for (int64_t k = 0; k < count; ++k) judge.look(from[k * stride]);
  }
  return judge.fit();
}

#if defined(__x86_64__)
template <class Bits>
[[gnu::target("avx2")]] bool all_fit_wide(Dtype type, const Bits* from, int64_t count, int64_t stride) {
  return all_fit(type, from, count, stride);
}
template <class Bits>
bool fit(Dtype type, const Bits* from, int64_t count, int64_t stride) {
  static const bool wide = __builtin_cpu_supports("avx2");
  return wide ? all_fit_wide(type, from, count, stride) : all_fit(type, from, count, stride);
}
#else
template <class Bits>
bool fit(Dtype type, const Bits* from, int64_t count, int64_t stride) {
  return all_fit(type, from, count, stride);
}
#endif

template <class Bits>
bool fit_rows(const Problem& p, const Bits* x, const Runner& runner, bool* broken) {
  const kit::TensorRows rows(p, p.x);
  const int64_t stride = rows.part[0].first, length = rows.part[0].second;
  // A task is a part of a long row, or several short ones.
  const int64_t parts = (length + kChunk - 1) / kChunk, together = std::max<int64_t>(1, kChunk / length);
  const int64_t tasks = parts > 1 ? rows.count() * parts : (rows.count() + together - 1) / together;
  std::atomic<bool> unfit = false;
  const auto look = [&](int64_t index, int32_t) {
    bool good = true;
    if (parts > 1) {
      const int64_t begin = index % parts * kChunk;
      good = fit(p.types.x, x + rows.start(index / parts) + begin * stride, std::min(kChunk, length - begin), stride);
    } else {
      const int64_t end = std::min(rows.count(), (index + 1) * together);
      for (int64_t row = index * together; good && row < end; ++row)
        good = fit(p.types.x, x + rows.start(row), length, stride);
    }
    if (!good) unfit.store(true, std::memory_order_relaxed);
  };
  if (tasks == 1) {
    look(0, 0);
  } else {
    *broken = !runner(tasks, look);
  }
  return !unfit.load(std::memory_order_relaxed);
}

}  // namespace

bool fit_input(const Problem& p, const void* x, const Runner& runner, bool* broken) {
  *broken = false;
  if (p.types.x == Dtype::kF32) return fit_rows(p, static_cast<const uint32_t*>(x), runner, broken);
  return fit_rows(p, static_cast<const uint16_t*>(x), runner, broken);
}

}  // namespace ctconv::tiles
