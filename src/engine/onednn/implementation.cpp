// SPDX-License-Identifier: Apache-2.0
// See implementation.h.
#include "src/engine/onednn/implementation.h"

namespace ctconv::onednn {

Implementation implementation_of(const std::string& name) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  using Method = Implementation::Method;
  const Method method = has("ref")    ? Method::kReference
                        : has("dw")   ? Method::kDepthwise
                        : has("brg")  ? Method::kBrgemm
                        : has("gemm") ? Method::kGemm
                                      : Method::kDirect;
  return {method, has("jit_bf16_1x1"), has("conv:any")};
}

}  // namespace ctconv::onednn
