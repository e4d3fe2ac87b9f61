// SPDX-License-Identifier: Apache-2.0
// Each step of planning and running a stream may fail: the status is that step's, and a reset makes the stream as new.
#include <catch2/catch_test_macros.hpp>

#include "tests/stream/backend.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

// An allocator that has so many bytes and no more.
struct Purse {
  size_t left = SIZE_MAX;
  Allocator allocator() {
    Allocator a;
    a.user = this;
    a.alloc = [](void* user, size_t bytes, size_t alignment) -> void* {
      auto* purse = static_cast<Purse*>(user);
      if (bytes > purse->left) return nullptr;
      purse->left -= bytes;
      return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    };
    a.release = [](void*, void* memory, size_t, size_t) { std::free(memory); };
    return a;
  }
};

Options options_of(Purse* purse) {
  Options options;
  options.allocator = purse->allocator();
  return options;
}

Status push(Stream* s, int64_t count) {
  std::vector<float> x, y;
  const int64_t coming = s->coming(count);
  return s->push(view(&x, 1, 1, count), view(&y, 1, 1, coming));
}

Status flush(Stream* s) {
  std::vector<float> y;
  auto left = s->left();
  REQUIRE(left.ok());
  return s->flush(view(&y, 1, 1, *left));
}

constexpr Line kFar = {.k = 2, .d = 100};  // it looks back 100 inputs: pieces of the warm-up are made when needed

}  // namespace

TEST_CASE("the n-th piece that cannot be fixed ends the plan, for every n", "[stream]") {
  for (const Line& line : {Line{}, Line{.lo = 5, .hi = 4}, kFar}) {
    Setup counted(line);
    REQUIRE(counted.plan().ok());
    const int pieces = counted.script.fixed;
    CHECK(pieces > 3);
    for (int n = 1; n <= pieces; ++n) {
      Setup s(line);
      s.script.fix_fails_at = n;
      CHECK(s.plan().status().code() == Code::NO_MEMORY);
      CHECK(s.script.fixed == n);
    }
  }
}

TEST_CASE("a backend without streams says so", "[stream]") {
  Setup s(Line{});
  s.script.fix_fails_at = -1;
  auto plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::UNSUPPORTED_STREAM);
  CHECK(plan.status().detail().argument == "device");
}

TEST_CASE("a piece that fails ends push and flush, and a reset makes the stream as new", "[stream]") {
  Setup s(Line{});
  auto made = s.stream();
  REQUIRE(made.ok());
  Stream& stream = **made;
  s.script.run_fails_at = 2;
  CHECK(push(&stream, 40).code() == Code::MISUSE_RUNNER);
  CHECK(s.script.runs == 2);
  stream.reset();
  CHECK(stream.inputs() == 0);
  s.script.run_fails_at = 0;
  REQUIRE(push(&stream, 40).ok());
  s.script.run_fails_at = s.script.runs + 1;
  CHECK(flush(&stream).code() == Code::MISUSE_RUNNER);
  CHECK(stream.inputs() == 40);
  CHECK(flush(&stream).ok());
  CHECK(stream.inputs() == 0);
}

TEST_CASE("a piece made when it is needed may fail, by push and by flush", "[stream]") {
  Setup s(kFar);
  auto made = s.stream();
  REQUIRE(made.ok());
  Stream& stream = **made;
  s.script.fix_fails_at = s.script.fixed + 3;
  CHECK(push(&stream, 10).code() == Code::NO_MEMORY);
  CHECK(stream.inputs() == 2);
  stream.reset();
  REQUIRE(push(&stream, 10).ok());
  s.script.fix_fails_at = s.script.fixed + 1;
  CHECK(flush(&stream).code() == Code::NO_MEMORY);
  CHECK(flush(&stream).ok());
}

TEST_CASE("a piece made when it is needed may want a larger workspace, which may not be there", "[stream]") {
  Purse purse;
  Setup s(kFar, options_of(&purse));
  s.script.workspace = 64;
  auto made = s.stream();
  REQUIRE(made.ok());
  Stream& stream = **made;
  CHECK(stream.workspace_bytes() == 64);
  s.script.workspace_of_later = 4096;
  REQUIRE(push(&stream, 3).ok());
  CHECK(stream.workspace_bytes() == 4096);
  s.script.workspace_of_later = 8192;
  purse.left = 0;
  const Status status = push(&stream, 3);
  CHECK(status.code() == Code::NO_MEMORY);
  CHECK(status.detail().message == "stream: no memory for 8192 bytes of state");
}

TEST_CASE("each buffer of a stream, and of its clone, may find no memory", "[stream]") {
  Purse purse;
  Setup s(Line{.co = 4}, options_of(&purse));
  s.script.workspace = 128;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  const size_t enough = SIZE_MAX / 2;
  purse.left = enough;
  auto whole = Stream::make(*plan);
  REQUIRE(whole.ok());
  const size_t need = enough - purse.left;
  int refused = 0;
  for (size_t bytes = 0; bytes < need; bytes += 8) {
    purse.left = bytes;
    auto made = Stream::make(*plan);
    REQUIRE_FALSE(made.ok());
    CHECK(made.status().code() == Code::NO_MEMORY);
    purse.left = bytes;
    CHECK((*whole)->clone().status().code() == Code::NO_MEMORY);
    ++refused;
  }
  CHECK(refused > 3);
  purse.left = need;
  CHECK((*whole)->clone().ok());
}

TEST_CASE("state of 2^63 bytes or more is refused before memory is asked for", "[stream]") {
  Purse purse;
  Setup s(Line{.ci = 1000}, options_of(&purse));
  s.request.n = int64_t{1} << 46;
  auto made = s.stream();
  REQUIRE_FALSE(made.ok());
  CHECK((made.status().code() == Code::NO_MEMORY || made.status().code() == Code::SHAPE_OUTPUT_OVERFLOW));
  CHECK(purse.left == SIZE_MAX);
  Setup wide(Line{.co = int64_t{1} << 16}, options_of(&purse));
  purse.left = size_t{1} << 30;
  wide.request.n = int64_t{1} << 28;
  made = wide.stream();
  REQUIRE_FALSE(made.ok());
  CHECK((made.status().code() == Code::NO_MEMORY || made.status().code() == Code::SHAPE_OUTPUT_OVERFLOW));
}

TEST_CASE("pads that eat any length are refused as a call of it would be", "[stream]") {
  Setup s(Line{.lo = int64_t{1} << 50, .hi = int64_t{1} << 50});
  CHECK(s.plan().status().code() == Code::SHAPE_OUTPUT_EMPTY);
  Setup some(Line{.lo = 3000, .hi = 3000});  // eaten at the first length that is tried, not at the second
  auto stream = some.stream();
  REQUIRE(stream.ok());
  CHECK((*stream)->plan().schedule().delay == 3000 + 3000 - 2);
  CHECK(flush(stream->get()).ok());  // nothing came
  REQUIRE(push(stream->get(), 2).ok());
  CHECK((*stream)->left().status().code() == Code::SHAPE_OUTPUT_EMPTY);
}

TEST_CASE("a look-back whose sums leave 63 bits is refused before any piece is fixed", "[stream]") {
  const int64_t far = INT64_MAX / 2;
  Setup s(Line{.k = 2, .d = far, .lo = far + 2});
  auto plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::UNSUPPORTED_STREAM);
  CHECK(plan.status().detail().range == "sums that fit 63 bits");
  CHECK(s.script.fixed == 0);
}

TEST_CASE("pads so far beyond the input that no piece could say how far are refused", "[stream]") {
  const int64_t far = int64_t{1} << 61;  // kMostLo
  Setup s(Line{.k = 2, .d = far + 20, .lo = far + 5});
  auto plan = s.plan();
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == Code::MISUSE_REGION);
  CHECK(plan.status().detail().range == "rows whose sums fit 62 bits");
  CHECK(s.script.fixed == 0);
}

TEST_CASE("outputs of one input that nobody could count: the shortest steps, and state that has no room", "[stream]") {
  const int64_t stride = int64_t{1} << 52;
  Setup s(Line{.co = 2048, .k = 1, .s = stride, .lo = 1023 * stride - 10});  // of 1024 inputs 11 outputs are left
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK((*plan)->chunk() == 16);
  CHECK((*plan)->copied() == 16);
  auto made = Stream::make(*plan);
  REQUIRE_FALSE(made.ok());
  CHECK(made.status().code() == Code::NO_MEMORY);
  CHECK(made.status().detail().message == "stream: no memory for 2^63 or more bytes of state");
}

TEST_CASE("a stream of no signal has pieces without a call, and runs nothing", "[stream]") {
  Setup s(Line{.s = 2});
  s.request.n = 0;
  auto made = s.stream();
  REQUIRE(made.ok());
  CHECK(s.script.fixed == 0);
  Stream& stream = **made;
  std::vector<float> none;
  CHECK(stream.coming(5) == 10 - stream.plan().schedule().delay);
  REQUIRE(stream.push(view(&none, 0, 1, 5), view(&none, 0, 1, stream.coming(5))).ok());
  auto twin = stream.clone();
  REQUIRE(twin.ok());
  CHECK((*twin)->inputs() == 5);
  CHECK(s.script.runs == 0);
}

TEST_CASE("channels that no argument tells are the weight's, of all groups", "[stream]") {
  Setup s(Line{.ci = 6, .co = 4});
  s.desc.in_channels = s.desc.out_channels = 0;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK((*plan)->geometry().in_channels == 6);
  s.desc.groups = 3;
  s.desc.weight_order = WeightOrder::kGroupInOutTaps;
  std::vector<float> memory(3 * 2 * 4 * 3);
  TensorView grouped = s.weight_view;
  grouped.ndim = 4;
  grouped.shape = {3, 2, 4, 3};
  lie_dense(&grouped, memory.data());
  REQUIRE(s.backend.adopt(&grouped, nullptr).ok());
  plan = s.plan();
  REQUIRE(plan.ok());
  CHECK((*plan)->geometry().in_channels == 6);
  CHECK((*plan)->geometry().out_channels == 12);
}

TEST_CASE("a chunk is cut to a power of two, and the longest step is it", "[stream]") {
  for (const auto& [asked, chunk] : {std::pair<int64_t, int64_t>{1, 1}, {2, 2}, {7, 4}, {64, 64}, {65535, 32768}}) {
    Setup s(Line{});
    s.request.chunk = asked;
    auto plan = s.plan();
    REQUIRE(plan.ok());
    CHECK((*plan)->chunk() == chunk);
    CHECK((*plan)->copied() == chunk);
  }
}
