// SPDX-License-Identifier: Apache-2.0
// The border: nothing throws across it, every failure becomes a number and, where asked for, a filled ctconv_error.
//
//   in:  a callable that answers a Status;   out: its number. An error record of struct_size 0 counts as NULL
//   refuses: an error record whose struct_size is wrong (MISUSE_STRUCT_SIZE, nothing of it is touched)
//   Inside, the floating-point environment is the default one (fp_mode.h); the caller's comes back at the border.
#pragma once

#include <new>

#include "include/ctconv/ctconv.h"
#include "src/base/fp_mode.h"
#include "src/base/status.h"

namespace ctconv {

bool error_record_ok(const ctconv_error* error);
ctconv_status report(const Status& status, ctconv_error* error);

// For failures that must not allocate.
ctconv_status report_no_memory(ctconv_error* error) noexcept;
ctconv_status report_internal(ctconv_error* error) noexcept;

template <class F>
ctconv_status guarded(ctconv_error* error, F&& body) noexcept {
  if (!error_record_ok(error)) return CTCONV_ERR_MISUSE_STRUCT_SIZE;
  const FpMode mode;
  try {
    return report(body(), error);
  } catch (const std::bad_alloc&) {
    return report_no_memory(error);
  } catch (...) {
    return report_internal(error);
  }
}

Status null_argument(const char* what);

}  // namespace ctconv
