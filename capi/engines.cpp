// The engine table. A new engine is one folder under src/engine, a row and a name here, and the lists in options.cpp.
#include "capi/engines.h"

#include "src/engine/native/native.h"
#include "src/engine/reference/reference.h"
#if defined(CTCONV_WITH_ONEDNN)
#include "src/engine/onednn/onednn.h"
#include "src/engine/onednn/version.h"
#endif

namespace ctconv {

std::span<const Engine* const> cpu_engines() {
  static const Engine* const kTable[] = {
      &kNativeEngine,
#if defined(CTCONV_WITH_ONEDNN)
      &kOnednnEngine,
#endif
      &kReferenceEngine,
  };
  return kTable;
}

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
  static constexpr const char* kNames[] = {"native", "onednn", "reference", "cudnn"};
  return kNames;
}

}  // namespace ctconv
