// SPDX-License-Identifier: Apache-2.0
// Random legal problems with values: what every engine's tests, the fuzzers and the text's tests draw from.
//
//   in:  a random source, limits;   out: a Problem, every field of fields.h drawn; a Case, the problem with values
//   All ranks, groups, crops, tails, epilogues; lo of any sign, where limits.far says so far beyond the padding.
//   Layouts: dense, slices, or any view: gaps, negative steps, and for what is only read broadcasts. The written
//   operand never overlaps itself. A new field of an old kind is drawn near the least it may be.
#pragma once

#include <random>
#include <vector>

#include "src/plan/knows.h"
#include "tests/rig/definition.h"

namespace ctconv::rig {

using Rng = std::mt19937_64;

inline int64_t pick(Rng& rng, int64_t low, int64_t high) {  // both included
  return low + static_cast<int64_t>(rng() % static_cast<uint64_t>(high - low + 1));
}
template <class List>
auto one_of(Rng& rng, const List& list) {
  return list[static_cast<size_t>(pick(rng, 0, static_cast<int64_t>(std::size(list)) - 1))];
}

enum class Layouts {
  kDense,    // channels first or last
  kSlices,   // dense, now and then with gaps or every other element
  kViews,    // any order of dimensions, gaps, negative steps, broadcasts
  kNumbers,  // any numbers: not memory, only a problem to print, hash and compare
};

struct Limits {
  std::vector<Written> written = {Written::kY};
  std::vector<Types> types = {std::begin(kFloatTypes), std::end(kFloatTypes)};
  Layouts layouts = Layouts::kViews;
  std::array<int64_t, 3> extents = {40, 9, 5};   // most inputs of an axis, by rank
  int64_t channels = 35, groups = 4, steps = 4;  // steps: strides and dilations
  int64_t far = 0;                               // rows that lo may lie beyond the full extent, on either side
  double products = 1e5;                         // about the most multiply-adds; sizes are halved until they fit
  bool empty = false;                            // n = 0, and o = 0
  bool tails = true;
  bool activations = true;
  bool rescale = false;
  bool any_types = false;  // beside `types` any four of the table: nobody may compute them
};

Problem random_problem(Rng& rng, const Limits& limits);

// Every field anything its range allows: problems to print and to hash, not to compute.
Limits anything();

enum class Values { kSmallInteger, kReal };

// A view over memory of its own: element (0, 0, ...) lies at origin.
struct Memory {
  std::vector<uint8_t> bytes;
  int64_t origin = 0;  // elements
  void* data(Dtype t) { return bytes.data() + origin * static_cast<int64_t>(size_of(t)); }
  const void* data(Dtype t) const { return bytes.data() + origin * static_cast<int64_t>(size_of(t)); }
};

struct Case {
  Problem p;
  Memory x, w, y;             // of the written operand nothing
  std::vector<uint8_t> bias;  // of types.accumulator, each a value of types.y too; empty: none is read

  Operand operand() const {
    return {x.data(p.types.x), w.data(p.types.w), y.data(p.types.y), bias.empty() ? nullptr : bias.data()};
  }
  const Memory& memory(Written operand) const { return operand == Written::kY ? y : operand == Written::kX ? x : w; }
  Memory& memory(Written operand) { return operand == Written::kY ? y : operand == Written::kX ? x : w; }
};

// Integers from -4 to 4, whose sums are exact in any order, or reals below 1. Integer types hold integers.
Case make_case(const Problem& p, Rng& rng, Values values);

}  // namespace ctconv::rig
