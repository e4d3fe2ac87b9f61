// SPDX-License-Identifier: Apache-2.0
// The memory of one trial: every operand in its place between guards, what is written poisoned, what is read read-only.
//
//   in:  a Case;   out: pointers to each operand's first element, to packed weights and scratch; then what was written
//   Memory lies flush at its end and at its beginning by turns. One stage a thread serves its trials in turn.
#pragma once

#include <string>

#include "tests/rig/guarded.h"
#include "tests/rig/problems.h"

namespace ctconv::rig {

class Stage {
 public:
  static Stage& of_this_thread();

  void place(const Case& c);
  // The bias once more, in y's type.
  void narrow_bias(const Case& c);
  // Filled with what is a NaN to whoever trusts it.
  void* packed(size_t bytes);
  void* scratch(size_t bytes, size_t alignment);
  void packed_is_done() const { packed_.read_only(); }

  void* operand(Written o) const { return first_[static_cast<size_t>(o)]; }
  void* bias(const Case& c) const { return c.bias.empty() && written_biases(c.p) == 0 ? nullptr : bias_memory_; }

  // The written numbers; a fault where anything else changed. `tail`: the zeros behind the core too.
  Numbers written(const Problem& p, bool tail, std::string* fault) const;

 private:
  void* fill(Arena& arena, size_t bytes, size_t alignment, uint8_t value) const;
  void zeros(const Problem& p, int64_t origin, std::vector<bool>* ours, std::string* fault) const;
  void untouched(const Problem& p, int64_t origin, const std::vector<bool>& ours, std::string* fault) const;

  bool at_end_ = false;
  Arena operands_[3], bias_, packed_, scratch_;
  void *base_[3] = {}, *first_[3] = {}, *bias_memory_ = nullptr;
};

}  // namespace ctconv::rig
