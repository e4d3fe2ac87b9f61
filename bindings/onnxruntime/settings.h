// SPDX-License-Identifier: Apache-2.0
// What a session says of this library's operators, read from its configuration entries when they are registered.
//
//   in:  OrtSessionOptions; "ctconv.threads", "ctconv.engine", "ctconv.reproducible", "ctconv.math"
//   out: Settings, or a status that names the entry, its value and what is legal
#ifndef CTCONV_ORT_SETTINGS_H_
#define CTCONV_ORT_SETTINGS_H_

#include <cstdint>
#include <string>

#include "bindings/onnxruntime/ort_api.h"

namespace ctconv_ort {

struct Settings {
  int32_t threads = 0;       // 0: the cores this process may use; 1: the calling thread alone
  int32_t reproducible = 0;  // ctconv_options.reproducible
  int32_t math = 0;          // ctconv_options.math
  std::string engine;        // empty: "auto"

  auto operator<=>(const Settings &) const = default;
};

OrtStatus *read_settings(const Ort &ort, const OrtSessionOptions *options, Settings *out);

}  // namespace ctconv_ort

#endif  // CTCONV_ORT_SETTINGS_H_
