// SPDX-License-Identifier: Apache-2.0
// The border: nothing throws across it, every failure becomes a number and, where asked for, a filled ctconv_error.
//
//   in:  a callable that answers a Status;   out: its number. An error record of struct_size 0 counts as NULL
//   refuses: an error record whose struct_size is wrong (MISUSE_STRUCT_SIZE, nothing of it is touched)
//   Inside, the floating-point environment is the default one (fp_mode.h); the caller's comes back at the border.
#pragma once

#include "include/ctconv/ctconv.h"
#include "src/base/status.h"

namespace ctconv {

bool error_record_ok(const ctconv_error* error);
ctconv_status report(const Status& status, ctconv_error* error);

// For failures that must not allocate.
ctconv_status report_no_memory(ctconv_error* error) noexcept;
ctconv_status report_internal(ctconv_error* error) noexcept;

// What `guarded` does, once for all callables: `body(context)` behind the border.
ctconv_status run_guarded(ctconv_error* error, Status (*body)(void*), void* context) noexcept;

template <class F>
ctconv_status guarded(ctconv_error* error, F body) noexcept {
  return run_guarded(
      error, [](void* context) -> Status { return (*static_cast<F*>(context))(); }, &body);
}

Status null_argument(const char* what);

}  // namespace ctconv
