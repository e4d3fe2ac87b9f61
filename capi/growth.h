// SPDX-License-Identifier: Apache-2.0
// Records that grow: what a caller of another release gave, and what may be written to it.
//
//   in:  a record that begins with struct_size, and the size it had in the first release
//   out: a copy of this release's size, fields the caller does not know zero; single fields written where they fit
//   refuses: a size below the first release's or above 64 KiB; a tail unknown here that is not zero
//   Growth is at the end only. The first sizes never change: an old caller stays readable for ever.
#pragma once

#include <cstddef>
#include <type_traits>

#include "capi/first_sizes.h"
#include "include/ctconv/ctconv.h"
#include "src/base/status.h"

namespace ctconv {

inline constexpr size_t kLargestRecord = 64 * 1024;

Status wrong_struct_size(const char* record, size_t size, size_t first);
Status unknown_field(const char* record);

// What `read_record` does, once for all records: `known` bytes are this release's.
Status read_bytes(const void* in, size_t size, const char* name, size_t first, size_t known, void* out);
// Writes `bytes` bytes that end at `end` of a record of struct_size bytes, or nothing.
void write_bytes(void* record, size_t struct_size, size_t end, const void* value, size_t bytes);

// Reads what both sides know; `first` is one of the constants of first_sizes.h.
template <class Record>
Status read_record(const Record* in, const char* name, size_t first, Record* out) {
  return read_bytes(in, in->struct_size, name, first, sizeof(Record), out);
}

// Bytes from the record's begin to the field's end.
template <class Record, class Field>
size_t end_of(Field Record::*field) {
  static const Record sample{};
  return static_cast<size_t>(reinterpret_cast<const char*>(&(sample.*field)) - reinterpret_cast<const char*>(&sample)) +
         sizeof(Field);
}

// True where a record of struct_size bytes holds the whole field.
template <class Record, class Field>
bool fits(size_t struct_size, Field Record::*field) {
  return end_of(field) <= struct_size;
}

// Writes one field of the caller's record, unless the caller's release ends before it.
template <class Record, class Field>
void write_field(Record* record, Field Record::*field, const std::type_identity_t<Field>& value) {
  write_bytes(record, record->struct_size, end_of(field), &value, sizeof(Field));
}

}  // namespace ctconv
