// SPDX-License-Identifier: Apache-2.0
// Device memory of calls: the caller's workspace, the op's own one per stream, and what may be freed when.
#include <thread>

#include "tests/device/support.h"

using namespace device;

TEST_CASE("device: a workspace of the caller's at any address, or too small", "[device]") {
  HostModuleState& s = fresh();
  s.packs = true;
  s.scratch_bytes = 100;
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, nullptr, nullptr, &options);
  ctconv_call call = layer.per_call();
  const size_t bytes = prepared(op, call);
  REQUIRE(bytes > 0);
  for (size_t offset = 0; offset < 256; offset += 17) {
    std::vector<unsigned char> memory(bytes + 256, 0xC3);
    call.workspace = memory.data() + offset;
    call.workspace_bytes = bytes;
    run(op, call);
    CHECK((layer.y.values() == layer.want()));
    CHECK(reinterpret_cast<uintptr_t>(s.call.workspace) % 256 == 0);
    for (size_t n = 0; n < memory.size(); ++n) {
      if (n < offset || n >= offset + bytes) REQUIRE(memory[n] == 0xC3);
    }
  }
  const int64_t before = s.executions;
  Error error;
  call.workspace_bytes = bytes - 1;
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_WORKSPACE_SIZE, "workspace_bytes");
  CHECK(std::string(error.range).find(std::to_string(bytes)) != std::string::npos);
  call.workspace = nullptr;
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_MISUSE_WORKSPACE, "workspace");
  CHECK(s.executions == before);
  CHECK(s.buffers_live == 0);
}

TEST_CASE("device: without a workspace a call allocates once for each stream and never waits", "[device]") {
  HostModuleState& s = fresh();
  s.packs = true;
  s.scratch_bytes = 100;
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, nullptr, nullptr, &options);
  ctconv_call call = layer.per_call();
  for (const uintptr_t number : {0, 1, 2}) {
    call.stream = stream(number);
    run(op, call);
  }
  CHECK(s.allocations == 3);
  CHECK(s.synchronisations == 0);
  for (int times = 0; times < 30; ++times) {
    call.stream = stream(static_cast<uintptr_t>(times % 3));
    run(op, call);
  }
  CHECK(s.allocations == 3);
  CHECK(s.synchronisations == 0);
  CHECK(s.shared == 0);
  CHECK((layer.y.values() == layer.want()));
}

TEST_CASE("device: a plan that needs no workspace takes none", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, nullptr, nullptr, &options);
  const ctconv_call call = layer.per_call();
  CHECK(prepared(op, call) == 0);
  for (int times = 0; times < 3; ++times) run(op, call);
  CHECK(s.allocations == 0);
  CHECK(s.synchronisations == 0);
}

TEST_CASE("device: a workspace grows behind the work that uses it", "[device]") {
  HostModuleState& s = fresh();
  s.deferred = true;
  Layer layer;
  Conv wider = layer.conv;
  wider.in = {6, 9};
  Layer other(wider);
  const ctconv_options options = cuda_options();
  Op op = create(layer.desc, &layer.w, &layer.b, &options);
  s.scratch_bytes = 100;
  run(op, layer.given());
  CHECK(layer.y.untouched());  // enqueued only
  s.scratch_bytes = 5000;
  run(op, call_of(&other.x, &other.y));
  CHECK(s.synchronisations == 1);
  CHECK(s.waiting_frees == 0);
  const int64_t allocated = s.allocations;
  run(op, layer.given());  // the smaller plan in the larger buffer
  CHECK(s.allocations == allocated);
  CHECK(s.synchronisations == 1);
  op = Op();
  CHECK((layer.y.values() == layer.want()));
  CHECK(s.waiting_frees == 0);
  CHECK(s.buffers_live == 0);
}

TEST_CASE("device: destroy and eviction wait for the work before its memory goes", "[device]") {
  for (const size_t scratch : {0, 64}) {
    HostModuleState& s = fresh();
    s.deferred = s.packs = true;
    s.scratch_bytes = scratch;
    Layer layer;
    Conv wider = layer.conv;
    wider.in = {6, 9};
    Layer other(wider);
    ctconv_options options = cuda_options();
    options.plan_limit = 1;
    Op op = create(layer.desc, &layer.w, &layer.b, &options);
    for (int times = 0; times < 3; ++times) {
      run(op, layer.given());
      run(op, call_of(&other.x, &other.y));
      CHECK(s.plans_live == 1);
    }
    CHECK(s.waiting_frees == 0);
    op = Op();
    CHECK(s.waiting_frees == 0);
    CHECK(s.plans_live == 0);
    CHECK(s.buffers_live == 0);
    CHECK(s.bytes_live == 0);
    CHECK((layer.y.values() == layer.want()));
    CHECK((other.y.values() == wider.scatter(other.x, layer.w, &layer.b)));
  }
}

TEST_CASE("device: many streams keep no more than eight workspaces", "[device]") {
  HostModuleState& s = fresh();
  s.deferred = true;
  s.scratch_bytes = 1000;
  Layer layer;
  const ctconv_options options = cuda_options();
  Op op = create(layer.desc, nullptr, nullptr, &options);
  ctconv_call call = layer.per_call();
  for (uintptr_t number = 0; number < 50; ++number) {
    call.stream = stream(number);
    run(op, call);
    CHECK(s.buffers_live <= 8);
  }
  CHECK(s.buffers_live == 8);
  CHECK(s.shared == 0);
  CHECK(describe(op, nullptr).find("\nworkspace_held_bytes: " + std::to_string(8 * (1000 + 255)) + "\n") !=
        std::string::npos);
  op = Op();
  CHECK(s.buffers_live == 0);
  CHECK((layer.y.values() == layer.want()));
}

TEST_CASE("device: threads on one op, on one stream and on streams of their own", "[device]") {
  for (const bool one_stream : {true, false}) {
    HostModuleState& s = fresh();
    s.packs = s.slow = true;
    s.scratch_bytes = 64;
    Layer layer;
    const ctconv_options options = cuda_options();
    Op op = create(layer.desc, nullptr, nullptr, &options);
    const auto want = layer.want();
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (uintptr_t number = 1; number <= 4; ++number) {
      threads.emplace_back([&, number] {
        for (int times = 0; times < 50; ++times) {
          Tensor y(layer.conv.y_shape());
          there(y);
          ctconv_call call = layer.per_call();
          call.y = y.get();
          call.stream = stream(one_stream ? 1 : number);
          if (ctconv_execute(op.get(), &call, nullptr) != CTCONV_OK || y.values() != want) ++wrong;
        }
      });
    }
    for (std::thread& t : threads) t.join();
    CHECK(wrong == 0);
    CHECK(s.shared == 0);
    CHECK(s.allocations == (one_stream ? 1 : 4));
    CHECK(s.synchronisations == 0);
    op = Op();
  }
}

TEST_CASE("device: the per-thread default stream is a stream for each thread", "[device]") {
  HostModuleState& s = fresh();
  s.scratch_bytes = 64;
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, &layer.w, &layer.b, &options);
  ctconv_call call = layer.given();
  call.stream = reinterpret_cast<void*>(uintptr_t{2});  // cudaStreamPerThread
  run(op, call);
  const void* first = s.call.workspace;
  const void* second = nullptr;
  std::thread([&] {
    ctconv_execute(op.get(), &call, nullptr);
    second = s.call.workspace;
  }).join();
  CHECK(second != nullptr);
  CHECK(first != second);
}
