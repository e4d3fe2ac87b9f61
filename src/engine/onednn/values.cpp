// See values.h. Integer work on bit patterns, no branch inside: compilers make vectors of it.
#include "src/engine/onednn/values.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

namespace ctconv::onednn {
namespace {

constexpr int64_t kChunk = 65536;  // elements a task

// A word whose top bit is set where the exponent is 0 and the mantissa is not.
// m - 1 wraps for zero, and only there its top bit is set.
constexpr uint16_t subnormal_mark(uint16_t bits) {
  const auto below = static_cast<uint16_t>((bits & 0x7fffu) - 1);
  return static_cast<uint16_t>((below - 0x7fu) & ~below);
}

[[gnu::always_inline]] inline bool any_subnormal_in(const uint16_t* from, int64_t count, int64_t stride) {
  uint16_t marks = 0;
  if (stride == 1) {
    for (int64_t k = 0; k < count; ++k) marks = static_cast<uint16_t>(marks | subnormal_mark(from[k]));
  } else {
    for (int64_t k = 0; k < count; ++k) marks = static_cast<uint16_t>(marks | subnormal_mark(from[k * stride]));
  }
  return (marks & 0x8000u) != 0;
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] bool any_subnormal_wide(const uint16_t* from, int64_t count, int64_t stride) {
  return any_subnormal_in(from, count, stride);
}
bool any_subnormal(const uint16_t* from, int64_t count, int64_t stride) {
  static const bool wide = __builtin_cpu_supports("avx2");
  return wide ? any_subnormal_wide(from, count, stride) : any_subnormal_in(from, count, stride);
}
#else
bool any_subnormal(const uint16_t* from, int64_t count, int64_t stride) { return any_subnormal_in(from, count, stride); }
#endif

// Every exponent bit set: Inf or NaN.
template <class Bits>
bool all_finite(const Bits* from, size_t count, Bits exponent) {
  bool bad = false;
  for (size_t k = 0; k < count; ++k) bad |= (from[k] & exponent) == exponent;
  return !bad;
}

// A tensor as rows of equal steps, the outer dimensions sorted by stride.
struct Rows {
  std::array<std::pair<int64_t, int64_t>, 5> part;  // stride and extent, the innermost first

  Rows(const Problem& p, const ActivationLayout& l)
      : part{{{l.n, p.n}, {l.c, p.groups * p.ci}, {l.axis[0], p.axis[0].i}, {l.axis[1], p.axis[1].i},
              {l.axis[2], p.axis[2].i}}} {
    for (auto& [stride, extent] : part) {
      if (extent == 1) stride = 0;
    }
    std::sort(part.begin(), part.end());
    // Dimensions that continue each other are one.
    size_t kept = 0;
    for (size_t k = 1; k < part.size(); ++k) {
      auto& [stride, extent] = part[kept];
      if (extent == 1) {
        part[kept] = part[k];
      } else if (part[k].first == stride * extent) {
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

}  // namespace

const char* weights_not_honoured(Dtype dtype) {
  return flushes_subnormals(dtype)
             ? "the weight holds an Inf or NaN, which padding zeros would turn into NaN, or a subnormal number, which "
               "its products take for zero"
             : "the weight holds an Inf or NaN, which padding zeros would turn into NaN";
}

bool honours_weights(const void* packed, size_t bytes, Dtype dtype) {
  if (dtype == Dtype::kF32) return all_finite(static_cast<const uint32_t*>(packed), bytes / 4, 0x7f800000u);
  const auto* from = static_cast<const uint16_t*>(packed);
  const uint16_t exponent = dtype == Dtype::kBf16 ? 0x7f80u : 0x7c00u;
  if (!all_finite(from, bytes / 2, exponent)) return false;
  return !flushes_subnormals(dtype) || !any_subnormal(from, static_cast<int64_t>(bytes / 2), 1);
}

bool honours_input(const Problem& p, const void* x, const Runner& runner, bool* broken) {
  *broken = false;
  if (!flushes_subnormals(p.dtype)) return true;
  const Rows rows(p, p.x);
  const auto* from = static_cast<const uint16_t*>(x);
  const auto [stride, length] = rows.part[0];
  if (length * rows.count() <= kChunk) {
    bool found = false;
    for (int64_t row = 0; row < rows.count(); ++row) found |= any_subnormal(from + rows.start(row), length, stride);
    return !found;
  }
  // A task is a part of a long row, or several short ones.
  const int64_t parts = (length + kChunk - 1) / kChunk, together = std::max<int64_t>(1, kChunk / length);
  const int64_t tasks = parts > 1 ? rows.count() * parts : (rows.count() + together - 1) / together;
  std::atomic<bool> found = false;
  *broken = !runner(tasks, [&, step = stride, size = length](int64_t index, int32_t) {
    bool bad = false;
    if (parts > 1) {
      const int64_t begin = index % parts * kChunk;
      bad = any_subnormal(from + rows.start(index / parts) + begin * step, std::min(kChunk, size - begin), step);
    } else {
      const int64_t end = std::min(rows.count(), (index + 1) * together);
      for (int64_t row = index * together; row < end; ++row) bad |= any_subnormal(from + rows.start(row), size, step);
    }
    if (bad) found.store(true, std::memory_order_relaxed);
  });
  return !found.load(std::memory_order_relaxed);
}

}  // namespace ctconv::onednn
