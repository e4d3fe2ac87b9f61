// SPDX-License-Identifier: Apache-2.0
// The engine table: one line an engine, in the order `auto` asks. See engines.h.
//   An engine that a build may leave out has its null here; the line stays, so that its name is known everywhere.
#include "capi/engines.h"

#include <array>
#include <iterator>

#include "src/engine/native/native.h"
#include "src/engine/reference/reference.h"
#include "src/engine/tiles/tiles.h"
#include "src/engine/winograd/winograd.h"
#if defined(CTCONV_WITH_ONEDNN)
#include "src/engine/onednn/onednn.h"
#include "src/engine/onednn/version.h"
#endif

namespace ctconv {
namespace {

#if defined(CTCONV_WITH_ONEDNN)
constexpr const Engine* kOnednn = &kOnednnEngine;
constexpr bool kHasOnednn = true;
std::string libraries() { return ", onednn " + onednn_version(); }
#else
constexpr const Engine* kOnednn = nullptr;
constexpr bool kHasOnednn = false;
std::string libraries() { return ""; }
#endif

struct Row {
  const char* name;
  const Engine* engine;
  // False: left out of this build. Beside the pointer, as sanitizers let no constant compare one with null.
  bool here = true;
};

constexpr Row kTable[] = {
    {"native", &kNativeEngine}, {"winograd", &kWinogradEngine},  {"amx", &kAmxEngine},
    {"dot", &kDotEngine},       {"onednn", kOnednn, kHasOnednn}, {"reference", &kReferenceEngine},
};

// The table's engines of this build, then room for one more. No heap: ctconv_engine_name must not fail.
struct Built {
  std::array<const Engine*, std::size(kTable)> engines{};
  std::array<const char*, std::size(kTable) + 1> names{};
  size_t count = 0;
};

constexpr Built built() {
  Built b;
  for (const Row& row : kTable) {
    if (!row.here) continue;
    b.engines[b.count] = row.engine;
    b.names[b.count++] = row.name;
  }
  b.names[b.count] = kDeviceEngine;
  return b;
}

constexpr Built kBuilt = built();

}  // namespace

std::span<const Engine* const> cpu_engines() { return {kBuilt.engines.data(), kBuilt.count}; }

const Engine* reference_engine() { return &kReferenceEngine; }

const std::string& engine_versions() {
  static const std::string text = "ctconv " CTCONV_VERSION_STRING + libraries();
  return text;
}

std::span<const char* const> engine_names() { return {kBuilt.names.data(), kBuilt.count + 1}; }

bool engine_left_out(std::string_view name) {
  for (const Row& row : kTable) {
    if (name == row.name) return !row.here;
  }
  return false;
}

}  // namespace ctconv
