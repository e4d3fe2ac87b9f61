// Property: whatever the bytes choose as dialect, arguments, tensors and output_size, every call answers OK or a known
//           status with a
// complete report, nothing beyond y is written, and nothing of y after a failure (hostile.h). Tensors are small where
// they are executed.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/hostile.h"

namespace {

class Bytes : public hostile::Source {
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes source(data, size);
  std::string said;
  hostile::Counts counts;
  const std::string fault = hostile::one_life(source, &said, &counts);
  if (!fault.empty()) {
    std::fprintf(stderr, "%s\n%s", said.c_str(), fault.c_str());
    std::abort();
  }
  return 0;
}
