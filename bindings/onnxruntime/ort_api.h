// SPDX-License-Identifier: Apache-2.0
// What this library needs of ONNX Runtime's C API, as declarations of our own: docs/decisions/onnxruntime.md says why.
//
//   in:  the OrtApiBase that ONNX Runtime hands to RegisterCustomOps
//   out: Ort, the functions used here, each taken from its place in the runtime's table of functions
//   That table only grows, at its end, so a place once given stays. The newest place used is that of release 1.18:
//   an older runtime has no table of that version and is refused.
//   bindings/onnxruntime/check_header.cpp compares all of this with the original header, where one is at hand.
#ifndef CTCONV_ORT_API_H_
#define CTCONV_ORT_API_H_

#include <cstddef>
#include <cstdint>

extern "C" {
struct OrtApi;
struct OrtStatus;
struct OrtValue;
struct OrtAllocator;
struct OrtKernelInfo;
struct OrtKernelContext;
struct OrtSessionOptions;
struct OrtCustomOpDomain;
struct OrtTensorTypeAndShapeInfo;
struct OrtShapeInferContext;

struct OrtApiBase {
  const OrtApi *(*get_api)(uint32_t version);  // null where the runtime is older than that version
  const char *(*get_version_string)();
};

// One operator, as the runtime calls it; the order of the members is the runtime's. Release 1.18 reads all of them.
// Null is allowed where this library leaves it null.
struct OrtCustomOp {
  uint32_t version;
  void *(*create_kernel)(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info);
  const char *(*name)(const OrtCustomOp *op);
  const char *(*provider)(const OrtCustomOp *op);
  int (*input_type)(const OrtCustomOp *op, size_t index);
  size_t (*input_count)(const OrtCustomOp *op);
  int (*output_type)(const OrtCustomOp *op, size_t index);
  size_t (*output_count)(const OrtCustomOp *op);
  void (*compute)(void *kernel, OrtKernelContext *context);
  void (*destroy)(void *kernel);
  int (*input_kind)(const OrtCustomOp *op, size_t index);
  int (*output_kind)(const OrtCustomOp *op, size_t index);
  int (*input_memory)(const OrtCustomOp *op, size_t index);
  int (*variadic_inputs)(const OrtCustomOp *op);
  int (*variadic_inputs_alike)(const OrtCustomOp *op);
  int (*variadic_outputs)(const OrtCustomOp *op);
  int (*variadic_outputs_alike)(const OrtCustomOp *op);
  OrtStatus *(*create_kernel_v2)(const OrtCustomOp *op, const OrtApi *api, const OrtKernelInfo *info, void **kernel);
  OrtStatus *(*compute_v2)(void *kernel, OrtKernelContext *context);
  OrtStatus *(*infer_shape)(const OrtCustomOp *op, OrtShapeInferContext *context);
  int (*first_version)(const OrtCustomOp *op);
  int (*last_version)(const OrtCustomOp *op);
  size_t (*may_inplace)(int **inputs, int **outputs);
  void (*release_may_inplace)(int *inputs, int *outputs);
  size_t (*alias_map)(int **inputs, int **outputs);
  void (*release_alias_map)(int *inputs, int *outputs);
};
}

namespace ctconv_ort {

constexpr uint32_t kApiVersion = 18;
// Error codes, element types, kinds and memory types, by the runtime's numbers.
enum { kFail = 1, kInvalidArgument = 2, kRuntimeException = 6, kNotImplemented = 9 };
enum { kFloat = 1, kFloat16 = 10, kDouble = 11, kBfloat16 = 16 };
enum { kRequired = 0, kOptional = 1 };
enum { kDefaultMemory = 0 };

// A function that fails returns a status, which the caller releases; null is success.
struct Ort {
  OrtStatus *(*create_status)(int code, const char *message);
  const char *(*error_message)(const OrtStatus *status);
  OrtStatus *(*create_domain)(const char *name, OrtCustomOpDomain **domain);
  OrtStatus *(*domain_add)(OrtCustomOpDomain *domain, const OrtCustomOp *op);
  OrtStatus *(*add_domain)(OrtSessionOptions *options, OrtCustomOpDomain *domain);
  OrtStatus *(*tensor_data)(OrtValue *value, void **data);
  OrtStatus *(*element_type)(const OrtTensorTypeAndShapeInfo *info, int *type);
  OrtStatus *(*dimensions_count)(const OrtTensorTypeAndShapeInfo *info, size_t *count);
  OrtStatus *(*dimensions)(const OrtTensorTypeAndShapeInfo *info, int64_t *extents, size_t count);
  OrtStatus *(*type_and_shape)(const OrtValue *value, OrtTensorTypeAndShapeInfo **info);
  OrtStatus *(*allocate)(OrtAllocator *allocator, size_t bytes, void **memory);
  OrtStatus *(*free)(OrtAllocator *allocator, void *memory);
  OrtStatus *(*attribute_float)(const OrtKernelInfo *info, const char *name, float *value);
  OrtStatus *(*attribute_int)(const OrtKernelInfo *info, const char *name, int64_t *value);
  // The sizes of the next two: first asked for with null, then handed over; a text's counts its NUL.
  OrtStatus *(*attribute_string)(const OrtKernelInfo *info, const char *name, char *text, size_t *size);
  OrtStatus *(*attribute_ints)(const OrtKernelInfo *info, const char *name, int64_t *values, size_t *count);
  OrtStatus *(*input_count)(const OrtKernelContext *context, size_t *count);
  OrtStatus *(*input)(const OrtKernelContext *context, size_t index, const OrtValue **value);
  OrtStatus *(*output)(OrtKernelContext *context, size_t index, const int64_t *extents, size_t count, OrtValue **value);
  void (*release_status)(OrtStatus *status);
  void (*release_type_and_shape)(OrtTensorTypeAndShapeInfo *info);
  void (*release_allocator)(OrtAllocator *allocator);
  OrtStatus *(*node_input_count)(const OrtKernelInfo *info, size_t *count);
  OrtStatus *(*has_config)(const OrtSessionOptions *options, const char *key, int *there);
  OrtStatus *(*config)(const OrtSessionOptions *options, const char *key, char *text, size_t *size);
  OrtStatus *(*constant_input)(const OrtKernelInfo *info, size_t index, int *is_constant, const OrtValue **value);
  // fn(data, i) once for each 0 <= i < total, on the session's threads; returns when all have returned.
  OrtStatus *(*parallel_for)(const OrtKernelContext *context, void (*fn)(void *data, size_t i), size_t total,
                             size_t batches, void *data);
  OrtStatus *(*allocator)(const OrtKernelInfo *info, int memory, OrtAllocator **allocator);

  explicit Ort(const OrtApi *api);
};

// Where each function stands in the runtime's table, by the name it has there; F(member, name, place).
#define CTCONV_ORT_FUNCTIONS(F)                                \
  F(create_status, CreateStatus, 0)                            \
  F(error_message, GetErrorMessage, 2)                         \
  F(create_domain, CreateCustomOpDomain, 26)                   \
  F(domain_add, CustomOpDomain_Add, 27)                        \
  F(add_domain, AddCustomOpDomain, 28)                         \
  F(tensor_data, GetTensorMutableData, 51)                     \
  F(element_type, GetTensorElementType, 60)                    \
  F(dimensions_count, GetDimensionsCount, 61)                  \
  F(dimensions, GetDimensions, 62)                             \
  F(type_and_shape, GetTensorTypeAndShape, 65)                 \
  F(allocate, AllocatorAlloc, 75)                              \
  F(free, AllocatorFree, 76)                                   \
  F(attribute_float, KernelInfoGetAttribute_float, 85)         \
  F(attribute_int, KernelInfoGetAttribute_int64, 86)           \
  F(attribute_string, KernelInfoGetAttribute_string, 87)       \
  F(input_count, KernelContext_GetInputCount, 88)              \
  F(input, KernelContext_GetInput, 90)                         \
  F(output, KernelContext_GetOutput, 91)                       \
  F(release_status, ReleaseStatus, 93)                         \
  F(release_type_and_shape, ReleaseTensorTypeAndShapeInfo, 99) \
  F(release_allocator, ReleaseAllocator, 132)                  \
  F(attribute_ints, KernelInfoGetAttributeArray_int64, 163)    \
  F(node_input_count, KernelInfo_GetInputCount, 230)           \
  F(has_config, HasSessionConfigEntry, 237)                    \
  F(config, GetSessionConfigEntry, 238)                        \
  F(constant_input, KernelInfoGetConstantInput_tensor, 249)    \
  F(parallel_for, KernelContext_ParallelFor, 274)              \
  F(allocator, KernelInfoGetAllocator, 278)

inline Ort::Ort(const OrtApi *api) {
  const auto *table = reinterpret_cast<void *const *>(api);
#define CTCONV_ORT_TAKE(member, name, place) member = reinterpret_cast<decltype(member)>(table[place]);
  CTCONV_ORT_FUNCTIONS(CTCONV_ORT_TAKE)
#undef CTCONV_ORT_TAKE
}

}  // namespace ctconv_ort

#endif  // CTCONV_ORT_API_H_
