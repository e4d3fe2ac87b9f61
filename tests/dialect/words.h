// SPDX-License-Identifier: Apache-2.0
// A descriptor and a refusal in words, for answers on record.
//
//   out: fields_of: every field of a Descriptor by its name, in order;   told: "STATUS argument[element]; legal: range"
//   Enumerations are their numbers: an answer on record shall not depend on names.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "src/desc/descriptor.h"

namespace ctconv::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(const Descriptor& d);

// The fields of `now` that differ from those of `before`, "name=value" each.
std::string difference(const Fields& before, const Fields& now);

std::string told(const Status& status);

}  // namespace ctconv::test
