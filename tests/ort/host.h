// SPDX-License-Identifier: Apache-2.0
// A stand-in for ONNX Runtime's C interface: what libctconv_ort.so asks of it, and counts of what it must give back.
//
//   in:  attributes, constants and inputs of one node; a number of threads; an allocation that fails
//   out: an OrtApiBase whose table holds the functions of ort_api.h at their places; every other place ends the program
//   It knows no operators: a test finds them in the domain that RegisterCustomOps adds to the options.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "bindings/onnxruntime/ort_api.h"

extern "C" OrtStatus* RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base);

struct OrtStatus {
  int code;
  std::string text;
};

struct OrtValue {
  int type = ctconv_ort::kFloat;
  std::vector<int64_t> shape;
  void* data = nullptr;
};

struct OrtAllocator {
  std::atomic<int> live{0}, asked{0};
  int fails_at = -1;  // the allocation of this number, from 0
};

struct OrtKernelInfo {
  std::map<std::string, std::variant<int64_t, float, std::string, std::vector<int64_t>>> attributes;
  std::vector<const OrtValue*> constants;  // an entry an input; null: no constant
  OrtAllocator* allocator = nullptr;
};

struct OrtKernelContext {
  std::vector<const OrtValue*> inputs;
  int threads = 1;  // 0: the runtime refuses to share out work
  OrtValue y;
  std::vector<char> memory;
  std::atomic<int> shared_out{0};
};

struct OrtSessionOptions {
  std::map<std::string, std::string> entries;
  std::vector<OrtCustomOpDomain*> domains;
};

struct OrtCustomOpDomain {
  std::string name;
  std::vector<const OrtCustomOp*> operators;
};

namespace ctconv_host {

// A runtime whose newest table is `version`'s.
const OrtApiBase* base(uint32_t version = 18);

// The statuses and shape records that are not released yet.
int live_statuses();
int live_infos();

// The code and text of a status, which is released; {0, ""} for success.
struct Said {
  int code = 0;
  std::string text;
};
Said said(OrtStatus* status);

}  // namespace ctconv_host
