// See values.h. Integer work on bit patterns, no branch inside: compilers make vectors of it.
#include "src/engine/onednn/values.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "src/kit/tensor_rows.h"

namespace ctconv::onednn {
namespace {

constexpr int64_t kChunk = 65536;  // elements a task

// Which values of a type are not honoured: those at or above `exponent` (Inf, NaN), and subnormal ones where asked.
template <class Bits>
struct Unfit {
  static constexpr Bits kTop = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
  Bits exponent;       // every exponent bit set
  Bits subnormal = 0;  // kTop: subnormal numbers count

  // A word whose top bit is set for such a value.
  Bits mark(Bits bits) const {
    const auto magnitude = static_cast<Bits>(bits & static_cast<Bits>(~kTop));
    const auto least = static_cast<Bits>(exponent & (~exponent + 1));  // the lowest exponent bit
    const auto not_finite = static_cast<Bits>(magnitude + (kTop - exponent));
    // magnitude - 1 wraps for zero, and only there its top bit is set.
    const auto below = static_cast<Bits>(magnitude - 1);
    const auto is_subnormal = static_cast<Bits>(static_cast<Bits>(below - (least - 1)) & ~below);
    return static_cast<Bits>(not_finite | (is_subnormal & subnormal));
  }

  [[gnu::always_inline]] inline bool any(const Bits* from, int64_t count, int64_t stride) const {
    Bits marks = 0;
    if (stride == 1) {
      for (int64_t k = 0; k < count; ++k) marks = static_cast<Bits>(marks | mark(from[k]));
    } else {
      for (int64_t k = 0; k < count; ++k) marks = static_cast<Bits>(marks | mark(from[k * stride]));
    }
    return (marks & kTop) != 0;
  }
};

#if defined(__x86_64__)
template <class Bits>
[[gnu::target("avx2")]] bool any_unfit_wide(const Unfit<Bits>& unfit, const Bits* from, int64_t count, int64_t stride) {
  return unfit.any(from, count, stride);
}
template <class Bits>
bool any_unfit(const Unfit<Bits>& unfit, const Bits* from, int64_t count, int64_t stride) {
  static const bool wide = __builtin_cpu_supports("avx2");
  return wide ? any_unfit_wide(unfit, from, count, stride) : unfit.any(from, count, stride);
}
#else
template <class Bits>
bool any_unfit(const Unfit<Bits>& unfit, const Bits* from, int64_t count, int64_t stride) {
  return unfit.any(from, count, stride);
}
#endif

constexpr Unfit<uint32_t> kUnfitF32{0x7f800000u};
constexpr Unfit<uint16_t> kUnfitF16{0x7c00u};
constexpr Unfit<uint16_t> kUnfitBf16{0x7f80u, Unfit<uint16_t>::kTop};

}  // namespace

const char* weights_not_honoured(Dtype dtype) {
  return flushes_subnormals(dtype)
             ? "the weight holds an Inf or NaN, which padding zeros would turn into NaN, or a subnormal number, which "
               "its products take for zero"
             : "the weight holds an Inf or NaN, which padding zeros would turn into NaN";
}

bool honours_weights(const void* packed, size_t bytes, Dtype dtype) {
  const auto count = static_cast<int64_t>(bytes / size_of(dtype));
  if (dtype == Dtype::kF32) return !any_unfit(kUnfitF32, static_cast<const uint32_t*>(packed), count, 1);
  return !any_unfit(dtype == Dtype::kBf16 ? kUnfitBf16 : kUnfitF16, static_cast<const uint16_t*>(packed), count, 1);
}

namespace {

template <class Bits>
bool any_unfit_in(const Problem& p, const Bits* from, const Unfit<Bits>& unfit, const Runner& runner, bool* broken) {
  const kit::TensorRows rows(p, p.x);
  const auto [stride, length] = rows.part[0];
  if (length * rows.count() <= kChunk) {
    bool found = false;
    for (int64_t row = 0; row < rows.count(); ++row) found |= any_unfit(unfit, from + rows.start(row), length, stride);
    return found;
  }
  // A task is a part of a long row, or several short ones.
  const int64_t parts = (length + kChunk - 1) / kChunk, together = std::max<int64_t>(1, kChunk / length);
  const int64_t tasks = parts > 1 ? rows.count() * parts : (rows.count() + together - 1) / together;
  std::atomic<bool> found = false;
  *broken = !runner(tasks, [&, step = stride, size = length](int64_t index, int32_t) {
    bool bad = false;
    if (parts > 1) {
      const int64_t begin = index % parts * kChunk;
      bad = any_unfit(unfit, from + rows.start(index / parts) + begin * step, std::min(kChunk, size - begin), step);
    } else {
      const int64_t end = std::min(rows.count(), (index + 1) * together);
      for (int64_t row = index * together; row < end; ++row) {
        bad |= any_unfit(unfit, from + rows.start(row), size, step);
      }
    }
    if (bad) found.store(true, std::memory_order_relaxed);
  });
  return found.load(std::memory_order_relaxed);
}

}  // namespace

bool honours_input(const Problem& p, const void* x, const float* bias, const Runner& runner, bool* broken) {
  *broken = false;
  if (!looks_at_input(p)) return true;
  if (bias != nullptr && swallows_nan(p.epilogue.activation)) {
    for (int64_t c = 0; c < p.groups * p.co; ++c) {
      if (!std::isfinite(bias[c])) return false;  // relu makes a NaN of -Inf in bf16
    }
  }
  if (p.types.x == Dtype::kF32) return !any_unfit_in(p, static_cast<const uint32_t*>(x), kUnfitF32, runner, broken);
  const auto& unfit = p.types.x == Dtype::kBf16 ? kUnfitBf16 : kUnfitF16;
  return !any_unfit_in(p, static_cast<const uint16_t*>(x), unfit, runner, broken);
}

}  // namespace ctconv::onednn
