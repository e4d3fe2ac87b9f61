// SPDX-License-Identifier: Apache-2.0
// Batches in pieces; see pieces.h.
#include "src/plan/pieces.h"

#include <algorithm>

#include "src/base/checked.h"
#include "src/machine/machine.h"
#include "src/plan/workspace.h"

namespace ctconv {
namespace {

constexpr double kPieceCycles = 7300;  // entering a kernel once more: two microseconds at 3.65 GHz

class PiecesKernel final : public Kernel {
 public:
  PiecesKernel(const Problem& p, int64_t images, std::unique_ptr<Kernel> piece)
      : images_(images), pieces_(ceil_div(p.n, images)), last_(p.n - images), piece_(std::move(piece)) {
    x_image_ = p.x.n * static_cast<int64_t>(size_of(p.types.x));
    y_image_ = p.y.n * static_cast<int64_t>(size_of(p.types.y));
  }

  std::string form() const override {
    return piece_->form() + ", " + std::to_string(pieces_) + " pieces of " + std::to_string(images_) + " images";
  }
  Bits bits() const override { return piece_->bits(); }
  double estimated_seconds() const override {
    return static_cast<double>(pieces_) * (piece_->estimated_seconds() + machine().seconds(kPieceCycles));
  }
  size_t scratch_bytes() const override { return piece_->scratch_bytes(); }
  size_t packed_bytes() const override { return piece_->packed_bytes(); }
  std::string packing() const override { return piece_->packing(); }
  Result<bool> pack(const void* w, void* packed, const Runner& runner) const override {
    return piece_->pack(w, packed, runner);
  }
  const char* weights_not_honoured() const override { return piece_->weights_not_honoured(); }
  Spoils spoils() const override { return piece_->spoils(); }
  bool looks_at_input() const override { return piece_->looks_at_input(); }
  Result<bool> honours_input(const Operands& memory, const Runner& runner) const override {
    Operands m = memory;
    for (int64_t i = 0; i < pieces_; ++i) {
      m.x = static_cast<char*>(memory.x) + first_image(i) * x_image_;
      m.y = static_cast<char*>(memory.y) + first_image(i) * y_image_;
      auto honoured = piece_->honours_input(m, runner);
      if (!honoured.ok() || !*honoured) return honoured;
    }
    return true;
  }

  Status run(const Operands& memory, const Runner& runner) const override {
    Operands m = memory;
    for (int64_t i = 0; i < pieces_; ++i) {
      m.x = static_cast<char*>(memory.x) + first_image(i) * x_image_;
      m.y = static_cast<char*>(memory.y) + first_image(i) * y_image_;
      CTCONV_RETURN_IF_ERROR(piece_->run(m, runner));
    }
    return {};
  }

 private:
  int64_t first_image(int64_t piece) const { return std::min(piece * images_, last_); }

  int64_t images_, pieces_, last_;
  int64_t x_image_ = 0, y_image_ = 0;  // bytes from one image to the next
  std::unique_ptr<Kernel> piece_;
};

}  // namespace

std::unique_ptr<Kernel> in_pieces(const Problem& p, const Engine& engine, const PlanContext& context,
                                  std::unique_ptr<Kernel> whole) {
  const double budget = scratch_budget(p, context.threads), needed = static_cast<double>(whole->scratch_bytes());
  const int64_t least = std::max(1, context.threads);  // an image for each thread
  if (p.written == Written::kW) return whole;          // pieces of the batch would each begin the sums anew
  if (p.n <= least || needed <= budget) return whole;
  const auto fits = static_cast<int64_t>(static_cast<double>(p.n) * budget / needed);
  Problem piece = p;
  piece.n = std::max(fits, least);
  piece.n = ceil_div(p.n, ceil_div(p.n, piece.n));  // as even as possible
  PlanContext free = context;
  free.beat_seconds = PlanContext().beat_seconds;
  auto kernel = engine.plan(piece, free);
  if (!kernel.ok() || (*kernel)->scratch_bytes() >= whole->scratch_bytes()) return whole;
  return std::make_unique<PiecesKernel>(p, piece.n, std::move(*kernel));
}

}  // namespace ctconv
