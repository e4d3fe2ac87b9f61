// SPDX-License-Identifier: Apache-2.0
// A fuzzer's bytes as a Source of choices: one byte a choice, two where the bound is above 256; 0 once they have ended.
#pragma once

#include <cstddef>

#include "tests/fuzz/hostile.h"

namespace hostile {

class Bytes : public Source {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint64_t below(uint64_t bound) override {
    if (at_ >= size_) return 0;
    uint64_t value = data_[at_++];
    if (bound > 256 && at_ < size_) value = value << 8 | data_[at_++];
    return value % bound;
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

}  // namespace hostile
