// Looks through x; see values.h. Integer work on bit patterns, no branch inside: compilers make vectors of it.
#include "src/engine/winograd/values.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ctconv::winograd {
namespace {

constexpr int64_t kChunk = 32768;  // elements a task, about

// Magnitudes as integers grow with the values, Inf and NaN are the largest.
template <class Bits>
struct Largest {
  Bits sign, most;  // the sign bit; what is still taken
  [[gnu::always_inline]] inline bool beyond(const Bits* from, int64_t count, int64_t stride) const {
    Bits largest = 0;
    const Bits mask = static_cast<Bits>(~sign);
    if (stride == 1) {
      for (int64_t k = 0; k < count; ++k) largest = std::max(largest, static_cast<Bits>(from[k] & mask));
    } else {
      for (int64_t k = 0; k < count; ++k) largest = std::max(largest, static_cast<Bits>(from[k * stride] & mask));
    }
    return largest > most;
  }
};

#if defined(__x86_64__)
template <class Bits>
[[gnu::target("avx2")]] bool beyond_wide(const Largest<Bits>& l, const Bits* from, int64_t count, int64_t stride) {
  return l.beyond(from, count, stride);
}
template <class Bits>
bool beyond(const Largest<Bits>& l, const Bits* from, int64_t count, int64_t stride) {
  static const bool wide = __builtin_cpu_supports("avx2");
  return wide ? beyond_wide(l, from, count, stride) : l.beyond(from, count, stride);
}
#else
template <class Bits>
bool beyond(const Largest<Bits>& l, const Bits* from, int64_t count, int64_t stride) {
  return l.beyond(from, count, stride);
}
#endif

// x as rows: the dimensions sorted by stride, those that continue each other made one.
struct Rows {
  std::array<std::pair<int64_t, int64_t>, 5> part;  // stride and extent, the innermost first

  explicit Rows(const Problem& p)
      : part{{{p.x.n, p.n},
              {p.x.c, p.groups * p.ci},
              {p.x.axis[0], p.axis[0].i},
              {p.x.axis[1], p.axis[1].i},
              {p.x.axis[2], p.axis[2].i}}} {
    // One element of a dimension that does not move is enough.
    for (auto& [stride, extent] : part) {
      if (extent == 1 || stride == 0) {
        stride = 0;
        extent = 1;
      }
    }
    std::sort(part.begin(), part.end(), [](const auto& a, const auto& b) {
      return std::pair{a.second == 1, std::abs(a.first)} < std::pair{b.second == 1, std::abs(b.first)};
    });
    size_t kept = 0;
    for (size_t k = 1; k < part.size(); ++k) {
      auto& [stride, extent] = part[kept];
      if (part[k].second == 1) break;
      if (part[k].first == stride * extent) {
        extent *= part[k].second;
      } else {
        part[++kept] = part[k];
      }
    }
    std::fill(part.begin() + static_cast<std::ptrdiff_t>(kept) + 1, part.end(), std::pair<int64_t, int64_t>{0, 1});
  }

  int64_t count() const { return part[1].second * part[2].second * part[3].second * part[4].second; }
  int64_t start(int64_t row) const {
    int64_t at = 0;
    for (size_t k = 1; k < part.size(); ++k) {
      at += row % part[k].second * part[k].first;
      row /= part[k].second;
    }
    return at;
  }
};

template <class Bits>
bool any_beyond(const Rows& rows, const Bits* x, const Largest<Bits>& l, const Runner& runner, bool* broken) {
  const auto [stride, length] = rows.part[0];
  const int64_t parts = (length + kChunk - 1) / kChunk, together = std::max<int64_t>(1, kChunk / length);
  const int64_t tasks = parts > 1 ? rows.count() * parts : (rows.count() + together - 1) / together;
  std::atomic<bool> found = false;
  const auto look = [&, step = stride, size = length](int64_t index, int32_t) {
    bool bad = false;
    if (parts > 1) {
      const int64_t begin = index % parts * kChunk;
      bad = beyond(l, x + rows.start(index / parts) + begin * step, std::min(kChunk, size - begin), step);
    } else {
      const int64_t end = std::min(rows.count(), (index + 1) * together);
      for (int64_t row = index * together; row < end; ++row) bad |= beyond(l, x + rows.start(row), size, step);
    }
    if (bad) found.store(true, std::memory_order_relaxed);
  };
  if (tasks <= 4) {  // less work than waking others
    for (int64_t task = 0; task < tasks; ++task) look(task, 0);
  } else {
    *broken = !runner(tasks, look);
  }
  return found.load(std::memory_order_relaxed);
}

}  // namespace

bool honours_input(const Problem& p, const void* x, const Runner& runner, bool* broken) {
  *broken = false;
  const Rows rows(p);
  constexpr auto kMost = std::bit_cast<uint32_t>(kMostValue);
  if (p.types.x == Dtype::kF32) {
    return !any_beyond(rows, static_cast<const uint32_t*>(x), Largest<uint32_t>{0x80000000u, kMost}, runner, broken);
  }
  const uint16_t most = p.types.x == Dtype::kF16 ? 0x7bff : static_cast<uint16_t>(kMost >> 16);
  return !any_beyond(rows, static_cast<const uint16_t*>(x), Largest<uint16_t>{0x8000, most}, runner, broken);
}

}  // namespace ctconv::winograd
