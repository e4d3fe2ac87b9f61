// SPDX-License-Identifier: Apache-2.0
// int64 arithmetic that remembers overflow, so that a formula reads like the formula.
//
//   in:  int64 operands;   out: value and one flag;   refuses: nothing, the reader asks ok() once at the end
//   e.g. Checked out = (Checked(i) - 1) * s + Checked(d) * (k - 1) + 1;  if (!out.ok()) …
#pragma once

#include <cstdint>

namespace ctconv {

class Checked {
 public:
  constexpr Checked(int64_t value) : value_(value) {}  // NOLINT: implicit by design

  constexpr bool ok() const { return ok_; }
  constexpr int64_t value() const { return value_; }  // meaningful only if ok()

  friend constexpr Checked operator+(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_add_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }
  friend constexpr Checked operator-(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_sub_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }
  friend constexpr Checked operator*(Checked a, Checked b) {
    Checked r(0);
    r.ok_ = !__builtin_mul_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }

 private:
  int64_t value_;
  bool ok_ = true;
};

constexpr int64_t floor_div(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return a / b + ((a % b != 0) && ((a < 0) == (b < 0))); }

// Where part i of `parts` begins among `total` things: floor(total * i / parts) for 0 <= i <= parts, whatever the
// product of two such numbers.
constexpr int64_t begin_of_part(int64_t total, int64_t i, int64_t parts) {
  const Checked product = Checked(total) * i;
  if (product.ok()) return product.value() / parts;  // a division of 128 bits is a call
  using Wide = __int128;
  return static_cast<int64_t>(static_cast<Wide>(total) * i / parts);
}

}  // namespace ctconv
