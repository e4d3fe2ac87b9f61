// SPDX-License-Identifier: Apache-2.0
// The workspace of one call: the caller's, or one that the backend spares between calls.
//
//   in:  a WorkCall or GradientCall, the bytes its plan needs, the backend's spare
//   out: what `run` answers, given memory of at least that size at any address; null where none is needed
//   refuses: WORKSPACE_SIZE where the caller's is too small; what the spare answers (NO_MEMORY)
//   A spare has with(stream, bytes, run) and bytes(); nobody else uses the memory before `run` returns.
#pragma once

#include <concepts>
#include <string>
#include <utility>

#include "src/backend/backend.h"

namespace ctconv {

template <class Spare>
concept SpareWorkspace = requires(Spare& spare, const Spare& held, void* stream, Status (*run)(void*)) {
  { spare.with(stream, size_t{}, run) } -> std::same_as<Status>;
  { held.bytes() } -> std::same_as<size_t>;
};

template <class Call, SpareWorkspace Spare, class F>
Status with_workspace(const Call& call, size_t need, Spare& spare, F&& run) {
  if (call.workspace != nullptr && call.workspace_bytes < need) {
    return argument_error(Code::WORKSPACE_SIZE, "workspace_bytes", std::to_string(call.workspace_bytes),
                          ">= " + std::to_string(need), "is smaller than this plan needs");
  }
  if (call.workspace != nullptr || need == 0) return run(call.workspace);
  return spare.with(call.stream, need, std::forward<F>(run));
}

}  // namespace ctconv
