// SPDX-License-Identifier: Apache-2.0
// What every stage answers: OK, or one code with the detail a caller needs to mend the call.
//
//   in:  a Code from src/dialect/errors.tsv, argument name, offending value, legal range, one sentence
//   out: a movable Status; OK costs one null pointer and allocates nothing
//   Result<T> is a T or a failing Status; made from an OK Status it fails with INTERNAL.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "src/base/status_codes.h"

namespace ctconv {

class [[nodiscard]] Status {
 public:
  struct Detail {
    Code code = Code::INTERNAL;
    int32_t element = -1;     // index inside a sequence argument, -1: the whole argument
    int32_t native_code = 0;  // cudaError, cudnnStatus or dnnl_status, else 0
    std::string argument;     // spelt as the dialect spells it
    std::string value;        // what was given
    std::string range;        // what would be legal
    std::string message;      // one sentence, names all of the above
  };

  Status() = default;
  explicit Status(Detail detail) : detail_(std::make_unique<Detail>(std::move(detail))) {}
  Status(Code code, std::string message) : Status(Detail{.code = code, .message = std::move(message)}) {}

  bool ok() const { return detail_ == nullptr; }
  Code code() const { return detail_ ? detail_->code : Code::OK; }
  // Only for a failing Status.
  const Detail& detail() const { return *detail_; }
  Detail& detail() { return *detail_; }

 private:
  std::unique_ptr<Detail> detail_;
};

// The usual failure: "<argument>: <reason>, got <value>; legal: <range>".
Status argument_error(Code code, std::string argument, std::string value, std::string range, std::string reason,
                      int32_t element = -1);

const char* status_name(int32_t status);
const char* status_text(int32_t status);
inline int32_t status_kind(int32_t status) { return status < 0 ? 0 : status / 1000; }

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {  // NOLINT: only failing ones
    if (status_.ok()) status_ = Status(Code::INTERNAL, "a result without a value and without a fault");
  }

  bool ok() const { return value_.has_value(); }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  Status take_status() { return std::move(status_); }
  const Status& status() const { return status_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace ctconv

#define CTCONV_RETURN_IF_ERROR(expression)           \
  do {                                               \
    ::ctconv::Status ctconv_status_ = (expression);  \
    if (!ctconv_status_.ok()) return ctconv_status_; \
  } while (false)
