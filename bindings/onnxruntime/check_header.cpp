// SPDX-License-Identifier: Apache-2.0
// Compares ort_api.h with ONNX Runtime's own C header, where one is at hand: a failed assertion is the answer.
//
//   in:  the folder of onnxruntime_c_api.h, of release 1.18 or newer (CMake: CTCONV_ORT_HEADER)
//   out: nothing: that it compiles is the test. Places in the table, the members of an operator, numbers, signatures.
#include <onnxruntime_c_api.h>

#include <cstddef>
#include <type_traits>

// The same names once more, apart from the header's.
namespace ours {
#include "bindings/onnxruntime/ort_api.h"
}  // namespace ours

namespace {

namespace mine = ours::ctconv_ort;
static_assert(ORT_API_VERSION >= mine::kApiVersion);

#define PLACE(member, name, place) static_assert(offsetof(OrtApi, name) == (place) * sizeof(void*), #name);
CTCONV_ORT_FUNCTIONS(PLACE)
#undef PLACE

static_assert(offsetof(OrtApiBase, GetApi) == offsetof(ours::OrtApiBase, get_api));

#define MEMBER(member, name) static_assert(offsetof(OrtCustomOp, name) == offsetof(ours::OrtCustomOp, member), #name);
MEMBER(version, version)
MEMBER(create_kernel, CreateKernel)
MEMBER(name, GetName)
MEMBER(provider, GetExecutionProviderType)
MEMBER(input_type, GetInputType)
MEMBER(input_count, GetInputTypeCount)
MEMBER(output_type, GetOutputType)
MEMBER(output_count, GetOutputTypeCount)
MEMBER(compute, KernelCompute)
MEMBER(destroy, KernelDestroy)
MEMBER(input_kind, GetInputCharacteristic)
MEMBER(output_kind, GetOutputCharacteristic)
MEMBER(input_memory, GetInputMemoryType)
MEMBER(variadic_inputs, GetVariadicInputMinArity)
MEMBER(variadic_inputs_alike, GetVariadicInputHomogeneity)
MEMBER(variadic_outputs, GetVariadicOutputMinArity)
MEMBER(variadic_outputs_alike, GetVariadicOutputHomogeneity)
MEMBER(create_kernel_v2, CreateKernelV2)
MEMBER(compute_v2, KernelComputeV2)
MEMBER(infer_shape, InferOutputShapeFn)
MEMBER(first_version, GetStartVersion)
MEMBER(last_version, GetEndVersion)
MEMBER(may_inplace, GetMayInplace)
MEMBER(release_may_inplace, ReleaseMayInplace)
MEMBER(alias_map, GetAliasMap)
MEMBER(release_alias_map, ReleaseAliasMap)
#undef MEMBER

#define NUMBER(ours_name, name) static_assert(static_cast<int>(mine::ours_name) == static_cast<int>(name));
NUMBER(kFail, ORT_FAIL)
NUMBER(kInvalidArgument, ORT_INVALID_ARGUMENT)
NUMBER(kRuntimeException, ORT_RUNTIME_EXCEPTION)
NUMBER(kNotImplemented, ORT_NOT_IMPLEMENTED)
NUMBER(kFloat, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
NUMBER(kFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16)
NUMBER(kDouble, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE)
NUMBER(kBfloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16)
NUMBER(kRequired, INPUT_OUTPUT_REQUIRED)
NUMBER(kOptional, INPUT_OUTPUT_OPTIONAL)
NUMBER(kDefaultMemory, OrtMemTypeDefault)
#undef NUMBER

// The number of arguments of each function, and for each the number of bytes it is passed in.
template <typename F>
struct Form;
template <typename R, typename... A>
struct Form<R (*)(A...)> {
  static constexpr size_t count = sizeof...(A);
  static constexpr size_t bytes[sizeof...(A) + 1] = {sizeof(A)...};
};
template <typename R, typename... A>
struct Form<R (*)(A...) noexcept> : Form<R (*)(A...)> {};

template <typename F, typename G>
constexpr bool same_form() {
  if (Form<F>::count != Form<G>::count) return false;
  for (size_t i = 0; i < Form<F>::count; ++i) {
    if (Form<F>::bytes[i] != Form<G>::bytes[i]) return false;
  }
  return true;
}

#define SIGNATURE(member, name, place) \
  static_assert(same_form<decltype(mine::Ort::member), decltype(OrtApi::name)>(), "arguments of " #name);
CTCONV_ORT_FUNCTIONS(SIGNATURE)
#undef SIGNATURE

}  // namespace
