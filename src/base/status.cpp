// SPDX-License-Identifier: Apache-2.0
// Status text: lookup of names in the generated table, and the one way failing arguments are worded.
#include "src/base/status.h"

#include <algorithm>
#include <iterator>

namespace ctconv {
namespace {

const StatusRow* find_row(int32_t status) {
  const auto* row = std::find_if(std::begin(kStatusTable), std::end(kStatusTable),
                                 [&](const StatusRow& r) { return static_cast<int32_t>(r.code) == status; });
  return row == std::end(kStatusTable) ? nullptr : row;
}

}  // namespace

const char* status_name(int32_t status) {
  const StatusRow* row = find_row(status);
  return row ? row->name : "CTCONV_ERR_UNKNOWN";
}

const char* status_text(int32_t status) {
  const StatusRow* row = find_row(status);
  return row ? row->text : "CTCONV_ERR_UNKNOWN";
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): texts are handed over, though this one is only read
Status argument_error(Code code, std::string argument, std::string value, std::string range, std::string reason,
                      int32_t element) {
  std::string where = argument;
  if (element >= 0) where += "[" + std::to_string(element) + "]";
  std::string message = where + ": " + reason + ", got " + value + "; legal: " + range;
  return Status(Status::Detail{.code = code,
                               .element = element,
                               .argument = std::move(argument),
                               .value = std::move(value),
                               .range = std::move(range),
                               .message = std::move(message)});
}

}  // namespace ctconv
