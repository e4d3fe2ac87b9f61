// SPDX-License-Identifier: Apache-2.0
// A node's attributes become a descriptor and an activation; see attributes.h.
#include "bindings/onnxruntime/attributes.h"

#include <string>
#include <vector>

namespace ctconv_ort {
namespace {

constexpr const char *kAttributes[] = {"auto_pad",       "dilations",    "group", "kernel_shape",
                                       "output_padding", "output_shape", "pads",  "strides"};

struct Activation {
  const char *name;
  int32_t number;
};
constexpr Activation kActivations[] = {{"relu", CTCONV_ACTIVATION_RELU},
                                       {"leaky_relu", CTCONV_ACTIVATION_LEAKY_RELU},
                                       {"tanh", CTCONV_ACTIVATION_TANH},
                                       {"sigmoid", CTCONV_ACTIVATION_SIGMOID},
                                       {"clip", CTCONV_ACTIVATION_CLIP}};

// Whether the attribute is there and of the asked kind: the runtime answers the same failure for both.
bool there(const Ort &ort, OrtStatus *status) {
  if (status == nullptr) return true;
  ort.release_status(status);
  return false;
}

bool text_of(const Ort &ort, const OrtKernelInfo *info, const char *name, std::string *out) {
  size_t size = 0;
  if (!there(ort, ort.attribute_string(info, name, nullptr, &size))) return false;
  out->resize(size);
  if (!there(ort, ort.attribute_string(info, name, out->data(), &size))) return false;
  while (!out->empty() && out->back() == '\0') out->pop_back();
  return true;
}

// The list of ints comes last: asked for it, the runtime answers an empty one for an attribute of another kind.
// A failed set is remembered in the descriptor and returned when the op is made.
void copy_attribute(const Ort &ort, const OrtKernelInfo *info, const char *name, ctconv_desc *desc) {
  size_t count = 0;
  int64_t whole = 0;
  float real = 0;
  std::string text;
  if (there(ort, ort.attribute_int(info, name, &whole))) {
    ctconv_desc_set_int(desc, name, whole);
  } else if (there(ort, ort.attribute_float(info, name, &real))) {
    ctconv_desc_set_float(desc, name, real);
  } else if (text_of(ort, info, name, &text)) {
    ctconv_desc_set_string(desc, name, text.c_str());
  } else if (there(ort, ort.attribute_ints(info, name, nullptr, &count))) {
    std::vector<int64_t> values(count);
    if (count == 0 || there(ort, ort.attribute_ints(info, name, values.data(), &count))) {
      ctconv_desc_set_ints(desc, name, values.data(), values.size());
    }
  }
}

}  // namespace

OrtStatus *refused(const Ort &ort, ctconv_status status, const ctconv_error &error) {
  const int32_t kind = ctconv_status_kind(status);
  int code = kRuntimeException;
  if (kind >= 1 && kind <= 3) code = kInvalidArgument;
  if (kind == 4) code = kNotImplemented;
  const char *said = error.message[0] != '\0' ? error.message : ctconv_status_text(status);
  const std::string text = "ctconv: " + std::string(ctconv_status_name(status)) + ": " + said;
  return ort.create_status(code, text.c_str());
}

OrtStatus *read_descriptor(const Ort &ort, const OrtKernelInfo *info, ctconv_desc **desc) {
  ctconv_error error = CTCONV_ERROR_INIT;
  const ctconv_status status = ctconv_desc_create("onnx.ConvTranspose", desc, &error);
  if (status != CTCONV_OK) return refused(ort, status, error);
  for (const char *name : kAttributes) copy_attribute(ort, info, name, *desc);
  return nullptr;
}

OrtStatus *read_activation(const Ort &ort, const OrtKernelInfo *info, ctconv_options *options) {
  std::string name;
  if (!text_of(ort, info, "activation", &name) || name.empty()) return nullptr;
  for (const Activation &one : kActivations) {
    if (name == one.name) options->activation = one.number;
  }
  if (options->activation == CTCONV_ACTIVATION_NONE) {
    const std::string text =
        "ctconv: activation is \"" + name + "\"; relu, leaky_relu, tanh, sigmoid and clip are known";
    return ort.create_status(kInvalidArgument, text.c_str());
  }
  float value = 0;
  if (there(ort, ort.attribute_float(info, "activation_alpha", &value))) options->activation_alpha = value;
  if (there(ort, ort.attribute_float(info, "activation_beta", &value))) options->activation_beta = value;
  return nullptr;
}

}  // namespace ctconv_ort
