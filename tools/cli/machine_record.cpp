// SPDX-License-Identifier: Apache-2.0
// See machine_record.h.
#include "tools/cli/machine_record.h"

#include "tools/cli/tuning_place.h"

namespace cli {
namespace {

// A count stays one in JSON: 64, not 64.0.
Json number_of(const Facts& facts, const std::string& key) {
  const double value = facts.number(key);
  const std::string& text = facts.get(key);
  const bool whole = text.find_first_not_of("0123456789") == std::string::npos && text.size() <= 15;
  return whole ? Json(static_cast<int64_t>(value)) : Json(value);
}

}  // namespace

MachineRecord machine_record() {
  ctconv::Desc desc("ctconv");
  desc.set("in_channels", 1).set("out_channels", 1).set("kernel_size", {1});
  const std::string front = "machine.";
  MachineRecord record;
  const Facts facts(ctconv::Op(desc).describe());
  for (const auto& [key, value] : facts.items()) {
    if (key.compare(0, front.size(), front) != 0) continue;
    const std::string name = key.substr(front.size());
    if (name == "source" || name == "ignored") {
      record.json[name] = value;
      (name == "source" ? record.source : record.ignored) = value;
      continue;
    }
    record.json[name] = number_of(facts, key);
    record.text += (record.text.empty() ? "" : " ") + name + "=" + value;
  }
  return record;
}

std::string machine_file() { return cache_place("CTCONV_MACHINE_FILE", "machine.txt"); }

}  // namespace cli
