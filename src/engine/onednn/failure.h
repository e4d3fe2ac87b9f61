// SPDX-License-Identifier: Apache-2.0
// oneDNN's exceptions become a Status; nothing else of ours throws here.
//
//   in:  an exception in flight, and whether a plan is being made;   out: BACKEND_ONEDNN with dnnl_status, NO_MEMORY,
//   or, while planning, a refusal where oneDNN says it cannot (unimplemented, invalid arguments)
#pragma once

#include <exception>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "src/plan/engine.h"

namespace ctconv::onednn {

enum class During { kPlan, kRun };

inline Status status_in_flight(During during) {
  try {
    throw;
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) return Status(Code::NO_MEMORY, "onednn: out of memory");
    if (during == During::kPlan && (e.status == dnnl_unimplemented || e.status == dnnl_invalid_arguments)) {
      return refuse(std::string("onednn: ") + e.what());
    }
    return Status(Status::Detail{.code = Code::BACKEND_ONEDNN,
                                 .native_code = static_cast<int32_t>(e.status),
                                 .message = std::string("onednn: ") + e.what()});
  } catch (const std::bad_alloc&) {
    return Status(Code::NO_MEMORY, "onednn: out of memory");
  } catch (const std::exception& e) {
    return Status(Status::Detail{.code = Code::BACKEND_ONEDNN,
                                 .native_code = static_cast<int32_t>(dnnl_runtime_error),
                                 .message = std::string("onednn: ") + e.what()});
  }
}

}  // namespace ctconv::onednn
