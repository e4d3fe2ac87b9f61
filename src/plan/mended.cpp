// SPDX-License-Identifier: Apache-2.0
// Kernels for weights that are not finite; see mended.h.
#include "src/plan/mended.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

namespace ctconv {
namespace {

// A box of y that is computed anew: one image, one channel.
struct Border {
  Problem problem;
  int64_t y = 0;  // elements from the channel's first output to the box's
};

// Outputs begin .. end of an axis.
struct Part {
  int64_t begin = 0, end = 0;
};

// Outputs whose taps all meet x. One row of x meets each of its taps once, and forms read that row alone there.
Part inner_part(const Axis& a) {
  const int64_t reach = (a.k - 1) * a.d;
  const int64_t begin = a.i == 1 ? -a.lo : reach - a.lo - a.s + 1;
  const int64_t end = a.i == 1 ? reach + 1 - a.lo : a.i == 0 ? 0 : a.s * a.i - a.lo;
  const int64_t first = std::clamp<int64_t>(begin, 0, a.o);
  return {first, std::clamp<int64_t>(end, first, a.o)};
}

Border border_of(const Problem& p, const std::array<Part, 3>& box) {
  Border b{p};
  Problem& q = b.problem;
  q.n = q.groups = q.co = 1;
  for (size_t a = 0; a < 3; ++a) {
    q.axis[a].lo += box[a].begin;
    q.axis[a].o = box[a].end - box[a].begin;
    q.axis[a].tail = 0;
    b.y += box[a].begin * p.y.axis[a];
  }
  return b;
}

// All of y but the outputs whose taps all meet x, at most six boxes: in front and behind along d, then h, then w.
std::vector<Border> borders_of(const Problem& p) {
  std::vector<Border> borders;
  std::array<Part, 3> box;
  for (size_t a = 0; a < 3; ++a) box[a] = {0, p.axis[a].o};
  for (size_t a = 0; a < 3; ++a) {
    const Part inner = inner_part(p.axis[a]), whole = box[a];
    for (const Part part : {Part{0, inner.begin}, Part{inner.end, whole.end}}) {
      box[a] = part;
      Border b = border_of(p, box);
      if (!b.problem.empty()) borders.push_back(b);
    }
    box[a] = inner;
  }
  return borders;
}

template <class Bits>
bool any_not_finite(const Problem& p, const void* w, int64_t channel, Bits exponent) {
  const WeightLayout& l = p.w;
  const auto* first = static_cast<const Bits*>(w) + channel / p.co * l.g + channel % p.co * l.co;
  const int64_t rows = p.axis[0].k * p.axis[1].k;
  unsigned found = 0;
  for (int64_t ci = 0; ci < p.ci; ++ci) {
    for (int64_t row = 0; row < rows; ++row) {
      const auto* from = first + ci * l.ci + row / p.axis[1].k * l.tap[0] + row % p.axis[1].k * l.tap[1];
      for (int64_t t = 0; t < p.axis[2].k; ++t) {
        found |= static_cast<unsigned>((from[t * l.tap[2]] & exponent) == exponent);
      }
    }
  }
  return found != 0;
}

bool channel_not_finite(const Problem& p, const void* w, int64_t channel) {
  switch (p.types.w) {
    case Dtype::kF32:
      return any_not_finite<uint32_t>(p, w, channel, 0x7f800000u);
    case Dtype::kF64:
      return any_not_finite<uint64_t>(p, w, channel, 0x7ff0000000000000u);
    case Dtype::kF16:
      return any_not_finite<uint16_t>(p, w, channel, 0x7c00u);
    case Dtype::kBf16:
      return any_not_finite<uint16_t>(p, w, channel, 0x7f80u);
    case Dtype::kI8:
    case Dtype::kI32:
      break;
  }
  return false;
}

// Output channels, counted over all groups, whose weights hold an Inf or NaN: written to list, which has room for all.
// Answers how many; -1: the runner broke its contract.
int64_t channels_not_finite(const Problem& p, const void* w, const Runner& runner, int64_t* list) {
  const int64_t channels = p.groups * p.co;
  const bool counted = runner(channels, [&](int64_t c, int32_t) { list[c] = channel_not_finite(p, w, c) ? 1 : 0; });
  if (!counted) return -1;
  int64_t found = 0;
  for (int64_t c = 0; c < channels; ++c) {
    if (list[c] != 0) list[found++] = c;
  }
  return found;
}

// One border with its kernel, which runs on the thread that calls it.
struct Patch {
  Border border;
  std::unique_ptr<Kernel> kernel;
};

class MendedKernel final : public Kernel {
 public:
  MendedKernel(const Problem& p, int32_t threads, std::unique_ptr<Kernel> kernel, std::vector<Patch> patches,
               double most_seconds)
      : p_(p),
        threads_(threads),
        kernel_(std::move(kernel)),
        patches_(std::move(patches)),
        most_seconds_(most_seconds),
        list_(round_up(kernel_->packed_bytes())) {
    for (const Patch& patch : patches_) channel_seconds_ += patch.kernel->estimated_seconds();
    channel_seconds_ *= static_cast<double>(p.n);
  }

  std::string form() const override { return kernel_->form(); }
  Bits bits() const override { return kernel_->bits(); }
  double estimated_seconds() const override { return kernel_->estimated_seconds(); }
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  size_t packed_bytes() const override { return list_ + static_cast<size_t>(1 + p_.groups * p_.co) * sizeof(int64_t); }
  // Where nothing is spoiled no channel is listed: such a packing serves nobody who mends.
  std::string packing() const override {
    return kernel_->packing() + (patches_.empty() ? "/not finite, whole" : "/not finite");
  }
  const char* weights_not_honoured() const override { return kernel_->weights_not_honoured(); }
  bool looks_at_input() const override { return kernel_->looks_at_input(); }
  Result<bool> honours_input(const Operands& memory, const Runner& runner) const override {
    return kernel_->honours_input(memory, runner);
  }

  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override {
    auto finite = kernel_->pack(w, packed, runner);
    if (!finite.ok()) return finite;
    int64_t* list = list_of(packed);
    list[0] = 0;
    if (*finite || patches_.empty()) return true;
    list[0] = channels_not_finite(p_, w, runner, list + 1);
    if (list[0] < 0) return runner_broke();
    const double mending = static_cast<double>(list[0]) * channel_seconds_ / threads_;
    if (list[0] == 0 || kernel_->estimated_seconds() + mending > most_seconds_) return false;
    return true;
  }

  Status run(const Operands& memory, const Runner& runner) const override {
    CTCONV_RETURN_IF_ERROR(kernel_->run(memory, runner));
    const int64_t* list = list_of(memory.packed);
    const int64_t channels = list[0], patches = std::ssize(patches_);
    if (channels == 0) return {};
    std::atomic<bool> failed{false};
    const bool counted = runner(p_.n * channels * patches, [&](int64_t index, int32_t) {
      const Patch& patch = patches_[static_cast<size_t>(index % patches)];
      const int64_t place = index / patches;
      const Operands call = operands_of(memory, place / channels, list[1 + place % channels], patch.border);
      if (!patch.kernel->run(call, Runner()).ok()) failed.store(true, std::memory_order_relaxed);
    });
    if (!counted) return runner_broke();
    if (failed.load()) return Status(Code::INTERNAL, "the reference refused a border");
    return {};
  }

 private:
  int64_t* list_of(void* packed) const { return reinterpret_cast<int64_t*>(static_cast<char*>(packed) + list_); }
  const int64_t* list_of(const void* packed) const {
    return reinterpret_cast<const int64_t*>(static_cast<const char*>(packed) + list_);
  }

  // The call as one border of one channel of one image sees it.
  Operands operands_of(const Operands& m, int64_t n, int64_t channel, const Border& border) const {
    const int64_t g = channel / p_.co;
    const auto at = [](void* from, int64_t elements, Dtype type) {
      return static_cast<char*>(from) + elements * static_cast<int64_t>(size_of(type));
    };
    return {.x = at(m.x, n * p_.x.n + g * p_.ci * p_.x.c, p_.types.x),
            .w = at(m.w, g * p_.w.g + channel % p_.co * p_.w.co, p_.types.w),
            .bias = m.bias == nullptr ? nullptr : at(m.bias, channel, p_.types.accumulator),
            .y = at(m.y, n * p_.y.n + channel * p_.y.c + border.y, p_.types.y)};
  }

  const Problem p_;
  const int32_t threads_;
  const std::unique_ptr<Kernel> kernel_;
  const std::vector<Patch> patches_;  // none: the kernel spoils nothing
  const double most_seconds_;         // beyond them it refuses to pack
  double channel_seconds_ = 0;        // of one channel's patches, on one thread
  const size_t list_;                 // bytes in front of the list: how many channels, then each
};

}  // namespace

std::unique_ptr<Kernel> mended(const Problem& p, const PlanContext& context, const Engine& reference,
                               double most_seconds, std::unique_ptr<Kernel> kernel) {
  if (kernel->spoils() == Kernel::Spoils::kAnything || p.written != Written::kY) return kernel;
  std::vector<Patch> patches;
  if (kernel->spoils() == Kernel::Spoils::kBorders) {
    for (Border& b : borders_of(p)) {
      auto patch = reference.plan(b.problem, {});
      if (!patch.ok()) return kernel;
      patches.push_back({b, std::move(*patch)});
    }
  }
  return std::make_unique<MendedKernel>(p, std::max(1, context.threads), std::move(kernel), std::move(patches),
                                        most_seconds);
}

}  // namespace ctconv
