// SPDX-License-Identifier: Apache-2.0
// Looks through a tensor, many rows or a part of a row a task; see value_scan.h.
#include "src/kit/value_scan.h"

#include <algorithm>
#include <atomic>

#include "src/kit/tensor_rows.h"

namespace ctconv::kit {
namespace {

constexpr int64_t kChunk = 32768;  // values a task, about
constexpr int64_t kAlone = 4;      // tasks that are less work than waking others

template <class Bits>
[[gnu::always_inline]] inline bool fit(Magnitudes range, const Bits* from, int64_t count, int64_t stride) {
  MagnitudeJudge<Bits> judge(range);
  if (stride == 1) {
    for (int64_t k = 0; k < count; ++k) judge.look(from[k]);
  } else {
    for (int64_t k = 0; k < count; ++k) judge.look(from[k * stride]);
  }
  return judge.fit();
}

#if defined(__x86_64__)
template <class Bits>
[[gnu::target("avx2")]] bool fit_wide(Magnitudes range, const Bits* from, int64_t count, int64_t stride) {
  return fit(range, from, count, stride);
}
template <class Bits>
bool row_within(Magnitudes range, const Bits* from, int64_t count, int64_t stride) {
  static const bool wide = __builtin_cpu_supports("avx2");
  return wide ? fit_wide(range, from, count, stride) : fit(range, from, count, stride);
}
#else
template <class Bits>
bool row_within(Magnitudes range, const Bits* from, int64_t count, int64_t stride) {
  return fit(range, from, count, stride);
}
#endif

template <class Bits>
bool rows_within(Magnitudes range, const TensorRows& rows, const Bits* x, const Runner& runner, bool* broken) {
  const int64_t stride = rows.part[0].first, length = rows.part[0].second, count = rows.count();
  if (length == 0 || count == 0) return true;
  // A task is a part of a long row, or several short ones.
  const int64_t parts = (length + kChunk - 1) / kChunk, together = std::max<int64_t>(1, kChunk / length);
  const int64_t tasks = parts > 1 ? count * parts : (count + together - 1) / together;
  std::atomic<bool> beyond = false;
  const auto look = [&](int64_t index, int32_t) {
    bool within = true;
    if (parts > 1) {
      const int64_t begin = index % parts * kChunk;
      const Bits* from = x + rows.start(index / parts) + begin * stride;
      within = row_within(range, from, std::min(kChunk, length - begin), stride);
    } else {
      const int64_t end = std::min(count, (index + 1) * together);
      for (int64_t row = index * together; within && row < end; ++row) {
        within = row_within(range, x + rows.start(row), length, stride);
      }
    }
    if (!within) beyond.store(true, std::memory_order_relaxed);
  };
  if (tasks <= kAlone) {
    for (int64_t task = 0; task < tasks; ++task) look(task, 0);
  } else {
    *broken = !runner(tasks, look);
  }
  return !beyond.load(std::memory_order_relaxed);
}

}  // namespace

bool all_within(Magnitudes range, Dtype type, const void* values, int64_t count) {
  if (type == Dtype::kF32) return row_within(range, static_cast<const uint32_t*>(values), count, 1);
  return row_within(range, static_cast<const uint16_t*>(values), count, 1);
}

bool input_within(Magnitudes range, const Problem& p, const void* x, const Runner& runner, bool* broken) {
  *broken = false;
  const TensorRows rows(p, p.x);
  if (p.types.x == Dtype::kF32) return rows_within(range, rows, static_cast<const uint32_t*>(x), runner, broken);
  return rows_within(range, rows, static_cast<const uint16_t*>(x), runner, broken);
}

}  // namespace ctconv::kit
