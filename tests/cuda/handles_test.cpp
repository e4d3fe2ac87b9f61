// SPDX-License-Identifier: Apache-2.0
// Leases of cuDNN handles over a cuDNN of two functions: giving one back needs no memory.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "cuda/cudnn_handles.h"

namespace {

thread_local bool t_no_memory = false;
intptr_t g_made = 0;

cudnnStatus_t make(cudnnHandle_t* handle) {
  *handle = reinterpret_cast<cudnnHandle_t>(++g_made);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t set_stream(cudnnHandle_t, cudaStream_t) { return CUDNN_STATUS_SUCCESS; }

}  // namespace

// A program of its own for these.
void* operator new(std::size_t bytes) {
  void* p = t_no_memory ? nullptr : std::malloc(bytes);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace ctconv::cuda::testing {

TEST_CASE("a handle goes back without memory, many at once", "[cuda][handles]") {
  CudnnApi api{};
  api.create = make;
  api.set_stream = set_stream;
  std::vector<std::unique_ptr<HandleLease>> leases;
  for (int n = 0; n < 100; ++n) leases.push_back(std::make_unique<HandleLease>(api, 7, nullptr));
  CHECK(g_made == 100);
  t_no_memory = true;
  for (auto& lease : leases) lease.reset();  // the old pool's vector grew here: std::terminate
  t_no_memory = false;
  for (auto& lease : leases) lease = std::make_unique<HandleLease>(api, 7, nullptr);
  CHECK(g_made == 100);
}

}  // namespace ctconv::cuda::testing
