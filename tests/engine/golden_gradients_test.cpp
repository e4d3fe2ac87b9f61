// SPDX-License-Identifier: Apache-2.0
// The reference's y and gradients against the numbers of PyTorch's autograd in float64.
//
//   tests/data/golden_gradients.jsonl, written by tests/peers/make_gradients.py. Small integers: equal, in f64 and in
//   f32. Reals: within 1e-12 of the sum of the terms' magnitudes.
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "src/engine/reference/reference.h"
#include "tests/rig/checked.h"

using namespace ctconv;
using namespace ctconv::rig;

namespace {

using Json = nlohmann::json;

Problem problem_of(const Json& line, Written written, Dtype type) {
  Problem p;
  p.written = written;
  p.types = uniform_types(type);
  p.rank = static_cast<int>(line["i"].size());
  p.n = line["n"];
  p.groups = line["groups"];
  p.ci = line["ci"];
  p.co = line["co"];
  for (size_t k = 0; k < line["i"].size(); ++k) {
    p.axis[3 - line["i"].size() + k] = {.i = line["i"][k],
                                        .o = line["o"][k],
                                        .k = line["k"][k],
                                        .s = line["s"][k],
                                        .d = line["d"][k],
                                        .lo = line["padding"][k]};
  }
  p.epilogue.bias = written != Written::kX;
  lay_out(&p, false, false);
  return p;
}

std::vector<uint8_t> stored(const Json& values, Dtype t) {
  std::vector<uint8_t> bytes(values.size() * size_of(t));
  for (size_t k = 0; k < values.size(); ++k) store(bytes.data(), t, static_cast<int64_t>(k), values[k].get<double>());
  return bytes;
}

// The operands that `written` reads, and what must come out.
Case case_of(const Json& line, Written written, Dtype type) {
  Case c;
  c.p = problem_of(line, written, type);
  if (written != Written::kX) c.x.bytes = stored(line["x"], type);
  if (written != Written::kW) c.w.bytes = stored(line["w"], type);
  if (written != Written::kY) c.y.bytes = stored(line["dy"], type);
  if (written == Written::kY) c.bias = stored(line["bias"], type);
  return c;
}

std::vector<double> answer_of(const Json& line, Written written) {
  auto values = line[written == Written::kY ? "y" : written == Written::kX ? "dx" : "dw"].get<std::vector<double>>();
  if (written == Written::kW) {
    for (const Json& v : line["db"]) values.push_back(v.get<double>());
  }
  return values;
}

void check(const Json& line, Written written, Dtype type) {
  const Case c = case_of(line, written, type);
  INFO(to_text(c.p));
  const std::vector<double> got = values_of(kReferenceEngine, c), want = answer_of(line, written);
  if (line["exact"]) {
    REQUIRE(got == want);
    return;
  }
  const std::vector<Exact> exact = defined_in_f64(c.p, c.operand());
  REQUIRE(got.size() == want.size());
  for (size_t k = 0; k < want.size(); ++k) {
    INFO("element " << k << " " << got[k] << " " << want[k]);
    REQUIRE(std::fabs(got[k] - want[k]) <= 1e-12 * exact[k].magnitude);
    REQUIRE(std::fabs(exact[k].value - want[k]) <= 1e-12 * exact[k].magnitude);
  }
}

}  // namespace

TEST_CASE("gradients: the numbers of PyTorch's autograd", "[reference]") {
  std::ifstream file(CTCONV_TEST_DATA "/golden_gradients.jsonl");
  int cases = 0, ranks[4] = {}, real = 0, groups = 0;
  for (std::string text; std::getline(file, text);) {
    const Json line = Json::parse(text);
    INFO("line " << cases + 1);
    for (const Written written : kEveryWritten) {
      check(line, written, Dtype::kF64);
      if (line["exact"]) check(line, written, Dtype::kF32);
    }
    ++cases;
    ++ranks[line["i"].size()];
    real += !line["exact"].get<bool>();
    groups += line["groups"] > 1;
  }
  REQUIRE(cases == 80);
  CHECK(real == 20);
  CHECK(groups > 20);
  for (int rank = 1; rank <= 3; ++rank) CHECK(ranks[rank] > 20);
}
