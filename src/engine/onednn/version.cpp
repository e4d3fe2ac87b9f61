// SPDX-License-Identifier: Apache-2.0
// The version oneDNN itself reports.
#include "src/engine/onednn/version.h"

#include "oneapi/dnnl/dnnl.h"

namespace ctconv {

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  const char* runtime = v->cpu_runtime == DNNL_RUNTIME_THREADPOOL ? "threadpool"
                        : v->cpu_runtime == DNNL_RUNTIME_OMP      ? "OpenMP"
                        : v->cpu_runtime == DNNL_RUNTIME_TBB      ? "TBB"
                        : v->cpu_runtime == DNNL_RUNTIME_SEQ      ? "sequential"
                                                                  : "other";
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch) + ", runtime " +
         runtime;
}

}  // namespace ctconv
