// SPDX-License-Identifier: Apache-2.0
// Memory that runs out while a refusal is being worded: over the cases of raises_cases.json, one of each dialect and
// status, and its legal calls, the n-th allocation of a life fails, for every n. The answer is NO_MEMORY or the case's
// own status, nothing is lost, and the life after it has its own status.
#include <catch2/catch_test_macros.hpp>
#include <new>
#include <set>

#include "src/dialect/initialise.h"
#include "tests/capi/counting.h"
#include "tests/dialect/case.h"

using namespace ctconv::test;

namespace {

Case case_of(const Json& base, const Json& row) {
  Case c = call_of(base, row);
  c.engine = "reference";
  return c;
}

// The status of one life; CTCONV_ERR_NO_MEMORY too where the test itself had none.
ctconv_status status_of(const Case& c) {
  try {
    return run(c).status;
  } catch (const std::bad_alloc&) {
    return CTCONV_ERR_NO_MEMORY;
  }
}

void every_allocation_fails(const Case& c) {
  const ctconv_status want = status_of(c);
  bool more = true;
  for (int64_t n = 0; more; ++n) {
    REQUIRE(n < 5000);
    ctconv_status got = CTCONV_OK;
    int64_t alive = 0;
    {
      const counting::Watch watch(n);
      got = status_of(c);
      more = watch.failed();
      alive = watch.alive();
    }
    INFO("allocation " << n << ": " << name_of(got) << ", without it " << name_of(want));
    REQUIRE((got == want || (more && got == CTCONV_ERR_NO_MEMORY)));
    REQUIRE(alive == 0);
  }
  REQUIRE(status_of(c) == want);
}

}  // namespace

TEST_CASE("memory: no refusal of any dialect needs memory that is not there", "[raises]") {
  const Json file = read_json("raises_cases.json");
  std::set<std::pair<std::string, std::string>> seen;
  for (const Json& row : file["cases"]) {
    const std::string dialect = row["dialect"], status = row["status"];
    if (!seen.insert({dialect, status}).second) continue;
    INFO(row.dump());
    every_allocation_fails(case_of(file["bases"][dialect], row));
  }
  for (const auto& [dialect, base] : file["bases"].items()) {
    INFO(dialect);
    every_allocation_fails(case_of(base, Json{{"dialect", dialect}}));
  }
}

TEST_CASE("memory: an orthogonal weight without room for its copy is a status", "[init]") {
  std::vector<double> data(6, 7);
  ctconv::TensorView out;
  out.type = {.code = 2, .bits = 64, .lanes = 1};
  out.ndim = 2;
  out.shape = {2, 3};
  out.strides = {3, 1};
  out.data = data.data();
  ctconv::Descriptor d;
  d.weight_init = {.kind = ctconv::Initialiser::kOrthogonal};
  ctconv::Code code = ctconv::Code::OK;
  {
    const counting::Watch watch(0);
    code = ctconv::initialise_weight(d, 1, out).code();
  }
  CHECK(code == ctconv::Code::NO_MEMORY);
  CHECK(data == std::vector<double>(6, 7));
}
