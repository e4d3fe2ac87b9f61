// Filling the caller's ctconv_error: at most struct_size bytes, strings cut at a character and ended in NUL.
#include "capi/boundary.h"

#include <cstddef>

#include "src/base/utf8.h"

namespace ctconv {
namespace {

constexpr size_t kLeast = sizeof(ctconv_error), kMost = 64 * 1024;

ctconv_status fill(ctconv_error* e, ctconv_status status, const char* message) noexcept {
  if (e == nullptr) return status;
  e->status = status;
  e->kind = status_kind(status);
  e->element = -1;
  e->native_code = 0;
  e->argument[0] = e->value[0] = e->range[0] = '\0';
  copy_text(message, e->message, sizeof e->message);
  return status;
}

}  // namespace

bool error_record_ok(const ctconv_error* e) { return e == nullptr || (e->struct_size >= kLeast && e->struct_size <= kMost); }

ctconv_status report_no_memory(ctconv_error* error) noexcept { return fill(error, CTCONV_ERR_NO_MEMORY, "memory could not be allocated"); }

ctconv_status report_internal(ctconv_error* error) noexcept {
  return fill(error, CTCONV_ERR_INTERNAL, "a fault inside the library; please report it");
}

ctconv_status report(const Status& status, ctconv_error* e) {
  const auto number = static_cast<ctconv_status>(status.code());
  if (e == nullptr) return number;
  e->status = number;
  if (status.ok()) return number;
  const Status::Detail& d = status.detail();
  e->kind = status_kind(number);
  e->element = d.element;
  e->native_code = d.native_code;
  copy_text(d.argument, e->argument, sizeof e->argument);
  copy_text(d.value, e->value, sizeof e->value);
  copy_text(d.range, e->range, sizeof e->range);
  copy_text(d.message, e->message, sizeof e->message);
  return number;
}

Status null_argument(const char* what) {
  return Status(Status::Detail{.code = Code::MISUSE_NULL, .argument = what, .value = "NULL", .range = "a valid pointer",
                               .message = std::string(what) + " must not be NULL"});
}

}  // namespace ctconv
