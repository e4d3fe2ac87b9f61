// SPDX-License-Identifier: Apache-2.0
// Reading arguments the way documented operators do: each question a dialect's order asks is one call.
//
//   in:  one argument's Value (or its default);   out: Status of one judgement, or the value once judged
//   A dialect file is then its documented order, line by line:
//     CTCONV_RETURN_IF_ERROR(stride.form());
//     CTCONV_RETURN_IF_ERROR(stride.at_least(1, Code::VALUE_STRIDE));
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "src/args/arguments.h"
#include "src/base/status.h"

namespace ctconv {

// The argument, or `fallback` where it was never set.
Value argument_or(const Arguments& args, std::string_view name, const Value& fallback);

Value int_value(int64_t i);
Value bool_value(bool b);
Value string_value(std::string text);
Value none_value();

// A single whole number. A bool is not an int.
class Whole {
 public:
  Whole(const Arguments& args, std::string name, int64_t fallback);
  Whole(const Arguments& args, std::string name) : Whole(args, std::move(name), 0) {}
  Whole(std::string name, Value value) : name_(std::move(name)), value_(std::move(value)) {}

  bool is_int() const { return value_.tag == Value::kInt; }
  Status type(Code code) const;
  Status at_least(int64_t least, Code code) const;
  Status positive(Code type_code, Code range_code) const;  // type(), then at_least(1)
  int64_t get() const { return value_.i; }
  const std::string& name() const { return name_; }
  const Value& value() const { return value_; }

 private:
  std::string name_;
  Value value_;
};

// Which shapes of a per-axis argument a dialect takes, and how it calls a fault.
struct AxesPolicy {
  int count = 1;                      // entries of a full sequence; an int stands for all of them
  bool tuple = true, list = false;    // list: tuple too
  bool one_for_all = false;           // a sequence of 1 stands for all entries
  bool entries_first = false;         // form() asks for entry types before the length
  Code wrong_type = Code::INTERNAL;   // neither of the accepted containers
  Code wrong_bool = Code::OK;         // a bool as a whole; OK: wrong_type
  Code wrong_entry = Code::INTERNAL;  // an entry that is not an int
  Code wrong_length = Code::INTERNAL;
};

// An int, or a sequence of ints, one per axis.
class Axes {
 public:
  Axes() { policy_.count = 0; }  // an argument that is not there: no entries
  Axes(const Arguments& args, std::string name, int64_t fallback, AxesPolicy policy);
  Axes(std::string name, Value value, AxesPolicy policy)
      : name_(std::move(name)), value_(std::move(value)), policy_(policy) {}

  Status type() const;                              // container and entry types
  Status container() const;                         // container only
  Status entries() const;                           // entry types only
  Status length() const;                            // after container()
  Status form() const;                              // container, length and entry types
  Status at_least(int64_t least, Code code) const;  // after type(); every entry that is there
  Status judge(int64_t least, Code code) const;     // form(), then at_least()
  std::vector<int64_t> get() const;                 // after type() and length(): policy.count entries
  const Value& value() const { return value_; }
  const std::string& name() const { return name_; }
  bool any_nonzero() const;

 private:
  std::string accepted() const;
  std::string name_;
  Value value_;
  AxesPolicy policy_;
};

// out_channels % groups and in_channels % groups; groups 0 divides nothing (callers judge it before).
Status divisible(const Whole& channels, const Whole& groups, Code code);

// output_padding[i] < limit[i]; legal range named per axis.
Status output_padding_below(const Axes& output_padding, const std::vector<int64_t>& limit, const char* limit_name,
                            Code code);
std::vector<int64_t> max_of(const std::vector<int64_t>& a, const std::vector<int64_t>& b);

// One of a list of names; sets *index. Anything else, strings or not: `code` (non-strings: `type_code`).
Status one_of(const std::string& name, const Value& value, std::initializer_list<const char*> known, bool ignore_case,
              Code code, Code type_code, int* index);

// A bool and nothing else; sets *out.
Status read_flag(const std::string& name, const Value& value, Code code, bool* out);

std::string lower_case(std::string text);

// Python's truth of a value.
bool truthy(const Value& value);

}  // namespace ctconv
