// SPDX-License-Identifier: Apache-2.0
// Every status an op on a device can answer: module, driver, device, plan, memory, tensors on the wrong device.
#include <fstream>

#include "tests/device/support.h"

using namespace device;

namespace {

ctconv_status created(Layer& layer, const ctconv_options& options, Error* error, bool weights = true) {
  ctconv_op* op = nullptr;
  const ctconv_status status = ctconv_create(layer.desc.get(), weights ? layer.w.get() : nullptr,
                                             weights ? layer.b.get() : nullptr, &options, &op, error);
  CHECK((op != nullptr) == (status == CTCONV_OK));
  ctconv_destroy(op);
  return status;
}

bool module_loaded() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("ctconv_host_module") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

// First in the file and in the program: the module is loaded once and for all by the first success.
TEST_CASE("device: no module, and a module of another release", "[device]") {
  if (module_loaded()) SKIP("the module is loaded already");
  Layer layer;
  Error error;
  setenv("CTCONV_CUDA_MODULE", "/nowhere/libctconv_cuda.so", 1);
  refused(created(layer, cuda_options(), &error), error, CTCONV_ERR_DEVICE_MODULE_MISSING);
  setenv("CTCONV_CUDA_MODULE", CTCONV_FAKE_OTHER_ABI, 1);
  refused(created(layer, cuda_options(), &error), error, CTCONV_ERR_DEVICE_MODULE_ABI);
  fresh();  // names the host module: a failure is tried again
  CHECK(created(layer, cuda_options(), &error) == CTCONV_OK);
}

TEST_CASE("device: what is missing below the module is create's status", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  for (int32_t status = CTCONV_ERR_DEVICE_NO_DRIVER; status <= CTCONV_ERR_DEVICE_CUDNN; ++status) {
    Error error;
    s.check_status = status;
    refused(created(layer, cuda_options(), &error), error, status);
    CHECK(error.native_code == 700);
  }
  s.check_status = 0;
  Error error;
  ctconv_options options = cuda_options();
  options.device = "cuda:3";
  refused(created(layer, options, &error), error, CTCONV_ERR_DEVICE_ORDINAL);
  options.device = "cuda:0";
  CHECK(created(layer, options, &error) == CTCONV_OK);
  s.alloc_status = CTCONV_ERR_NO_MEMORY;
  refused(created(layer, options, &error), error, CTCONV_ERR_NO_MEMORY);
  s.alloc_status = 0;
  s.copy_status = CTCONV_ERR_DEVICE_CUDA;
  refused(created(layer, options, &error), error, CTCONV_ERR_DEVICE_CUDA);
  CHECK(s.buffers_live == 0);
}

TEST_CASE("device: a plan that cannot be built, in prepare, execute and describe alike", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, &layer.w, &layer.b, &options);
  const ctconv_call call = layer.given();
  const auto all_refuse = [&](ctconv_status want) {
    Error error;
    size_t bytes = 5;
    refused(ctconv_prepare(op.get(), &call, &bytes, &error), error, want);
    CHECK(bytes == 0);
    refused(ctconv_execute(op.get(), &call, &error), error, want);
    char text[64] = "x";
    refused(ctconv_describe(op.get(), &call, text, sizeof text, &bytes, &error), error, want);
    CHECK(text[0] == '\0');
    CHECK(layer.y.untouched());
  };
  for (const int32_t status : {CTCONV_ERR_UNSUPPORTED_ENGINE, CTCONV_ERR_NO_MEMORY, CTCONV_ERR_DEVICE_NO_PLAN,
                               CTCONV_ERR_DEVICE_ASYNC, CTCONV_ERR_DEVICE_CUDA, CTCONV_ERR_DEVICE_CUDNN}) {
    s.plan_status = status;
    all_refuse(status);
  }
  s.plan_status = 0;
  s.packs = true;
  s.alloc_status = CTCONV_ERR_NO_MEMORY;
  all_refuse(CTCONV_ERR_NO_MEMORY);
  s.alloc_status = 0;
  s.pack_status = CTCONV_ERR_DEVICE_CUDA;
  all_refuse(CTCONV_ERR_DEVICE_CUDA);
  s.pack_status = 0;
  s.synchronise_status = CTCONV_ERR_DEVICE_ASYNC;
  all_refuse(CTCONV_ERR_DEVICE_ASYNC);
  CHECK(s.plans_live == 0);
  s.synchronise_status = 0;
  run(op, call);
  CHECK((layer.y.values() == layer.want()));
}

TEST_CASE("device: faults while running", "[device]") {
  HostModuleState& s = fresh();
  s.scratch_bytes = 100;
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, &layer.w, &layer.b, &options);
  const ctconv_call call = layer.given();
  Error error;
  prepared(op, call);
  s.alloc_status = CTCONV_ERR_NO_MEMORY;
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_NO_MEMORY);
  s.alloc_status = 0;
  for (const int32_t status : {CTCONV_ERR_DEVICE_ASYNC, CTCONV_ERR_DEVICE_CUDA, CTCONV_ERR_DEVICE_CUDNN}) {
    s.execute_status = status;
    refused(ctconv_execute(op.get(), &call, &error), error, status);
    CHECK(error.native_code == 700);
  }
  s.execute_status = 0;
  run(op, call);
  CHECK((layer.y.values() == layer.want()));
}

TEST_CASE("device: tensors on the wrong device", "[device]") {
  fresh();
  Layer layer;
  const ctconv_options options = cuda_options();
  const Op op = create(layer.desc, nullptr, nullptr, &options);
  const ctconv_call call = layer.per_call();
  const std::pair<const char*, Tensor*> operands[] = {
      {"x", &layer.x}, {"y", &layer.y}, {"weight", &layer.w}, {"bias", &layer.b}};
  for (const auto& [name, tensor] : operands) {
    INFO(name);
    for (const int32_t type : {int32_t{CTCONV_DEVICE_CPU}, int32_t{CTCONV_DEVICE_CUDA_HOST}, 7}) {
      Error error;
      tensor->get()->device_type = type;
      refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, name);
      CHECK(std::string(error.range) == "cuda");
    }
    Error error;
    there(*tensor).get()->device_id = 1;
    refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, name);
    tensor->get()->device_type = CTCONV_DEVICE_CUDA_MANAGED;  // reached from every device
    run(op, call);
    there(*tensor).get()->device_id = 0;
  }
  CHECK((layer.y.values() == layer.want()));
}

TEST_CASE("device: borrowed weights lie on the op's device", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  ctconv_options options = cuda_options();
  options.borrow_weights = 1;
  Error error;
  CHECK(created(layer, options, &error) == CTCONV_OK);
  s.pointer_kind = CTCONV_CUDA_MANAGED_POINTER;
  s.pointer_ordinal = -1;
  CHECK(created(layer, options, &error) == CTCONV_OK);
  s.pointer_kind = CTCONV_CUDA_NOT_A_DEVICE_POINTER;
  refused(created(layer, options, &error), error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, "weight");
  s.pointer_kind = CTCONV_CUDA_DEVICE_POINTER;
  s.pointer_ordinal = 1;
  refused(created(layer, options, &error), error, CTCONV_ERR_MISUSE_TENSOR_DEVICE, "weight");
  s.locate_status = CTCONV_ERR_DEVICE_ASYNC;
  refused(created(layer, options, &error), error, CTCONV_ERR_DEVICE_ASYNC);
  CHECK(s.copies == 0);
}

TEST_CASE("device: what a module must not answer is a status all the same", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  Error error;
  s.check_status = 6999;
  refused(created(layer, cuda_options(), &error), error, CTCONV_ERR_DEVICE_CUDA);
  CHECK(std::string(error.message) == "the CUDA module answered 6999, which is no status: the test wants this to fail");
  s.words = "";
  refused(created(layer, cuda_options(), &error), error, CTCONV_ERR_DEVICE_CUDA);
  s.check_status = CTCONV_ERR_DEVICE_NONE;
  refused(created(layer, cuda_options(), &error), error, CTCONV_ERR_DEVICE_NONE);
  std::string words = "x";
  for (int n = 0; n < 600; ++n) words += "\xC3\xA9";  // the module's record ends within a letter
  s.words = words.c_str();
  refused(created(layer, cuda_options(), &error), error, CTCONV_ERR_DEVICE_NONE);
  s.check_status = 0;
  s.words = nullptr;
  for (const size_t scratch : {SIZE_MAX, SIZE_MAX - 200, SIZE_MAX / 2}) {
    s.scratch_bytes = scratch;
    const ctconv_options options = cuda_options();
    const Op op = create(layer.desc, &layer.w, &layer.b, &options);
    const ctconv_call call = layer.given();
    size_t bytes = 5;
    refused(ctconv_prepare(op.get(), &call, &bytes, &error), error, CTCONV_ERR_NO_MEMORY);
    CHECK(bytes == 0);
    refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_NO_MEMORY);
  }
  CHECK(s.plans_live == 0);
}

TEST_CASE("device: engines on a device", "[device]") {
  HostModuleState& s = fresh();
  Layer layer;
  ctconv_options options = cuda_options();
  Error error;
  for (const char* engine : {"native", "onednn", "reference", "cell"}) {
    options.engine = engine;
    refused(created(layer, options, &error), error, CTCONV_ERR_MISUSE_ENGINE, "engine");
  }
  const ctconv_call call = layer.given();
  for (const char* engine : {"auto", "cuda"}) {
    options.engine = engine;
    run(create(layer.desc, &layer.w, &layer.b, &options), call);
    CHECK(std::string(s.kernel).empty());
  }
  options.engine = "cudnn";  // cuDNN or nothing; this machine has none
  const Op op = create(layer.desc, &layer.w, &layer.b, &options);
  refused(ctconv_execute(op.get(), &call, &error), error, CTCONV_ERR_DEVICE_CUDNN_MISSING);
  CHECK(std::string(s.kernel) == "cudnn");
  options.device = "cpu";
  for (const char* engine : {"cuda", "cudnn"}) {
    options.engine = engine;
    refused(created(layer, options, &error), error, CTCONV_ERR_MISUSE_ENGINE, "engine");
  }
}
