// From the caller's records to our own values; the only place that reads foreign memory layouts.
//
//   in:  ctconv_tensor, ctconv_value, and the records that grow (struct_size first)
//   out: TensorView, Value, a full-size copy of the record;   refuses: MISUSE_… with what is wrong
#pragma once

#include <algorithm>
#include <cstring>

#include "capi/boundary.h"
#include "src/args/value.h"
#include "src/base/tensor.h"

namespace ctconv {

inline constexpr size_t kLargestRecord = 64 * 1024;

Status wrong_struct_size(const char* record, size_t size, size_t least);
Status unknown_field(const char* record);

// Reads min(struct_size, sizeof(T)) bytes, the rest is zero; a tail this library does not know must be zero. `least`: the first release's size.
template <class T>
Status read_record(const T* in, const char* name, T* out, size_t least = sizeof(T)) {
  const size_t size = in->struct_size;
  if (size < least || size > kLargestRecord) return wrong_struct_size(name, size, least);
  std::memset(static_cast<void*>(out), 0, sizeof(T));
  std::memcpy(static_cast<void*>(out), in, std::min(size, sizeof(T)));
  const char* bytes = reinterpret_cast<const char*>(in);
  for (size_t n = sizeof(T); n < size; ++n) {
    if (bytes[n] != 0) return unknown_field(name);
  }
  return {};
}

// Shape, strides, type, device. Where `needs_data`: data not NULL unless empty, aligned to its element. Strides of a dense tensor saturate
// instead of overflowing: the judges refuse such shapes before anybody walks them.
Status read_tensor(const ctconv_tensor& in, const char* name, bool needs_data, TensorView* out);

// Pinned host memory counts as CPU.
inline bool on_host(const TensorView& t) { return t.device_type == CTCONV_DEVICE_CPU || t.device_type == CTCONV_DEVICE_CUDA_HOST; }

// Deep copy; TENSOR data too. MISUSE_VALUE where malformed.
Status read_value(const ctconv_value& in, const char* name, Value* out, int depth = 0);

void write_spec(const TensorSpec& from, ctconv_spec* to);

}  // namespace ctconv
