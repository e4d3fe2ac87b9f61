// SPDX-License-Identifier: Apache-2.0
// One ConvTranspose node of a session.
//
//   in:  OrtKernelInfo and Settings once a session; then OrtKernelContext per run: X, W, B by position
//   out: a ctconv_op with the constant W and B of the model packed; per run Y, in memory the session gives
//   W and B that are no constants come with every run. Shapes may change from run to run: each has a plan.
//   Work runs on the session's threads; scratch memory and packed weights lie in the session's memory.
//   Refuses what the dialect refuses, as a status with its message: attributes with the session, shapes per run.
#ifndef CTCONV_ORT_KERNEL_H_
#define CTCONV_ORT_KERNEL_H_

#include <ctconv/ctconv.h>

#include "bindings/onnxruntime/hooks.h"
#include "bindings/onnxruntime/ort_api.h"
#include "bindings/onnxruntime/settings.h"

namespace ctconv_ort {

class Kernel {
 public:
  explicit Kernel(const Ort &ort) : ort_(ort), memory_{&ort, nullptr} {}
  ~Kernel();
  Kernel(const Kernel &) = delete;
  Kernel &operator=(const Kernel &) = delete;

  OrtStatus *create(const OrtKernelInfo *info, const Settings &settings);
  OrtStatus *run(OrtKernelContext *context) const;

 private:
  OrtStatus *create_op(const OrtKernelInfo *info, const ctconv_desc *desc, ctconv_options *options);
  OrtStatus *execute(OrtKernelContext *context, ctconv_call *call) const;

  const Ort &ort_;
  Memory memory_;
  ctconv_op *op_ = nullptr;
  bool own_weight_ = false, own_bias_ = false;
};

}  // namespace ctconv_ort

#endif  // CTCONV_ORT_KERNEL_H_
