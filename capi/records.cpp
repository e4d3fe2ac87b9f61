// SPDX-License-Identifier: Apache-2.0
// Reading the caller's tensors, and what all records share; see records.h.
#include "capi/records.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "src/base/checked.h"

namespace ctconv {
namespace {

static_assert(kDeviceCpu == CTCONV_DEVICE_CPU && kDeviceCuda == CTCONV_DEVICE_CUDA);
static_assert(kDeviceCudaHost == CTCONV_DEVICE_CUDA_HOST && kDeviceCudaManaged == CTCONV_DEVICE_CUDA_MANAGED);

Status misuse(Code code, const char* name, std::string value, std::string range, std::string reason) {
  return argument_error(code, name, std::move(value), std::move(range), std::move(reason));
}

}  // namespace

Status wrong_struct_size(const char* record, size_t size, size_t first) {
  return misuse(Code::MISUSE_STRUCT_SIZE, record, std::to_string(size),
                std::to_string(first) + " to " + std::to_string(kLargestRecord),
                "struct_size is not one this library can read (use the CTCONV_..._INIT macro)");
}

Status unknown_field(const char* record) {
  return Status(Status::Detail{
      .code = Code::MISUSE_UNKNOWN_FIELD,
      .argument = record,
      .message = std::string(record) + ": a field this library does not know, or a reserved one, is not zero"});
}

Status read_bytes(const void* in, size_t size, const char* name, size_t first, size_t known, void* out) {
  if (size < first || size > kLargestRecord) return wrong_struct_size(name, size, first);
  const auto* bytes = static_cast<const char*>(in);
  std::memset(out, 0, known);
  std::memcpy(out, bytes, std::min(size, known));
  const bool zero = std::all_of(bytes + std::min(size, known), bytes + size, [](char c) { return c == 0; });
  return zero ? Status() : unknown_field(name);
}

void write_bytes(void* record, size_t struct_size, size_t end, const void* value, size_t bytes) {
  if (end <= struct_size) std::memcpy(static_cast<char*>(record) + end - bytes, value, bytes);
}

Status read_tensor(const ctconv_tensor& in, const char* name, bool needs_data, TensorView* out) {
  if (in.ndim < 0 || in.ndim > kMaxNdim)
    return misuse(Code::MISUSE_TENSOR, name, std::to_string(in.ndim), "0 to 8", "ndim is out of range");
  if (in.ndim > 0 && in.shape == nullptr) return null_argument((std::string(name) + ".shape").c_str());
  if (in.dtype_bits == 0 || in.dtype_lanes == 0) {
    return misuse(Code::MISUSE_TENSOR, name,
                  std::to_string(in.dtype_bits) + " bits, " + std::to_string(in.dtype_lanes) + " lanes", "both above 0",
                  "element type is incomplete");
  }
  TensorView& t = *out;
  t = {};
  t.type = {in.dtype_code, in.dtype_bits, in.dtype_lanes};
  t.device_type = in.device_type;
  t.device_id = in.device_id;
  t.ndim = in.ndim;
  int64_t step = 1;
  bool empty = false;
  for (int a = in.ndim; a-- > 0;) {
    const auto at = static_cast<size_t>(a);
    if (in.shape[a] < 0)
      return misuse(Code::MISUSE_TENSOR, name, std::to_string(in.shape[a]), ">= 0", "an extent is negative");
    t.shape[at] = in.shape[a];
    t.strides[at] = in.strides != nullptr ? in.strides[a] : step;
    empty = empty || in.shape[a] == 0;
    const Checked next = Checked(step) * std::max<int64_t>(in.shape[a], 1);
    step = next.ok() ? next.value() : INT64_MAX;
  }
  if (in.data != nullptr) {
    const uint64_t farthest = std::min<uint64_t>(UINTPTR_MAX - reinterpret_cast<uintptr_t>(in.data), PTRDIFF_MAX);
    if (in.byte_offset > farthest) {
      return misuse(Code::MISUSE_TENSOR, name, "byte_offset = " + std::to_string(in.byte_offset),
                    "0 to " + std::to_string(farthest), "data plus byte_offset is no address");
    }
    t.data = static_cast<char*>(in.data) + in.byte_offset;
    const auto alignment = static_cast<uint64_t>(std::min<int64_t>(bytes_of(t.type), 8));
    if ((alignment & (alignment - 1)) == 0 && reinterpret_cast<uintptr_t>(t.data) % alignment != 0) {
      return misuse(Code::MISUSE_ALIGNMENT, name,
                    "an address off by " + std::to_string(reinterpret_cast<uintptr_t>(t.data) % alignment),
                    "a multiple of " + std::to_string(alignment) + " bytes",
                    "data is not aligned to its element type " + name_of(t.type));
    }
  } else if (needs_data && !empty) {
    return null_argument((std::string(name) + ".data").c_str());
  }
  return {};
}

void write_spec(const TensorSpec& from, ctconv_spec* to) {
  std::memset(to, 0, sizeof *to);
  to->ndim = from.ndim;
  to->dtype_code = from.type.code;
  to->dtype_bits = from.type.bits;
  to->dtype_lanes = from.type.lanes;
  for (int a = 0; a < from.ndim; ++a) to->shape[a] = from.shape[static_cast<size_t>(a)];
}

}  // namespace ctconv
