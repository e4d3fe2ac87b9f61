// The engine table. A new engine is one folder under src/engine, a row and a name here, and the lists in options.cpp.
#include "capi/engines.h"

#include <array>
#include <iterator>

#include "src/engine/native/native.h"
#include "src/engine/reference/reference.h"
#if defined(CTCONV_WITH_ONEDNN)
#include "src/engine/onednn/onednn.h"
#include "src/engine/onednn/version.h"
#endif

namespace ctconv {

namespace {

constexpr const Engine* kTable[] = {
    &kNativeEngine,
#if defined(CTCONV_WITH_ONEDNN)
    &kOnednnEngine,
#endif
    &kReferenceEngine,
};

}  // namespace

std::span<const Engine* const> cpu_engines() { return kTable; }

const Engine* reference_engine() { return &kReferenceEngine; }

const std::string& engine_versions() {
#if defined(CTCONV_WITH_ONEDNN)
  static const std::string text = "ctconv " CTCONV_VERSION_STRING ", onednn " + onednn_version();
#else
  static const std::string text = "ctconv " CTCONV_VERSION_STRING;
#endif
  return text;
}

std::span<const char* const> engine_names() {
  static const auto names = [] {  // no heap: ctconv_engine_name must not fail
    std::array<const char*, std::size(kTable) + 1> list{};
    for (size_t n = 0; n < std::size(kTable); ++n) list[n] = kTable[n]->name;
    list.back() = kDeviceEngine;
    return list;
  }();
  return names;
}

bool engine_left_out([[maybe_unused]] std::string_view name) {
#if defined(CTCONV_WITH_ONEDNN)
  return false;
#else
  return name == "onednn";
#endif
}

}  // namespace ctconv
