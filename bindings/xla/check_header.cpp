// SPDX-License-Identifier: Apache-2.0
// Compares ffi_api.h with XLA's own C header, where one is at hand: a failed assertion is the answer.
//
//   in:  jaxlib's include folder (python3 -c "import jax.ffi; print(jax.ffi.include_dir())"; CMake: CTCONV_XLA_HEADER)
//   out: nothing: that it compiles is the test
#include <xla/ffi/api/c_api.h>

#include <cstddef>

#include "bindings/xla/ffi_api.h"

namespace mine = ctconv_xla;

#define SAME(record, name, member, theirs)                                                          \
  static_assert(offsetof(XLA_FFI_##name, theirs) == offsetof(mine::record, member), #name #theirs); \
  static_assert(sizeof(XLA_FFI_##name::theirs) == sizeof(mine::record::member), #name #theirs);
SAME(Extension, Extension_Base, type, type)
SAME(Extension, Extension_Base, next, next)
SAME(ApiVersion, Api_Version, major_version, major_version)
SAME(ApiVersion, Api_Version, minor_version, minor_version)
SAME(Metadata, Metadata, api_version, api_version)
SAME(Metadata, Metadata, traits, traits)
SAME(MetadataExtension, Metadata_Extension, metadata, metadata)
SAME(ErrorCreateArgs, Error_Create_Args, message, message)
SAME(ErrorCreateArgs, Error_Create_Args, errc, errc)
SAME(Api, Api, api_version, api_version)
SAME(Api, Api, error_create, XLA_FFI_Error_Create)
SAME(Buffer, Buffer, dtype, dtype)
SAME(Buffer, Buffer, data, data)
SAME(Buffer, Buffer, rank, rank)
SAME(Buffer, Buffer, dims, dims)
SAME(Text, ByteSpan, ptr, ptr)
SAME(Text, ByteSpan, len, len)
SAME(Scalar, Scalar, dtype, dtype)
SAME(Scalar, Scalar, value, value)
SAME(Array, Array, dtype, dtype)
SAME(Array, Array, size, size)
SAME(Array, Array, data, data)
SAME(Buffers, Args, size, size)
SAME(Buffers, Args, types, types)
SAME(Buffers, Args, buffers, args)
SAME(Buffers, Rets, size, size)
SAME(Buffers, Rets, buffers, rets)
SAME(Attributes, Attrs, size, size)
SAME(Attributes, Attrs, types, types)
SAME(Attributes, Attrs, names, names)
SAME(Attributes, Attrs, values, attrs)
SAME(CallFrame, CallFrame, api, api)
SAME(CallFrame, CallFrame, stage, stage)
SAME(CallFrame, CallFrame, args, args)
SAME(CallFrame, CallFrame, rets, rets)
SAME(CallFrame, CallFrame, attrs, attrs)
#undef SAME

#define NUMBER(ours, theirs) static_assert(static_cast<int>(mine::ours) == static_cast<int>(XLA_FFI_##theirs));
NUMBER(kMajor, API_MAJOR)
NUMBER(kInvalidArgument, Error_Code_INVALID_ARGUMENT)
NUMBER(kResourceExhausted, Error_Code_RESOURCE_EXHAUSTED)
NUMBER(kUnimplemented, Error_Code_UNIMPLEMENTED)
NUMBER(kInternal, Error_Code_INTERNAL)
NUMBER(kPred, DataType_PRED)
NUMBER(kS32, DataType_S32)
NUMBER(kS64, DataType_S64)
NUMBER(kF16, DataType_F16)
NUMBER(kF32, DataType_F32)
NUMBER(kF64, DataType_F64)
NUMBER(kBf16, DataType_BF16)
NUMBER(kArray, AttrType_ARRAY)
NUMBER(kScalar, AttrType_SCALAR)
NUMBER(kString, AttrType_STRING)
NUMBER(kMetadata, Extension_Metadata)
#undef NUMBER
static_assert(XLA_FFI_ArgType_BUFFER == 1 && XLA_FFI_RetType_BUFFER == 1);
