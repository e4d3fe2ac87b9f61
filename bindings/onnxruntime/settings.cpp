// SPDX-License-Identifier: Apache-2.0
// Session configuration entries become Settings; see settings.h. Refuses what is no whole number of the range.
#include "bindings/onnxruntime/settings.h"

#include <charconv>

namespace ctconv_ort {
namespace {

constexpr int32_t kMostThreads = 1024;

// The entry's text; empty where there is none.
OrtStatus *entry(const Ort &ort, const OrtSessionOptions *options, const char *key, std::string *out) {
  int there = 0;
  if (OrtStatus *status = ort.has_config(options, key, &there)) return status;
  if (there == 0) return nullptr;
  size_t size = 0;
  if (OrtStatus *status = ort.config(options, key, nullptr, &size)) return status;
  out->resize(size);
  if (OrtStatus *status = ort.config(options, key, out->data(), &size)) return status;
  while (!out->empty() && out->back() == '\0') out->pop_back();
  return nullptr;
}

OrtStatus *number(const Ort &ort, const OrtSessionOptions *options, const char *key, int32_t most, int32_t *out) {
  std::string text;
  if (OrtStatus *status = entry(ort, options, key, &text)) return status;
  if (text.empty()) return nullptr;
  const char *end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, *out);
  if (read.ec == std::errc() && read.ptr == end && *out >= 0 && *out <= most) return nullptr;
  const std::string said = "ctconv: the session's configuration entry " + std::string(key) + " is \"" + text +
                           "\"; a whole number from 0 to " + std::to_string(most) + " is needed";
  return ort.create_status(kInvalidArgument, said.c_str());
}

}  // namespace

OrtStatus *read_settings(const Ort &ort, const OrtSessionOptions *options, Settings *out) {
  if (OrtStatus *status = number(ort, options, "ctconv.threads", kMostThreads, &out->threads)) return status;
  if (OrtStatus *status = number(ort, options, "ctconv.reproducible", 2, &out->reproducible)) return status;
  if (OrtStatus *status = number(ort, options, "ctconv.math", 1, &out->math)) return status;
  return entry(ort, options, "ctconv.engine", &out->engine);
}

}  // namespace ctconv_ort
