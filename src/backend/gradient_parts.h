// SPDX-License-Identifier: Apache-2.0
// The workspace of one backward call: temporaries between the sums and the caller's tensors, then the plans' own.
//
//   g = dy, or dy through the activation;   dx = plan(kX)(g, w);   dw, db = plan(kW)(x, g)
//   in:  a judged call, the alignment of a part;   out: [g][dx][dw][db] as far as they are not computed in place,
//        then room for the larger of the plans' own workspaces
//   refuses: a whole beyond the op's workspace_limit (UNSUPPORTED_ENGINE)
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "src/backend/gradients.h"
#include "src/base/memory.h"

namespace ctconv {

// Bytes; 0: that part is computed in place, or not at all.
struct GradientParts {
  size_t alignment = kAlignment;
  size_t g = 0, dx = 0, dw = 0, db = 0, plans = 0;

  GradientParts() = default;
  GradientParts(const GradientCall& call, size_t aligned) : alignment(aligned) {
    const auto dense = [&](const TensorView& t) {
      return round_up(static_cast<size_t>(count_of(t)) * static_cast<size_t>(bytes_of(t.type)), alignment);
    };
    if (call.activation.kind != Activation::kNone) g = dense(call.dy);
    if (call.data && call.accumulate) dx = dense(*call.dx);
    if (!call.weight) return;
    const Problem& p = *call.weight;
    if (call.accumulate && call.dw != nullptr) dw = dense(*call.dw);
    if (call.db != nullptr) {
      db = round_up(static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator), alignment);
    }
  }

  void add_plan(size_t bytes) { plans = std::max(plans, round_up(bytes, alignment)); }

  // The whole, with slack for any address; 0: none needed.
  size_t bytes() const {
    const size_t sum = g + dx + dw + db + plans;
    return sum ? sum + alignment - 1 : 0;
  }

  Status within(size_t limit) const {
    if (bytes() <= limit) return {};
    return argument_error(Code::UNSUPPORTED_ENGINE, "workspace_limit", std::to_string(limit),
                          ">= " + std::to_string(bytes()), "is less than these gradients need");
  }
};

// The parts in a workspace, one behind the other; null for a part of no bytes.
struct GradientMemory {
  void *g, *dx, *dw, *db, *plans;

  GradientMemory(const GradientParts& parts, void* workspace) {
    auto* next = static_cast<std::byte*>(align_up(workspace, parts.alignment));
    const auto take = [&](size_t bytes) -> void* { return bytes == 0 ? nullptr : std::exchange(next, next + bytes); };
    g = take(parts.g);
    dx = take(parts.dx);
    dw = take(parts.dw);
    db = take(parts.db);
    plans = take(parts.plans);
  }
};

}  // namespace ctconv
