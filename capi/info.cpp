// SPDX-License-Identifier: Apache-2.0
// What this library is: versions, status names, dialects and engines.
#include "capi/engines.h"
#include "capi/op.h"
#include "src/base/cores.h"
#include "src/base/cpu.h"
#if defined(CTCONV_WITH_ONEDNN)
#include "src/engine/onednn/version.h"
#endif

using namespace ctconv;

namespace {

std::string make_build_info() {
  std::string s = "version: " CTCONV_VERSION_STRING "\n";
#if defined(__clang__)
  s += "compiler: clang " __clang_version__ "\n";
#elif defined(__GNUC__)
  s += "compiler: g++ " __VERSION__ "\n";
#endif
#if defined(__x86_64__)
  s += "architecture: x86_64\n";
#elif defined(__aarch64__)
  s += "architecture: aarch64\n";
#endif
  s += "cpu: " + cpu_features() + "\n";
  s += "cores: " + std::to_string(allowed_cores()) + "\n";
#if defined(CTCONV_WITH_ONEDNN)
  s += "onednn: " + onednn_version() + "\n";
#else
  s += "onednn: not built\n";
#endif
  s += "cuda: in libctconv_cuda.so, opened on first use\n";
  s += "cores_of_mask: " + std::to_string(CoreMask::of_process().count()) + "\n";
  s += "cpu_quota: " + cpu_quota_text() + "\n";
  return s + "cpu_model: " + cpu_model() + "\n";
}

}  // namespace

extern "C" {

int32_t ctconv_version(void) {
  return CTCONV_VERSION_MAJOR * 10000 + CTCONV_VERSION_MINOR * 100 + CTCONV_VERSION_PATCH;
}

const char *ctconv_version_string(void) { return CTCONV_VERSION_STRING; }

const char *ctconv_build_info(void) {
  try {
    static const std::string text = make_build_info();
    return text.c_str();
  } catch (...) {
    return "version: " CTCONV_VERSION_STRING "\n";
  }
}

const char *ctconv_status_name(ctconv_status status) { return status_name(status); }
int32_t ctconv_status_kind(ctconv_status status) { return status_kind(status); }
const char *ctconv_status_text(ctconv_status status) { return status_text(status); }

int32_t ctconv_dialect_count(void) { return static_cast<int32_t>(dialects().size()); }

const char *ctconv_dialect_name(int32_t index) {
  return index >= 0 && index < ctconv_dialect_count() ? dialects()[static_cast<size_t>(index)].name : "";
}

ctconv_status ctconv_dialect_argument(const char *dialect, int32_t index, ctconv_argument *argument) {
  return guarded(nullptr, [&]() -> Status {
    if (dialect == nullptr) return null_argument("dialect");
    if (argument == nullptr) return null_argument("argument");
    ctconv_argument out;
    CTCONV_RETURN_IF_ERROR(read_record(argument, "ctconv_argument", kFirstArgument, &out));
    std::string_view version;
    const Dialect *found = find_dialect(dialect, &version);
    if (found == nullptr) return Status(Code::MISUSE_DIALECT, "dialect is unknown");
    const auto rows = arguments_of(*found, version);
    if (index < 0 || static_cast<size_t>(index) >= rows.size())
      return Status(Code::MISUSE_OPTION, "index is past the last argument");
    const ArgumentRow &row = rows[static_cast<size_t>(index)];
    write_field(argument, &ctconv_argument::name, row.name);
    write_field(argument, &ctconv_argument::default_text, row.default_text);
    write_field(argument, &ctconv_argument::position, row.by_name_only ? -1 : index);
    write_field(argument, &ctconv_argument::required, row.required);
    return {};
  });
}

int32_t ctconv_engine_count(void) { return static_cast<int32_t>(engine_names().size()); }

const char *ctconv_engine_name(int32_t index) {
  return index >= 0 && index < ctconv_engine_count() ? engine_names()[static_cast<size_t>(index)] : "";
}

}  // extern "C"
