// SPDX-License-Identifier: Apache-2.0
// Property: two plans of one op that name the same packing read the same packed weights, byte for byte.
//
//   One op: weights, groups, kernel, stride, dilation and element type are fixed. Its calls differ in extents, crops,
//   batch, layouts, threads and memory limits. A key that forgot something would give one plan the other's weights.
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "tests/native/forms.h"
#include "tests/native/random_problem.h"

namespace ctconv::native_test {
namespace {

struct Kept {
  std::vector<char> bytes;
  std::string text, form;
};

// Another call of the op that p came from.
Problem other_call(const Problem& p, std::mt19937_64& rng) {
  auto pick = [&](int64_t a, int64_t b) { return std::uniform_int_distribution<int64_t>(a, b)(rng); };
  Problem q = p;
  q.n = pick(0, 3) ? 1 : pick(2, p.n > 4 ? 300 : 4);
  for (int a = 3 - p.rank; a < 3; ++a) {
    Axis& x = q.axis[static_cast<size_t>(a)];
    x.i = pick(0, 3) == 0 ? 1 : pick(1, p.rank == 1 ? 400 : p.rank == 2 ? 30 : 8);
    const int64_t full = (x.i - 1) * x.s + (x.k - 1) * x.d + 1;
    if (pick(0, 2) == 0) x.lo = pick(0, std::min<int64_t>(full, 2 * x.s));
    x.o = std::max<int64_t>(1, full - x.lo - (pick(0, 2) ? pick(-3, 5) : 0));
    if (pick(0, 5) == 0) x.o = pick(1, x.o);
  }
  q.x = rig::sliced_layout(q, false, pick(0, 1) == 1, 0);
  q.y = rig::sliced_layout(q, true, pick(0, 1) == 1, 0);
  q.epilogue.bias = pick(0, 1) == 1;
  return q;
}

void same_key_same_bytes(const Engine& engine, uint64_t seed, int ops, int calls,
                         Problem (*draw)(rig::Rng&) = random_problem) {
  int shared = 0;
  for (int op = 0; op < ops; ++op) {
    std::mt19937_64 rng(seed * 1000003 + static_cast<uint64_t>(op));
    const Problem first = draw(rng);
    std::vector<char> w(static_cast<size_t>(first.weight_elements()) * size_of(first.types.x));
    for (int64_t at = 0; at < first.weight_elements(); ++at) {
      rig::store(w.data(), first.types.x, at, static_cast<double>(at % 1021 + 1) / 1024);
    }
    std::map<std::string, Kept> store;
    for (int call = 0; call < calls; ++call) {
      const Problem p = call == 0 ? first : other_call(first, rng);
      PlanContext context;
      context.threads = 1 + static_cast<int32_t>(rng() % 8);
      if (rng() % 4 == 0) context.workspace_limit = 1 << (8 + rng() % 16);
      auto planned = engine.plan(p, context);
      if (!planned.ok()) continue;
      const Kernel& k = **planned;
      if (k.packed_bytes() == 0) continue;
      std::vector<char> memory(k.packed_bytes() + kAlignment, static_cast<char>(0x5A));
      auto* packed = static_cast<char*>(align_up(memory.data()));
      const auto finite = k.pack(w.data(), packed, Runner());
      REQUIRE(finite.ok());
      REQUIRE(*finite);
      const std::string key = k.packing();
      REQUIRE_FALSE(key.empty());
      Kept now{{packed, packed + k.packed_bytes()}, text(p), k.form()};
      const auto [known, fresh] = store.emplace(key, now);
      shared += !fresh;
      if (known->second.bytes == now.bytes) continue;
      FAIL("op " << op << ", call " << call << ", key " << key << ":\n  " << known->second.text << "\n  "
                 << known->second.form << ", " << known->second.bytes.size() << " bytes\n  " << now.text << "\n  "
                 << now.form << ", " << now.bytes.size() << " bytes");
    }
  }
  CHECK(shared > ops);
}

}  // namespace

TEST_CASE("native: one packing key, one packing, whatever the planner chooses") {
  same_key_same_bytes(kNativeEngine, 21, 400, 20);
}
TEST_CASE("native: one packing key, one packing, in the form positions") {
  same_key_same_bytes(kPositions, 22, 300, 20);
}
TEST_CASE("native: one packing key, one packing, in the form channels") { same_key_same_bytes(kChannels, 23, 300, 20); }
TEST_CASE("native: one packing key, one packing, in turned pieces") {
  same_key_same_bytes(kTurned, 25, 300, 20, many_small);
}
TEST_CASE("native: one packing key, one packing, with phases in lanes") { same_key_same_bytes(kMerged, 24, 300, 20); }

}  // namespace ctconv::native_test
