// Device memory for the GPU runs: guarded, poisoned, freed with its owner. A CUDA failure ends the run with its place.
//
//   in:      host vectors
//   out:     device copies with 256 guard bytes on both sides
//   refuses: throws std::runtime_error
#pragma once

#include <cuda_runtime_api.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/base/status.h"

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
  explicit Guarded(size_t bytes, size_t shift = 0) : bytes_(bytes), shift_(shift) {
    must(cudaMalloc(&base_, bytes + 2 * kGuard + shift), "cudaMalloc");
    poison();
  }
  Guarded(Guarded&& o) noexcept { swap(o); }
  Guarded& operator=(Guarded&& o) noexcept {
    swap(o);
    return *this;
  }
  ~Guarded() {
    if (base_) cudaFree(base_);
  }
  void* data() const { return static_cast<char*>(base_) + kGuard + shift_; }
  size_t bytes() const { return bytes_; }
  void poison() { must(cudaMemset(base_, 0xff, bytes_ + 2 * kGuard + shift_), "cudaMemset"); }
  void write(const void* from) { must(cudaMemcpy(data(), from, bytes_, cudaMemcpyHostToDevice), "copy to the device"); }
  template <class T>
  std::vector<T> read() const {
    std::vector<T> v(bytes_ / sizeof(T));
    must(cudaMemcpy(v.data(), data(), v.size() * sizeof(T), cudaMemcpyDeviceToHost), "copy from the device");
    return v;
  }
  bool guards_whole() const {
    std::vector<unsigned char> all(bytes_ + 2 * kGuard + shift_);
    must(cudaMemcpy(all.data(), base_, all.size(), cudaMemcpyDeviceToHost), "copy guards");
    for (size_t i = 0; i < kGuard + shift_; ++i) {
      if (all[i] != 0xff) return false;
    }
    for (size_t i = kGuard + shift_ + bytes_; i < all.size(); ++i) {
      if (all[i] != 0xff) return false;
    }
    return true;
  }

 private:
  void swap(Guarded& o) { std::swap(base_, o.base_), std::swap(bytes_, o.bytes_), std::swap(shift_, o.shift_); }
  void* base_ = nullptr;
  size_t bytes_ = 0, shift_ = 0;
};

}  // namespace ctconv::cuda::testing
