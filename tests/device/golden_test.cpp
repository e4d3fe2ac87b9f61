// SPDX-License-Identifier: Apache-2.0
// The golden values through an op on a device: every dialect hands the module the problem it hands the CPU.
#include <fstream>

#include "tests/device/support.h"
#include "tests/dialect/case.h"

using namespace ctconv::test;

TEST_CASE("device: golden values of all dialects, bit for bit", "[device][golden]") {
  device::fresh().packs = true;
  for (const bool in_call : {false, true}) {
    std::ifstream in(std::string(CTCONV_TEST_DATA) + "/golden_values.jsonl");
    size_t good = 0, all = 0;
    for (std::string line; std::getline(in, line); ++all) {
      const Json record = Json::parse(line);
      Case c{.dialect = record["dialect"], .args = record["args"], .input_shape = shape(record["input_shape"])};
      if (record.contains("call") && record["call"].is_object()) c.call = record["call"];
      c.call["weight_shape"] = record["weight_shape"];
      c.call["bias_shape"] = record["bias_shape"];
      c.call["device"] = "cuda";
      c.device_type = CTCONV_DEVICE_CUDA;
      c.weights_in_call = in_call;
      c.golden_fill = true;
      const Outcome got = run(c);
      INFO("line " << all << " " << c.dialect << " " << c.args.dump());
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
