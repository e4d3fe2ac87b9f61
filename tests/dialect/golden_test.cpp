// SPDX-License-Identifier: Apache-2.0
// What the real packages answered: golden_shapes.json (shapes, statuses) and golden_values.jsonl (outputs, exact),
// through the C API.
#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "tests/dialect/case.h"

using namespace ctconv::test;

namespace {

std::string dialect_string(const Json& record) {
  const std::string family =
      record["dialect"] == "megengine" ? "megengine.module" : record["dialect"].get<std::string>();
  return family + "." + record["op"].get<std::string>();
}

double multiplications(const Shape& x, const Shape& w) {
  double n = 1;
  for (int64_t d : x) n *= static_cast<double>(d);
  for (size_t i = 1; i < w.size(); ++i) n *= static_cast<double>(w[i]);
  return n;
}

bool run_shapes(const Json& record, bool weights_in_call) {
  Case c{.dialect = dialect_string(record), .args = record["args"], .input_shape = shape(record["input_shape"])};
  if (record.contains("call") && record["call"].is_object()) c.call = record["call"];
  c.weights_in_call = weights_in_call;
  const Json& expect = record["expect"];
  const bool legal = expect.contains("output_shape");
  c.execute = !legal || multiplications(c.input_shape, shape(expect["weight_shape"])) < 2e7;
  const Outcome got = run(c);
  INFO(record["id"] << " " << c.dialect << " " << c.args.dump() << " call " << c.call.dump());
  INFO("status " << name_of(got.status) << " at " << got.step << ": " << got.error.message);
  bool good = false;
  if (legal) {
    good = got.status == CTCONV_OK && got.output_shape == shape(expect["output_shape"]) &&
           (got.weight_spec.empty() || got.weight_spec == shape(expect["weight_shape"]));
    CHECK(got.output_shape == shape(expect["output_shape"]));
  } else {
    good = name_of(got.status) == expect["error"].get<std::string>();
    // The error record is complete: argument, value, range and a sentence that names the argument.
    if (good && got.status != CTCONV_OK) {
      const std::string message = got.error.message;
      CHECK(got.error.status == got.status);
      CHECK(std::string(got.error.argument).size() > 0);
      CHECK(std::string(got.error.value).size() > 0);
      CHECK(std::string(got.error.range).size() > 0);
      CHECK(message.find(got.error.argument) != std::string::npos);
    }
  }
  CHECK(good);
  return good;
}

}  // namespace

TEST_CASE("golden shapes: every shape and every status the packages answered", "[golden]") {
  const Json records = read_json("golden_shapes.json");
  size_t good = 0;
  for (const Json& record : records) good += run_shapes(record, false);
  CHECK(good == records.size());
  CHECK(records.size() == 469);
}

TEST_CASE("golden shapes: weights given with the call instead of at create", "[golden]") {
  const Json records = read_json("golden_shapes.json");
  size_t good = 0;
  for (const Json& record : records) good += run_shapes(record, true);
  CHECK(good == records.size());
}

TEST_CASE("golden values: outputs of the packages, bit for bit", "[golden]") {
  for (const char* engine : {"", "reference"}) {
    std::ifstream in(std::string(CTCONV_TEST_DATA) + "/golden_values.jsonl");
    std::string line;
    size_t good = 0, all = 0;
    while (std::getline(in, line)) {
      const Json record = Json::parse(line);
      ++all;
      Case c{.dialect = record["dialect"], .args = record["args"], .input_shape = shape(record["input_shape"])};
      if (record.contains("call") && record["call"].is_object()) c.call = record["call"];
      c.call["weight_shape"] = record["weight_shape"];
      c.call["bias_shape"] = record["bias_shape"];
      c.engine = engine;
      c.golden_fill = true;
      const Outcome got = run(c);
      INFO("line " << all << " " << c.dialect << " " << c.args.dump() << " engine " << (*engine ? engine : "auto"));
      INFO("status " << name_of(got.status) << " at " << got.step << ": " << got.error.message);
      REQUIRE(got.status == CTCONV_OK);
      CHECK(got.output_shape == shape(record["output_shape"]));
      const auto* y = reinterpret_cast<const float*>(got.y.bytes.data());
      const Json& want = record["output"];
      bool same = static_cast<int64_t>(want.size()) == got.y.count();
      for (size_t i = 0; same && i < want.size(); ++i) same = y[i] == want[i].get<float>();
      CHECK(same);
      good += same;
    }
    CHECK(good == all);
    CHECK(all == 167);
  }
}
