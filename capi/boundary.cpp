// SPDX-License-Identifier: Apache-2.0
// Filling the caller's ctconv_error: only fields inside struct_size, strings cut at a character and ended in NUL.
#include "capi/boundary.h"

#include <new>
#include <string_view>

#include "capi/growth.h"
#include "src/base/fp_mode.h"
#include "src/base/utf8.h"

namespace ctconv {
namespace {

// NULL or struct_size 0: the caller asked for no detail, and nothing is written.
bool wants_detail(const ctconv_error* e) { return e != nullptr && e->struct_size != 0; }

template <size_t kCap>
void write_text(ctconv_error* e, char (ctconv_error::*field)[kCap], std::string_view text) {
  if (fits(e->struct_size, field)) copy_text(text, e->*field, kCap);
}

void write_numbers(ctconv_error* e, ctconv_status status, int32_t element, int32_t native_code) {
  write_field(e, &ctconv_error::status, status);
  write_field(e, &ctconv_error::kind, status_kind(status));
  write_field(e, &ctconv_error::element, element);
  write_field(e, &ctconv_error::native_code, native_code);
}

ctconv_status fill(ctconv_error* e, ctconv_status status, std::string_view message) noexcept {
  if (!wants_detail(e)) return status;
  write_numbers(e, status, -1, 0);
  write_text(e, &ctconv_error::argument, "");
  write_text(e, &ctconv_error::value, "");
  write_text(e, &ctconv_error::range, "");
  write_text(e, &ctconv_error::message, message);
  return status;
}

}  // namespace

bool error_record_ok(const ctconv_error* e) {
  return !wants_detail(e) || (e->struct_size >= kFirstError && e->struct_size <= kLargestRecord);
}

ctconv_status report_no_memory(ctconv_error* error) noexcept {
  return fill(error, CTCONV_ERR_NO_MEMORY, "memory could not be allocated");
}

ctconv_status report_internal(ctconv_error* error) noexcept {
  return fill(error, CTCONV_ERR_INTERNAL, "a fault inside the library; please report it");
}

ctconv_status report(const Status& status, ctconv_error* e) {
  const auto number = static_cast<ctconv_status>(status.code());
  if (!wants_detail(e)) return number;
  if (status.ok()) {
    write_field(e, &ctconv_error::status, number);
    return number;
  }
  const Status::Detail& d = status.detail();
  write_numbers(e, number, d.element, d.native_code);
  write_text(e, &ctconv_error::argument, d.argument);
  write_text(e, &ctconv_error::value, d.value);
  write_text(e, &ctconv_error::range, d.range);
  write_text(e, &ctconv_error::message, d.message);
  return number;
}

ctconv_status run_guarded(ctconv_error* error, Status (*body)(void*), void* context) noexcept {
  if (!error_record_ok(error)) return CTCONV_ERR_MISUSE_STRUCT_SIZE;
  const FpMode mode;
  try {
    return report(body(context), error);
  } catch (const std::bad_alloc&) {
    return report_no_memory(error);
  } catch (...) {
    return report_internal(error);
  }
}

Status null_argument(const char* what) {
  return Status(Status::Detail{.code = Code::MISUSE_NULL,
                               .argument = what,
                               .value = "NULL",
                               .range = "a valid pointer",
                               .message = std::string(what) + " must not be NULL"});
}

}  // namespace ctconv
