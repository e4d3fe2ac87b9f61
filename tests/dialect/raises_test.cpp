// SPDX-License-Identifier: Apache-2.0
// Every row of src/dialect/raises.tsv: a call that yields its status and nothing else, beside the nearest legal call.
//
//   tests/data/raises_cases.json:
//     bases[dialect]: a legal call
//     a case:         base + set (+ call, input_shape) yields `status`
//                     base + legal (+ legal_call, legal_input_shape) yields OK
//     {"$unset": true} takes an argument away
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "tests/dialect/case.h"

using namespace ctconv::test;

TEST_CASE("raises: every documented, stated, package and library row yields its status, its neighbour none",
          "[raises]") {
  const Json file = read_json("raises_cases.json");
  for (const Json& row : file["cases"]) {
    const Json& base = file["bases"][row["dialect"].get<std::string>()];
    const std::string want = "CTCONV_ERR_" + row["status"].get<std::string>();
    for (const bool late : {false, true}) {  // weights at create, and with the call
      Case c = call_of(base, row, "set", "call", "input_shape");
      c.weights_in_call = late;
      const Outcome got = run(c);
      INFO(row.dump());
      INFO("status " << name_of(got.status) << " at " << got.step << ": " << got.error.message);
      CHECK(name_of(got.status) == want);
      if (got.status != CTCONV_OK) {
        const std::string message = got.error.message;
        CHECK(got.error.status == got.status);
        CHECK(got.error.kind == got.status / 1000);
        CHECK(!std::string(got.error.argument).empty());
        CHECK(!std::string(got.error.value).empty());
        CHECK(!std::string(got.error.range).empty());
        CHECK(message.find(got.error.argument) != std::string::npos);
      }
      Case legal = call_of(base, row, "legal", "legal_call", "legal_input_shape");
      legal.weights_in_call = late;
      const Outcome fine = run(legal);
      INFO("legal: " << name_of(fine.status) << " at " << fine.step << ": " << fine.error.message);
      CHECK(fine.status == CTCONV_OK);
    }
  }
}

TEST_CASE("raises: argument faults are found by validate, before any tensor", "[raises]") {
  const Json file = read_json("raises_cases.json");
  for (const Json& row : file["cases"]) {
    const std::string status = row["status"].get<std::string>();
    if (!row.contains("set") || row["set"].empty() || row.contains("call") || row.contains("input_shape")) continue;
    Case c = call_of(file["bases"][row["dialect"].get<std::string>()], row, "set", "call", "input_shape");
    c.with_weight = false;
    const Outcome got = run(c);
    const bool at_call =  // what only an extent, a weight or a length read off a tensor can tell
        status.rfind("SHAPE_", 0) == 0 || got.status == CTCONV_OK;
    INFO(row.dump() << " validate: " << name_of(got.status));
    CHECK((at_call || name_of(got.status) == "CTCONV_ERR_" + status));
  }
}

TEST_CASE("raises: every status of kinds 1 to 3 is yielded", "[raises]") {
  const Json file = read_json("raises_cases.json");
  std::set<std::string> seen;
  for (const Json& row : file["cases"]) seen.insert("CTCONV_ERR_" + row["status"].get<std::string>());
  for (ctconv_status s = 1000; s < 4000; ++s) {
    const std::string name = ctconv_status_name(s);
    if (name == "CTCONV_ERR_UNKNOWN") continue;
    INFO(name);
    CHECK(seen.count(name) == 1);
  }
}

TEST_CASE("raises: every dialect has a base case", "[raises]") {
  const Json file = read_json("raises_cases.json");
  for (int32_t n = 0; n < ctconv_dialect_count(); ++n) {
    INFO(ctconv_dialect_name(n));
    CHECK(file["bases"].contains(ctconv_dialect_name(n)));
  }
}
