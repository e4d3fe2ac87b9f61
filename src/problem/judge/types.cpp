// SPDX-License-Identifier: Apache-2.0
// Judgements of element types: taken by the dialect, and the same for x, weight and bias. See checks.h.
#include <algorithm>

#include "src/problem/judge/checks.h"

namespace ctconv {
namespace {

bool holds(const std::vector<ElementType>& types, ElementType type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

bool taken(const Facts& f, ElementType type) {
  return holds(f.desc.types, type) || (f.call.cuda && holds(f.desc.types_on_cuda, type));
}

// The first tensor of a type that is not taken. A bias is asked on its own; beside others its type must agree anyway.
const TensorView* first_not_taken(const Facts& f) {
  if (f.x && !taken(f, f.x->type)) return f.x;
  if (f.new_weight() && !taken(f, f.w->type)) return f.w;
  if (!f.x && !f.w && f.b && !taken(f, f.b->type)) return f.b;
  return nullptr;
}

const std::string& name_of(const Facts& f, const TensorView* tensor) {
  if (tensor == f.x) return f.desc.spelling.x;
  return tensor == f.w ? f.desc.spelling.w : f.desc.spelling.b;
}

}  // namespace

Status judge_input_type(const Facts& f) {
  const TensorView* wrong = first_not_taken(f);
  if (!wrong) return {};
  std::string legal;
  for (ElementType type : f.desc.types) legal += (legal.empty() ? "" : ", ") + name_of(type);
  for (ElementType type : f.desc.types_on_cuda) legal += ", " + name_of(type) + " (on cuda only)";
  return argument_error(Code::TYPE_INPUT_DTYPE, name_of(f, wrong), name_of(wrong->type), legal,
                        "has an unsupported element type");
}

Status judge_types_agree(const Facts& f) {
  // An op's own weight was judged when it was made: a call that differs from it is at fault, not the weight.
  const TensorView* first = f.x && (!f.w || f.new_weight()) ? f.x : f.w;
  if (!first) first = f.b;
  if (!first) return {};
  const ElementType want = f.desc.fixed_type ? f.desc.type : first->type;
  for (const TensorView* tensor : {f.x, f.w, f.b}) {
    if (!tensor || tensor->type == want) continue;
    const std::string reason =
        f.desc.fixed_type ? "differs from the dtype argument" : "differs in element type from " + name_of(f, first);
    return argument_error(Code::TYPE_DTYPE_MISMATCH, name_of(f, tensor), name_of(tensor->type), name_of(want), reason);
  }
  return {};
}

}  // namespace ctconv
