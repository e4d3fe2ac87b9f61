// SPDX-License-Identifier: Apache-2.0
// What this library needs of XLA's foreign function interface, as declarations of our own: docs/decisions/jax-ffi.md.
//
//   in:  the call frame that XLA hands to a handler
//   out: its records, member for member; names are XLA's without the prefix
//   Every record begins with its size in bytes and a list of extensions. Versions 0.1 to 0.3 lay out what is used here
//   alike, and XLA keeps an older version working for a year. bindings/xla/check_header.cpp compares all of this with
//   the header inside jaxlib.
#ifndef CTCONV_XLA_FFI_API_H_
#define CTCONV_XLA_FFI_API_H_

#include <cstddef>
#include <cstdint>

namespace ctconv_xla {

constexpr int kMajor = 0, kNewestMinor = 3;

enum ErrorCode { kInvalidArgument = 3, kResourceExhausted = 8, kUnimplemented = 12, kInternal = 13 };
enum DataType { kPred = 1, kS32 = 4, kS64 = 5, kF16 = 10, kF32 = 11, kF64 = 12, kBf16 = 16 };
enum AttributeKind { kArray = 1, kScalar = 3, kString = 4 };
enum ExtensionKind { kMetadata = 1 };

struct Extension {
  size_t struct_size;
  int type;
  Extension* next;
};

struct ApiVersion {
  size_t struct_size;
  Extension* extension_start;
  int major_version;
  int minor_version;
};

struct Metadata {
  size_t struct_size;
  ApiVersion api_version;
  uint32_t traits;
};

struct MetadataExtension {
  Extension base;
  Metadata* metadata;
};

struct Error;
struct ErrorCreateArgs {
  size_t struct_size;
  Extension* extension_start;
  const char* message;
  int errc;
};

struct Api {
  size_t struct_size;
  Extension* extension_start;
  ApiVersion api_version;
  const void* internal_api;
  Error* (*error_create)(ErrorCreateArgs* args);
};

struct Buffer {
  size_t struct_size;
  Extension* extension_start;
  int dtype;
  void* data;
  int64_t rank;
  int64_t* dims;
};

struct Text {
  const char* ptr;
  size_t len;
};

struct Scalar {
  int dtype;
  void* value;
};

struct Array {
  int dtype;
  size_t size;
  void* data;
};

// Arguments and results: every one is a Buffer.
struct Buffers {
  size_t struct_size;
  Extension* extension_start;
  int64_t size;
  int* types;
  Buffer** buffers;
};

struct Attributes {
  size_t struct_size;
  Extension* extension_start;
  int64_t size;
  int* types;
  Text** names;
  void** values;  // Array, Scalar or Text, as types says
};

struct CallFrame {
  size_t struct_size;
  Extension* extension_start;
  const Api* api;
  void* context;
  int stage;
  Buffers args;
  Buffers rets;
  Attributes attrs;
};

}  // namespace ctconv_xla

#endif  // CTCONV_XLA_FFI_API_H_
