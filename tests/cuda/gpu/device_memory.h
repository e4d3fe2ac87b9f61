// SPDX-License-Identifier: Apache-2.0
// Device memory for the GPU runs: guarded, poisoned, kept for the next size, freed with its owner.
//
//   in:      host vectors
//   out:     device copies with 256 guard bytes on both sides; data() has 256-byte alignment plus `shift`
//   refuses: throws std::runtime_error with the place
#pragma once

#include <cuda_runtime_api.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/base/status.h"
#include "tests/cuda/gpu/device_checks.h"

namespace ctconv::cuda::testing {

inline void must(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}
inline void must(const Status& status, const char* what) {
  if (!status.ok()) throw std::runtime_error(std::string(what) + ": " + status.detail().message);
}

class Guarded {
 public:
  static constexpr size_t kGuard = 256;
  Guarded() = default;
  explicit Guarded(size_t bytes, size_t shift = 0) { resize(bytes, shift); }
  Guarded(Guarded&& o) noexcept { swap(o); }
  Guarded& operator=(Guarded&& o) noexcept {
    swap(o);
    return *this;
  }
  ~Guarded() {
    if (base_) cudaFree(base_);
  }
  // Another size, all of it poison. Allocates only where it must grow: device allocations are slow and wait.
  void resize(size_t bytes, size_t shift = 0) {
    const size_t all = bytes + 2 * kGuard + shift;
    if (all > capacity_) {
      if (base_) must(cudaFree(base_), "cudaFree");
      base_ = nullptr;
      capacity_ = 0;
      must(cudaMalloc(&base_, all + all / 4), "cudaMalloc");
      capacity_ = all + all / 4;
    }
    bytes_ = bytes;
    shift_ = shift;
    poison();
  }
  void* data() const { return static_cast<char*>(base_) + kGuard + shift_; }
  size_t bytes() const { return bytes_; }
  void poison(cudaStream_t stream = nullptr) {
    must(cudaMemsetAsync(base_, 0xff, bytes_ + 2 * kGuard + shift_, stream), "cudaMemset");
  }
  void write(const void* from) { must(cudaMemcpy(data(), from, bytes_, cudaMemcpyHostToDevice), "copy to the device"); }
  template <class T>
  std::vector<T> read() const {
    std::vector<T> v(bytes_ / sizeof(T));
    must(cudaMemcpy(v.data(), data(), v.size() * sizeof(T), cudaMemcpyDeviceToHost), "copy from the device");
    return v;
  }
  // Adds the number of guard bytes that were written to *count, device memory.
  void count_guards(unsigned long long* count, cudaStream_t stream) const {
    count_touched(base_, kGuard + shift_, count, stream);
    count_touched(static_cast<char*>(data()) + bytes_, kGuard, count, stream);
  }
  bool guards_whole() const {
    unsigned char around[2 * kGuard + 16];
    const size_t front = kGuard + shift_;
    must(cudaMemcpy(around, base_, front, cudaMemcpyDeviceToHost), "copy guards");
    must(cudaMemcpy(around + front, static_cast<char*>(data()) + bytes_, kGuard, cudaMemcpyDeviceToHost),
         "copy guards");
    for (size_t i = 0; i < front + kGuard; ++i) {
      if (around[i] != 0xff) return false;
    }
    return true;
  }

 private:
  void swap(Guarded& o) {
    std::swap(base_, o.base_);
    std::swap(bytes_, o.bytes_);
    std::swap(shift_, o.shift_);
    std::swap(capacity_, o.capacity_);
  }
  void* base_ = nullptr;
  size_t bytes_ = 0, shift_ = 0, capacity_ = 0;  // shift at most 16
};

}  // namespace ctconv::cuda::testing
