// SPDX-License-Identifier: Apache-2.0
// Exchanging the operands; see as_forward.h.
#include "src/plan/as_forward.h"

#include <algorithm>
#include <utility>

namespace ctconv {
namespace {

class ExchangedKernel final : public Kernel {
 public:
  ExchangedKernel(int64_t weight_bytes, std::unique_ptr<Kernel> kernel)
      : weight_bytes_(weight_bytes), kernel_(std::move(kernel)) {}

  std::string form() const override { return kernel_->form() + ", x and y exchanged"; }
  Bits bits() const override { return kernel_->bits(); }
  double estimated_seconds() const override { return kernel_->estimated_seconds(); }
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  size_t packed_bytes() const override { return kernel_->packed_bytes(); }
  // What takes any weights packs some that others must refuse.
  std::string packing() const override {
    return kernel_->packing() + (kernel_->spoils() == Spoils::kNothing ? "/x, any" : "/x");
  }
  // A kernel that multiplies nothing but its input honours any weight.
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override {
    auto finite = kernel_->pack(static_cast<const char*>(w) + weight_bytes_, packed, runner);
    if (finite.ok() && kernel_->spoils() == Spoils::kNothing) return true;
    return finite;
  }
  const char* weights_not_honoured() const override { return kernel_->weights_not_honoured(); }
  Spoils spoils() const override { return kernel_->spoils(); }
  bool looks_at_input() const override { return kernel_->looks_at_input(); }
  Result<bool> honours_input(const Operands& memory, const Runner& runner) const override {
    return kernel_->honours_input(exchange(memory), runner);
  }
  Status run(const Operands& memory, const Runner& runner) const override {
    return kernel_->run(exchange(memory), runner);
  }

 private:
  Operands exchange(const Operands& m) const {
    Operands call = m;
    call.x = m.y;
    call.y = m.x;
    call.bias = nullptr;
    if (m.w != nullptr) call.w = static_cast<char*>(m.w) + weight_bytes_;
    return call;
  }

  int64_t weight_bytes_;
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace

Problem as_convolution(const Problem& p) {
  Problem q = p;
  q.written = Written::kY;
  std::swap(q.types.x, q.types.y);
  std::swap(q.ci, q.co);
  std::swap(q.w.ci, q.w.co);
  std::swap(q.x, q.y);
  for (Axis& a : q.axis) {
    std::swap(a.i, a.o);
    a.s = 1;
    a.tail = 0;
  }
  return q;
}

std::optional<Problem> as_forward(const Problem& p) {
  if (p.written != Written::kX) return std::nullopt;
  Problem q = as_convolution(p);
  for (size_t k = 0; k < 3; ++k) {
    if (p.axis[k].s != 1 && p.axis[k].i > 1) return std::nullopt;
    Axis& a = q.axis[k];
    a.lo = (a.k - 1) * a.d - a.lo;
    if (a.k > 1) q.w.tap[k] = -q.w.tap[k];    // of one tap any number may be the stride, also one without a negative
    if (a.lo > kMostLo) return std::nullopt;  // never below -kMostLo: it grew by the reach
  }
  return q;
}

std::unique_ptr<Kernel> exchanged(const Problem& p, bool reversed, std::unique_ptr<Kernel> kernel) {
  int64_t last = 0;
  for (size_t a = 0; reversed && a < 3; ++a) last += (p.axis[a].k - 1) * p.w.tap[a];
  return std::make_unique<ExchangedKernel>(last * static_cast<int64_t>(size_of(p.types.w)), std::move(kernel));
}

}  // namespace ctconv
