// SPDX-License-Identifier: Apache-2.0
// A node's attributes become a descriptor of the dialect onnx.ConvTranspose and an activation.
//
//   in:  OrtKernelInfo: the eight attributes of ONNX's operator, and activation, activation_alpha, activation_beta
//   out: the caller's ctconv_desc, nothing judged; the three activation fields of ctconv_options
//   An attribute of another kind than ONNX says is handed over as it is, so that the dialect refuses it by name.
//   Refuses itself: an activation of an unknown name.
#ifndef CTCONV_ORT_ATTRIBUTES_H_
#define CTCONV_ORT_ATTRIBUTES_H_

#include <ctconv/ctconv.h>

#include "bindings/onnxruntime/ort_api.h"

namespace ctconv_ort {

// On success *desc is the caller's.
OrtStatus *read_descriptor(const Ort &ort, const OrtKernelInfo *info, ctconv_desc **desc);
OrtStatus *read_activation(const Ort &ort, const OrtKernelInfo *info, ctconv_options *options);

// What libctconv refused, in the runtime's form.
OrtStatus *refused(const Ort &ort, ctconv_status status, const ctconv_error &error);

}  // namespace ctconv_ort

#endif  // CTCONV_ORT_ATTRIBUTES_H_
