// SPDX-License-Identifier: Apache-2.0
// The one list of a Problem's fields, in the order of its text.
//
//   in:  a Problem, const or not, and a visitor
//   out: visitor(key, field) for each field; `key` is its word in the problem text
//   The visitor overloads on the kinds below, so a field of a new kind does not compile until every visitor knows it.
//   hash_of, the text's printer and parser, the tests' generators and "every field counts" (tests/problem) follow.
#pragma once

#include <type_traits>

#include "src/problem/problem.h"

namespace ctconv {

// A count, and the least it may be. Int: int64_t, const or not.
template <class Int>
struct SizeField {
  Int& value;
  int64_t least;
};

// The same member of all three axes, and the least it may be. Axes: the array, const or not.
template <class Axes>
struct AxisField {
  Axes& axes;
  int64_t Axis::*member;
  int64_t least;
};

struct Rank {};  // tag: how many axes the caller sees

// Kinds: Written, Types, (Rank, int), SizeField, AxisField, ActivationLayout, WeightLayout, bool, Rescale, Activation.
template <class P, class Visitor>
void fields(P& p, Visitor&& visit) {
  static_assert(std::is_same_v<std::remove_const_t<P>, Problem>);
  using Axes = std::conditional_t<std::is_const_v<P>, const std::array<Axis, 3>, std::array<Axis, 3>>;
  using Int = std::conditional_t<std::is_const_v<P>, const int64_t, int64_t>;
  const auto size = [](Int& value, int64_t least) { return SizeField<Int>{value, least}; };
  const auto axes = [&](int64_t Axis::*member, int64_t least) { return AxisField<Axes>{p.axis, member, least}; };
  visit("written", p.written);
  visit("types", p.types);
  visit(Rank(), p.rank);
  visit("n", size(p.n, 0));
  visit("g", size(p.groups, 1));
  visit("ci", size(p.ci, 1));
  visit("co", size(p.co, 1));
  visit("i", axes(&Axis::i, 1));
  visit("k", axes(&Axis::k, 1));
  visit("s", axes(&Axis::s, 1));
  visit("d", axes(&Axis::d, 1));
  visit("lo", axes(&Axis::lo, -kMostLo));
  visit("o", axes(&Axis::o, 0));
  visit("tail", axes(&Axis::tail, 0));
  visit("x", p.x);
  visit("y", p.y);
  visit("w", p.w);
  visit("bias", p.epilogue.bias);
  visit("rescale", p.epilogue.rescale);
  visit("activation", p.epilogue.activation);
}

// A field that is not in the list would be forgotten by all that follow from it: who adds one changes these too.
static_assert(sizeof(Axis) == 7 * sizeof(int64_t));
static_assert(sizeof(Types) == 4 * sizeof(Dtype));
static_assert(sizeof(Epilogue) == 6 * sizeof(int64_t));
static_assert(sizeof(Problem) == 24 + 32 + sizeof(std::array<Axis, 3>) + 2 * sizeof(ActivationLayout) +
                                     sizeof(WeightLayout) + sizeof(Epilogue));

}  // namespace ctconv
