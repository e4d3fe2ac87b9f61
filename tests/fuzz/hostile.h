// SPDX-License-Identifier: Apache-2.0
// One random life of a descriptor and an op, extreme values included, and the property it must keep.
//
//   in:  a Source of choices (a random generator, or a fuzzer's bytes);   out: "" or what was broken
//   The property: every call answers CTCONV_OK or a known status whose error record is complete (kind, a message of
//   more
//   than 10 characters, strings that end, valid UTF-8); out-pointers are NULL after a failure; nothing beyond y is
//   written,
//   and nothing of y after kinds 1xxx to 4xxx and 7xxx. No crash, no hang, no sanitizer report.
#pragma once

#include <cstdint>
#include <iterator>
#include <string>

#include "include/ctconv/ctconv.h"

namespace hostile {

class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t below(uint64_t bound) = 0;  // 0 <= choice < bound
};

struct Counts {
  int64_t valid = 0, created = 0, planned = 0, executed = 0;
};

constexpr int64_t kExtremes[] = {INT64_MIN,
                                 INT64_MIN + 1,
                                 -(int64_t{1} << 62),
                                 -(int64_t{1} << 31) - 1,
                                 -(int64_t{1} << 31),
                                 -(int64_t{1} << 31) + 1,
                                 -2,
                                 -1,
                                 0,
                                 1,
                                 2,
                                 3,
                                 4,
                                 5,
                                 7,
                                 16,
                                 255,
                                 256,
                                 32767,
                                 (int64_t{1} << 31) - 1,
                                 int64_t{1} << 31,
                                 (int64_t{1} << 31) + 1,
                                 int64_t{1} << 32,
                                 int64_t{1} << 40,
                                 int64_t{1} << 53,
                                 (int64_t{1} << 62) - 1,
                                 int64_t{1} << 62,
                                 INT64_MAX - 1,
                                 INT64_MAX};

// Half of all extremes: what forgotten checks let through.
constexpr int64_t kNearest[] = {-1, 0, 1, INT64_MIN};

inline int64_t extreme_of(Source& source) {
  if (source.below(2) != 0) return kNearest[source.below(std::size(kNearest))];
  return kExtremes[source.below(std::size(kExtremes))];
}

// The choices that lives are made of.
class Draws {
 public:
  explicit Draws(Source& source) : s_(source) {}
  bool chance(uint64_t one_in) { return s_.below(one_in) == 0; }
  int64_t between(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(s_.below(static_cast<uint64_t>(high - low + 1)));
  }
  int64_t extreme() { return extreme_of(s_); }

 protected:
  Source& s_;
};

// What is wrong with an answer and its error record; "": nothing.
std::string fault_of(ctconv_status got, const ctconv_error& error);

// *said: the steps so far, one a line, for the report; null: none.
std::string one_life(Source& source, std::string* said, Counts* counts);
// Its first part alone: a descriptor is filled and judged. Counts valid.
std::string one_judged(Source& source, std::string* said, Counts* counts);
// A life whose arguments may well be legal: most are executed. Its tensors are drawn as for any life.
std::string one_legal(Source& source, std::string* said, Counts* counts);

}  // namespace hostile
