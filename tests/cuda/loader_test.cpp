// SPDX-License-Identifier: Apache-2.0
// Finding and opening the CUDA module: fake modules of the right release, of another one, of none. Runs without CUDA.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "src/backend/cuda/cuda_module.h"

namespace ctconv {
namespace {

bool mapped(const std::string& part) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(part) != std::string::npos) return true;
  }
  return false;
}

bool says(const Status& status, const std::string& part) {
  return status.detail().message.find(part) != std::string::npos;
}

}  // namespace

// First in the file, and alone in its process: nothing may be open before the first CUDA use.
TEST_CASE("nothing is opened before the first use, then once for all threads", "[cuda][loader]") {
  CHECK_FALSE(mapped("fake_module"));
  CHECK_FALSE(mapped("libctconv_cuda"));
  const CudaModule* module = nullptr;
  setenv("CTCONV_CUDA_MODULE", "/nowhere/libctconv_cuda.so", 1);
  const Status missing = load_cuda_module(&module);
  REQUIRE(missing.code() == Code::DEVICE_MODULE_MISSING);
  CHECK(module == nullptr);

  setenv("CTCONV_CUDA_MODULE", CTCONV_FAKE_MODULE, 1);  // a failure is tried again
  std::vector<const CudaModule*> seen(8, nullptr);
  std::vector<std::thread> threads;
  for (auto& slot : seen) threads.emplace_back([&slot] { (void)load_cuda_module(&slot).ok(); });
  for (auto& t : threads) t.join();
  for (const auto* slot : seen) CHECK((slot != nullptr && slot == seen[0]));
  setenv("CTCONV_CUDA_MODULE", "/nowhere/else.so", 1);  // a success is remembered
  REQUIRE(load_cuda_module(&module).ok());
  CHECK(module == seen[0]);
  CHECK(mapped("fake_module"));
}

TEST_CASE("module absent, not a module, another release", "[cuda][loader]") {
  ctconv_cuda_table table;
  const Status named = open_cuda_module("/nowhere/libctconv_cuda.so", "", &table);
  REQUIRE(named.code() == Code::DEVICE_MODULE_MISSING);
  CHECK(
      says(named,
           "CUDA backend not installed: libctconv_cuda.so not found in CTCONV_CUDA_MODULE=/nowhere/libctconv_cuda.so"));
  WARN(named.detail().message);

  const Status beside = open_cuda_module("", "/nowhere/lib", &table);
  REQUIRE(beside.code() == Code::DEVICE_MODULE_MISSING);
  CHECK(says(beside, "/nowhere/lib nor in the loader's search path; set CTCONV_CUDA_MODULE"));
  WARN(beside.detail().message);

  const Status empty = open_cuda_module(CTCONV_FAKE_NO_ENTRY, "", &table);
  REQUIRE(empty.code() == Code::DEVICE_MODULE_MISSING);
  CHECK(says(empty, "is not a CUDA module of libctconv"));
  WARN(empty.detail().message);

  const Status other = open_cuda_module(CTCONV_FAKE_OTHER_ABI, "", &table);
  REQUIRE(other.code() == Code::DEVICE_MODULE_ABI);
  CHECK(says(other, "has ABI 1, this library wants 2: both must come from the same release"));
  WARN(other.detail().message);

  const Status text = open_cuda_module(CTCONV_SOURCE_DIR "/README.md", "", &table);  // exists, is no library
  REQUIRE(text.code() == Code::DEVICE_MODULE_MISSING);
  CHECK(says(text, "invalid ELF header"));
}

TEST_CASE("the folder of the library comes before the search path", "[cuda][loader]") {
  const auto folder = std::filesystem::temp_directory_path() / ("ctconv-loader-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file(CTCONV_FAKE_MODULE, folder / "libctconv_cuda.so",
                             std::filesystem::copy_options::overwrite_existing);
  ctconv_cuda_table table;
  CHECK(open_cuda_module("", folder.string(), &table).ok());
  CHECK(mapped(folder.string()));
  std::filesystem::remove_all(folder);
}

TEST_CASE("methods carry values, errors and lifetimes through the table", "[cuda][loader]") {
  ctconv_cuda_table table;
  REQUIRE(open_cuda_module(CTCONV_FAKE_MODULE, "", &table).ok());
  const CudaModule module(table);
  CHECK(module.check_device(0).ok());
  const Status ordinal = module.check_device(3);
  REQUIRE(ordinal.code() == Code::DEVICE_ORDINAL);
  CHECK(ordinal.detail().native_code == 101);
  CHECK(ordinal.detail().message == "device 3 asked, 1 visible");
  CHECK(module.device_text(0).value() == "fake 0");

  Problem p;
  p.rank = 2;
  p.n = 5;
  p.groups = 2;
  p.ci = 7;
  p.co = 3;
  p.types = uniform_types(Dtype::kBf16);
  p.axis[1] = {.i = 4, .o = 9, .k = 3, .s = 2, .d = 1, .lo = -1, .tail = 2};
  p.x.n = 11;
  p.y.c = 13;
  p.w.tap[2] = 17;
  p.y.axis[0] = 19;
  p.epilogue.activation = {.kind = Activation::kClip, .alpha = -1, .beta = 6};
  const ctconv_cuda_problem r = cuda_problem(p, CTCONV_CUDA_BIAS_ELEMENT, 4);
  CHECK(r.dtype == CTCONV_CUDA_BF16);
  CHECK((r.rank == 2 && r.n == 5 && r.groups == 2 && r.ci == 7 && r.co == 3));
  CHECK((r.axis[1].i == 4 && r.axis[1].o == 9 && r.axis[1].k == 3 && r.axis[1].s == 2 && r.axis[1].lo == -1 &&
         r.axis[1].tail == 2));
  CHECK((r.x[0] == 11 && r.y[1] == 13 && r.w[5] == 17 && r.y[2] == 19));
  CHECK((r.bias == CTCONV_CUDA_BIAS_ELEMENT && r.bias_stride == 4));
  CHECK((r.activation == Activation::kClip && r.alpha == -1 && r.beta == 6));
  static_assert(static_cast<int>(Dtype::kF32) == CTCONV_CUDA_F32 && static_cast<int>(Dtype::kF16) == CTCONV_CUDA_F16 &&
                static_cast<int>(Dtype::kF64) == CTCONV_CUDA_F64);

  ctconv_cuda_options options{};
  options.workspace_limit = SIZE_MAX;
  {
    auto plan = module.plan(0, r, options);
    REQUIRE(plan.ok());
    CHECK((*plan)->workspace_bytes() == 5);
    CHECK((*plan)->packed_bytes() == 7);
    CHECK((*plan)->packing() == "taps-last");
    CHECK((*plan)->describe() == "kernel: fake\n");
    CHECK((*plan)->save().value() == "kernel: fake\n");
    float x = 2.5f, y = 0, packed = 0;
    ctconv_cuda_call call{};
    call.x = &x;
    call.y = &y;
    CHECK((*plan)->execute(call).ok());
    CHECK(y == 2.5f);
    CHECK((*plan)->pack(&x, &packed, nullptr).ok());
    CHECK(packed == 2.5f);
    call.y = nullptr;
    const Status async = (*plan)->execute(call);
    REQUIRE(async.code() == Code::DEVICE_ASYNC);
    CHECK(async.detail().native_code == 700);
    CHECK(module.locate(&x)->ordinal == 1);  // the fake answers its number of live plans
  }
  float x = 0;
  CHECK(module.locate(&x)->ordinal == 0);  // destroyed with its owner
  CHECK(module.locate(nullptr)->kind == CTCONV_CUDA_NOT_A_DEVICE_POINTER);
  options.kernel = "none";
  CHECK(module.plan(0, r, options).status().code() == Code::DEVICE_NO_PLAN);
  auto memory = module.allocate(0, 16);
  REQUIRE(memory.ok());
  CHECK(module.copy(0, *memory, "fifteen letters", 16).ok());
  CHECK(std::strcmp(static_cast<const char*>(*memory), "fifteen letters") == 0);
  module.release(0, *memory);
  CHECK(module.allocate(0, size_t{1} << 40).status().code() == Code::NO_MEMORY);
  CHECK(module.synchronize(0, nullptr).ok());
}

}  // namespace ctconv
