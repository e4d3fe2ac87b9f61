// SPDX-License-Identifier: Apache-2.0
// Reading ctconv_options and its hooks.
#include <algorithm>

#include "capi/engines.h"
#include "capi/op.h"
#include "src/base/number.h"
#include "src/base/utf8.h"

namespace ctconv {
namespace {

constexpr bool same(Activation::Kind kind, int32_t constant) { return static_cast<int32_t>(kind) == constant; }
static_assert(same(Activation::kNone, CTCONV_ACTIVATION_NONE) && same(Activation::kRelu, CTCONV_ACTIVATION_RELU) &&
              same(Activation::kLeakyRelu, CTCONV_ACTIVATION_LEAKY_RELU) &&
              same(Activation::kTanh, CTCONV_ACTIVATION_TANH) &&
              same(Activation::kSigmoid, CTCONV_ACTIVATION_SIGMOID) && same(Activation::kClip, CTCONV_ACTIVATION_CLIP));

Status option(Code code, const char* name, std::string value, std::string range) {
  return argument_error(code, name, std::move(value), std::move(range), "is out of range");
}

Status read_device(const std::string& text, Options* out) {
  out->device = text;
  if (text == "cpu") return {};
  out->cuda = true;
  if (text == "cuda") return {};
  std::string digits;
  if (text.rfind("cuda:", 0) == 0) digits = text.substr(5);
  if (digits.size() <= 6 && digits.find_first_not_of("0123456789") == std::string::npos &&
      read_number(digits, &out->ordinal)) {
    return {};
  }
  return argument_error(Code::MISUSE_DEVICE, "device", '"' + std::string(cut_utf8(text, 40)) + '"',
                        "\"cpu\", \"cuda\", \"cuda:0\", \"cuda:1\", ...", "is unknown");
}

// "auto" and the engines that `device` has, as one text.
std::string engines_of(bool cuda) {
  std::string names = "auto";
  for (const char* name : engine_names()) {
    if ((name == std::string_view(kDeviceEngine)) == cuda) names += std::string(", ") + name;
  }
  return names;
}

Status read_engine(const std::string& text, Options* out) {
  out->engine = text;
  if (text == "auto") return {};
  const auto names = engine_names();
  const bool kept_to_cudnn = text == "cudnn";  // no engine of its own: the device's, kept to cuDNN's plans
  const bool built = kept_to_cudnn || std::find(names.begin(), names.end(), text) != names.end();
  if (!built && !engine_left_out(text)) {
    std::string known = "auto";
    for (const char* name : names) known += std::string(", ") + name;
    const std::string asked = '"' + std::string(cut_utf8(text, 40)) + '"';
    return argument_error(Code::MISUSE_ENGINE, "engine", asked, known, "is unknown");
  }
  if ((kept_to_cudnn || text == kDeviceEngine) != out->cuda) {
    return argument_error(Code::MISUSE_ENGINE, "engine", '"' + text + '"', engines_of(out->cuda),
                          "does not run on device \"" + out->device + "\"");
  }
  if (built) return {};
  return argument_error(Code::UNSUPPORTED_ENGINE, "engine", '"' + text + '"', engines_of(false),
                        "was not built into this library");
}

Status read_activation(const ctconv_options& in, Options* out) {
  if (in.activation < CTCONV_ACTIVATION_NONE || in.activation > CTCONV_ACTIVATION_CLIP) {
    return option(Code::MISUSE_ACTIVATION, "activation", std::to_string(in.activation), "0 to 5");
  }
  // Parameters the activation does not use are left out: they must not tell plans apart.
  const auto kind = static_cast<Activation::Kind>(in.activation);
  const int parameters = row_of(kind).parameters;
  out->activation = {kind, parameters > 0 ? in.activation_alpha : 0, parameters > 1 ? in.activation_beta : 0};
  if (in.activation == CTCONV_ACTIVATION_CLIP && !(in.activation_alpha <= in.activation_beta)) {
    return option(Code::MISUSE_ACTIVATION, "activation_alpha", show_fixed(in.activation_alpha, 6),
                  "<= activation_beta, neither NaN");
  }
  if (in.activation == CTCONV_ACTIVATION_LEAKY_RELU && in.activation_alpha != in.activation_alpha) {
    return option(Code::MISUSE_ACTIVATION, "activation_alpha", "NaN", "a number");
  }
  return {};
}

// A number from 0 to `last`; `range` says so in words.
Status choice(const char* name, int32_t value, int32_t last, const char* range, int32_t* out) {
  if (value < 0 || value > last) return option(Code::MISUSE_OPTION, name, std::to_string(value), range);
  *out = value;
  return {};
}

Status flag(const char* name, int32_t value, bool* out) {
  int32_t number = 0;
  CTCONV_RETURN_IF_ERROR(choice(name, value, 1, "0 or 1", &number));
  *out = number == 1;
  return {};
}

// Which bits and which precision: read in the order of the record's fields.
Status read_promise(const ctconv_options& in, Options* out) {
  CTCONV_RETURN_IF_ERROR(choice("reproducible", in.reproducible, 2, "0, 1 or 2", &out->reproducible));
  CTCONV_RETURN_IF_ERROR(flag("allow_tf32", in.allow_tf32, &out->allow_tf32));
  CTCONV_RETURN_IF_ERROR(flag("borrow_weights", in.borrow_weights, &out->borrow_weights));
  CTCONV_RETURN_IF_ERROR(choice("math", in.math, 1, "0 or 1", &out->math));
  return {};
}

}  // namespace

Status read_options(const ctconv_options* given, Options* out) {
  if (given == nullptr) return {};
  ctconv_options in;
  CTCONV_RETURN_IF_ERROR(read_record(given, "ctconv_options", kFirstOptions, &in));
  if (in.reserved != 0 || in.reserved2 != 0) return unknown_field("ctconv_options");
  if (in.runner != nullptr) {
    ctconv_runner runner;
    CTCONV_RETURN_IF_ERROR(read_record(in.runner, "ctconv_runner", kFirstRunner, &runner));
    if (runner.reserved != 0) return unknown_field("ctconv_runner");
    if (runner.workers < 1 || runner.parallel_for == nullptr) {
      return option(Code::MISUSE_RUNNER, "runner", std::to_string(runner.workers) + " workers",
                    "workers >= 1 and parallel_for not NULL");
    }
    out->runner = Runner(runner.parallel_for, runner.user, runner.workers);
  }
  if (in.allocator != nullptr) {
    ctconv_allocator allocator;
    CTCONV_RETURN_IF_ERROR(read_record(in.allocator, "ctconv_allocator", kFirstAllocator, &allocator));
    if (allocator.alloc == nullptr || allocator.release == nullptr) {
      return option(Code::MISUSE_ALLOCATOR, "allocator", "NULL", "alloc and release not NULL");
    }
    out->allocator = {allocator.user, allocator.alloc, allocator.release};
  }
  CTCONV_RETURN_IF_ERROR(read_device(in.device != nullptr ? in.device : "cpu", out));
  CTCONV_RETURN_IF_ERROR(read_engine(in.engine != nullptr ? in.engine : "auto", out));
  if (in.threads < 0 || in.threads > 4096)
    return option(Code::MISUSE_OPTION, "threads", std::to_string(in.threads), "0 to 4096");
  if (in.plan_limit < 0 || in.plan_limit > 65536)
    return option(Code::MISUSE_OPTION, "plan_limit", std::to_string(in.plan_limit), "0 to 65536");
  if (in.tuning < CTCONV_TUNING_NONE || in.tuning > CTCONV_TUNING_MEASURE) {
    return option(Code::MISUSE_OPTION, "tuning", std::to_string(in.tuning), "0 or 1");
  }
  CTCONV_RETURN_IF_ERROR(read_activation(in, out));
  CTCONV_RETURN_IF_ERROR(read_promise(in, out));
  out->threads = in.threads;
  if (in.plan_limit != 0) out->plan_limit = in.plan_limit;
  if (in.workspace_limit != 0) out->workspace_limit = in.workspace_limit;
  out->measure = in.tuning == CTCONV_TUNING_MEASURE;
  return {};
}

}  // namespace ctconv
