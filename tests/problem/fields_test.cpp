// SPDX-License-Identifier: Apache-2.0
// The list of fields is complete: a field that changes changes the hash, the text, the tuning key and the record that
// goes to the device, or the device is never asked.
#include "src/problem/fields.h"

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "src/backend/cuda/cuda_module.h"
#include "src/plan/knows.h"
#include "src/plan/tune.h"
#include "src/problem/text.h"

using namespace ctconv;

namespace {

// Changes the n-th part of a Problem, counted over all fields; `name` says which it was.
struct Change {
  int wanted;
  std::string name;
  int seen = 0;

  bool mine(const char* key) {
    if (seen++ != wanted) return false;
    name = key;
    return true;
  }
  template <class T>
  void number(const char* key, T& v) {
    if (mine(key)) v += 1;
  }
  void operator()(const char* key, Written& v) {
    if (mine(key)) v = Written::kW;
  }
  void operator()(const char* key, Types& v) {
    for (Dtype* t : {&v.x, &v.w, &v.y, &v.accumulator}) {
      if (mine(key)) *t = Dtype::kF64;
    }
  }
  void operator()(Rank, int& v) {
    if (mine("rank")) v -= 1;
  }
  void operator()(const char* key, SizeField<int64_t> v) { number(key, v.value); }
  void operator()(const char* key, AxisField<std::array<Axis, 3>> v) {
    for (Axis& a : v.axes) number(key, a.*v.member);
  }
  void operator()(const char* key, ActivationLayout& v) {
    for (int64_t* s : {&v.n, &v.c, &v.axis[0], &v.axis[1], &v.axis[2]}) number(key, *s);
  }
  void operator()(const char* key, WeightLayout& v) {
    for (int64_t* s : {&v.g, &v.ci, &v.co, &v.tap[0], &v.tap[1], &v.tap[2]}) number(key, *s);
  }
  void operator()(const char* key, bool& v) {
    if (mine(key)) v = !v;
  }
  void operator()(const char* key, Rescale& v) {
    number(key, v.scale);
    number(key, v.zero_point);
  }
  void operator()(const char* key, Activation& v) {
    if (mine(key)) v = {Activation::kTanh, 0, 0};
    number(key, v.alpha);
    number(key, v.beta);
  }
};

Problem whole_problem() {
  auto p = problem_from_text("f32 n2 g2 ci3 co4 i5x6x7 k3x3x3 s2x2x2 d1x1x1 lo-1x1x0 o9x9x9 tail1x1x1 bias clip:0:6");
  REQUIRE(p.ok());
  p->x = {1000, 100, {10, 9, 8}};
  p->y = {2000, 200, {20, 19, 18}};
  p->w = {1, 2, 3, {4, 5, 6}};
  return *p;
}

}  // namespace

TEST_CASE("fields: every field counts", "[problem][fields]") {
  const Problem base = whole_problem();
  const auto record = [](const Problem& p) { return cuda_problem(p, p.epilogue.bias ? 2 : 0, 1); };
  const ctconv_cuda_problem base_record = record(base);
  int parts = 0;
  for (;; ++parts) {
    Problem p = base;
    Change change{.wanted = parts, .name = {}};
    fields(p, change);
    if (change.name.empty()) break;
    INFO(change.name << ", part " << parts);
    CHECK_FALSE(p == base);
    CHECK(hash_of(p) != hash_of(base));
    CHECK(to_text(p) != to_text(base));
    CHECK(tuning_key({"v", "m", "f"}, 1, p) != tuning_key({"v", "m", "f"}, 1, base));
    const ctconv_cuda_problem r = record(p);
    const bool told = std::memcmp(&r, &base_record, sizeof r) != 0;
    CHECK((told || !check_known("cuda", kForwardFloats, p).ok()));
  }
  CHECK(parts == 1 + 4 + 1 + 4 + 7 * 3 + 5 + 5 + 6 + 1 + 2 + 3);
}

TEST_CASE("fields: what no dialect says yet prints and parses too", "[problem][fields]") {
  for (const char* words : {"written=x f16", "written=w f64 bias", "types=int8:int8:int32:int32",
                            "types=bf16:bf16:f32:f32", "int8 rescale=0.5:-3", "int32 lo-40 relu"}) {
    const std::string line = std::string(words) + " i4 o9";
    INFO(line);
    auto p = problem_from_text(line);
    REQUIRE(p.ok());
    auto again = problem_from_text(to_text(*p));
    REQUIRE(again.ok());
    CHECK(*again == *p);
    std::istringstream each(words);
    for (std::string word; each >> word;) {
      INFO(word << " in " << to_text(*p));
      CHECK((" " + to_text(*p) + " ").find(" " + word + " ") != std::string::npos);
    }
  }
}
