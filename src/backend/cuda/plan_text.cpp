// SPDX-License-Identifier: Apache-2.0
// Reading the module's describe text; see plan_text.h.
#include "src/backend/cuda/plan_text.h"

#include <algorithm>
#include <string_view>

#include "src/base/number.h"

namespace ctconv {
namespace {

constexpr std::string_view kRefused = "refused.", kDevice = "device.";

}  // namespace

PlanFacts read_plan_text(const std::string& text) {
  PlanFacts facts;
  facts.engine = "cuda";
  std::string kernel, form;
  double microseconds = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = std::string_view(text).substr(start, end - start);
    start = end + 1;
    const size_t cut = line.find(": ");
    if (cut == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, cut), value = line.substr(cut + 2);
    if (key == "kernel") kernel = value;
    if (key == "form") form = value;
    if (key == "bits") facts.bits = value;
    if (key == "why") facts.why = value;
    if (key == "estimated_us" && read_number(value, &microseconds)) facts.estimated_seconds = microseconds * 1e-6;
    if (key.starts_with(kDevice)) facts.device.emplace_back(key.substr(kDevice.size()), value);
    if (key.starts_with(kRefused)) facts.refused.emplace_back(key.substr(kRefused.size()), value);
  }
  facts.form = form.empty() ? kernel : kernel + ", " + form;
  return facts;
}

}  // namespace ctconv
