// SPDX-License-Identifier: Apache-2.0
// The one helper by which an engine refuses what it does not know; see knows.h.
#include "src/plan/knows.h"

#include <algorithm>

namespace ctconv {
namespace {

template <class T>
bool holds(std::span<const T> list, const T& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string text_of(const Types& t) {
  if (t == uniform_types(t.x)) return name_of(t.x);
  return std::string("x ") + name_of(t.x) + ", w " + name_of(t.w) + ", y " + name_of(t.y) + ", sums " +
         name_of(t.accumulator);
}

const char* weaker_than_asked(Bits bits) {
  if (bits == Bits::kReduced) return "it rounds operands below their own type, and math = 1 was not asked for";
  if (bits == Bits::kStable) return "its sums have an order of their own, and reproducible = 1 was asked for";
  return "its bits depend on the machine, and reproducible was asked for";
}

}  // namespace

Status check_bits(const char* engine, Bits bits, Bits weakest) {
  if (bits <= weakest) return {};
  return Status(Code::UNSUPPORTED_ENGINE, std::string(engine) + ": " + weaker_than_asked(bits));
}

Status check_known(const char* engine, const Knows& knows, const Problem& p) {
  const auto no = [&](const std::string& what) {
    return Status(Code::UNSUPPORTED_ENGINE, std::string(engine) + ": no " + what);
  };
  if (!holds(knows.written, p.written)) return no(std::string("problem that writes ") + name_of(p.written));
  const bool wide = p.written == Written::kW && holds(knows.weight_types, p.types);
  if (!wide && !holds(knows.types, p.types)) return no(text_of(p.types));
  const bool acts = p.epilogue.activation.kind != Activation::kNone;
  if (acts && !knows.activations) return no("activation");
  if (!p.epilogue.rescale.identity() && !knows.rescale) return no("rescaling");
  if (p.written != Written::kY && (acts || !p.epilogue.rescale.identity())) return no("epilogue on a gradient");
  if (p.written == Written::kX && p.epilogue.bias) return no("bias on a data gradient");
  return {};
}

}  // namespace ctconv
