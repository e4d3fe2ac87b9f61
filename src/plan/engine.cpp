// SPDX-License-Identifier: Apache-2.0
// Asking an engine; see engine.h.
#include "src/plan/engine.h"

#include <algorithm>

#include "src/plan/as_forward.h"

namespace ctconv {
namespace {

Result<std::unique_ptr<Kernel>> known(const Engine& engine, const Problem& problem, const PlanContext& context) {
  CTCONV_RETURN_IF_ERROR(check_known(engine.name, engine.knows, problem));
  auto kernel = engine.make(problem, context);
  if (kernel.ok()) CTCONV_RETURN_IF_ERROR(check_bits(engine.name, (*kernel)->bits(), context.weakest));
  return kernel;
}

bool writes(const Engine& engine, Written written) {
  const auto& all = engine.knows.written;
  return std::find(all.begin(), all.end(), written) != all.end();
}

}  // namespace

Result<std::unique_ptr<Kernel>> Engine::plan(const Problem& problem, const PlanContext& context) const {
  CTCONV_RETURN_IF_ERROR(check_bits(name, strongest, context.weakest));
  if (problem.written != Written::kX || writes(*this, Written::kX)) return known(*this, problem, context);
  const auto forward = as_forward(problem);
  if (!forward) return known(*this, problem, context);
  if (!check_known(name, knows, *forward).ok()) return known(*this, problem, context);
  auto kernel = known(*this, *forward, context);
  if (!kernel.ok()) return kernel;
  return exchanged(problem, true, std::move(*kernel));
}

}  // namespace ctconv
