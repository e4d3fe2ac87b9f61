// SPDX-License-Identifier: Apache-2.0
// Loads libctconv_cuda.so; see cuda_module.h.
#include "src/backend/cuda/cuda_module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "src/base/utf8.h"

namespace ctconv {
namespace {

constexpr const char* kFile = "libctconv_cuda.so";

bool is_status(int32_t number) { return std::strcmp(status_name(number), "CTCONV_ERR_UNKNOWN") != 0; }

// The module's words may come from a driver, cut where its record ends. A number that is no status becomes one.
Status to_status(int32_t status, const ctconv_cuda_error& error) {
  if (status == 0) return {};
  const size_t length = strnlen(error.message, sizeof(error.message));
  std::string message(whole_utf8({error.message, length}));
  if (message.empty()) message = is_status(status) ? status_text(status) : "it says nothing more";
  if (is_status(status)) {
    return Status(Status::Detail{
        .code = static_cast<Code>(status), .native_code = error.native_code, .message = std::move(message)});
  }
  return Status(Status::Detail{
      .code = Code::DEVICE_CUDA,
      .native_code = error.native_code,
      .message = "the CUDA module answered " + std::to_string(status) + ", which is no status: " + message});
}

// The folder of the file this code was linked into; empty where the loader does not know it.
std::string own_folder() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&open_cuda_module), &info) || !info.dli_fname) return {};
  const std::string file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? std::string() : file.substr(0, slash);
}

Status missing(const std::string& where, const std::string& reason) {
  return Status(Code::DEVICE_MODULE_MISSING, "CUDA backend not installed: " + std::string(kFile) + " not found in " +
                                                 where + "; set CTCONV_CUDA_MODULE to its full path (" + reason + ")");
}

Status init(void* library, const std::string& path, ctconv_cuda_table* table) {
  const auto entry = reinterpret_cast<ctconv_cuda_module_init_fn>(dlsym(library, CTCONV_CUDA_ENTRY));
  if (!entry) {
    return Status(Code::DEVICE_MODULE_MISSING,
                  path + " is not a CUDA module of libctconv: it has no " CTCONV_CUDA_ENTRY);
  }
  *table = {};
  const int32_t status = entry(CTCONV_CUDA_ABI, sizeof(*table), table);
  if (status != 0 || table->abi != CTCONV_CUDA_ABI || table->table_bytes != sizeof(*table)) {
    const std::string theirs = std::to_string(table->abi);
    const std::string ours = std::to_string(CTCONV_CUDA_ABI);
    return Status(Code::DEVICE_MODULE_ABI, "CUDA module " + path + " has ABI " + theirs + ", this library wants " +
                                               ours + (theirs == ours ? " (the tables differ in size)" : "") +
                                               ": both must come from the same release");
  }
  return {};
}

}  // namespace

Status open_cuda_module(const std::string& explicit_path, const std::string& beside, ctconv_cuda_table* table) {
  std::vector<std::string> candidates;
  if (!explicit_path.empty()) {
    candidates.push_back(explicit_path);  // named by the user: nothing else is tried
  } else {
    if (!beside.empty()) candidates.push_back(beside + "/" + kFile);
    candidates.push_back(kFile);
  }
  std::string reason;
  for (const std::string& path : candidates) {
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return init(library, path, table);
    const char* text = dlerror();
    // The first text that is not "no such file" says more than the last one.
    if (text && (reason.empty() || reason.find("No such file") != std::string::npos)) reason = text;
  }
  if (!explicit_path.empty()) return missing("CTCONV_CUDA_MODULE=" + explicit_path, reason);
  return missing(beside.empty() ? std::string("the loader's search path") : beside + " nor in the loader's search path",
                 reason);
}

Status load_cuda_module(const CudaModule** out) {
  // Leaked on purpose: calls may come from other static destructors, and the module is never closed.
  static std::mutex* mutex = new std::mutex;
  static const CudaModule* module = nullptr;
  const std::lock_guard<std::mutex> lock(*mutex);
  if (!module) {
    *out = nullptr;
    const char* named = std::getenv("CTCONV_CUDA_MODULE");
    ctconv_cuda_table table;
    CTCONV_RETURN_IF_ERROR(open_cuda_module(named ? named : "", own_folder(), &table));
    module = new CudaModule(table);
  }
  *out = module;
  return {};
}

Status CudaModule::check_device(int32_t ordinal) const {
  ctconv_cuda_error error{};
  return to_status(table_.check_device(ordinal, &error), error);
}

Result<std::string> CudaModule::device_text(int32_t ordinal) const {
  ctconv_cuda_error error{};
  char text[256] = "";
  CTCONV_RETURN_IF_ERROR(to_status(table_.device_text(ordinal, text, sizeof(text), &error), error));
  return std::string(text);
}

Result<std::unique_ptr<CudaPlan>> CudaModule::plan(int32_t ordinal, const ctconv_cuda_problem& problem,
                                                   const ctconv_cuda_options& options) const {
  ctconv_cuda_error error{};
  ctconv_cuda_plan* plan = nullptr;
  CTCONV_RETURN_IF_ERROR(to_status(table_.plan_create(ordinal, &problem, &options, &plan, &error), error));
  return std::make_unique<CudaPlan>(&table_, plan);
}

Result<void*> CudaModule::allocate(int32_t ordinal, size_t bytes) const {
  ctconv_cuda_error error{};
  void* memory = nullptr;
  CTCONV_RETURN_IF_ERROR(to_status(table_.memory_alloc(ordinal, bytes, &memory, &error), error));
  return memory;
}

Status CudaModule::copy(int32_t ordinal, void* to, const void* from, size_t bytes) const {
  ctconv_cuda_error error{};
  return to_status(table_.memory_copy(ordinal, to, from, bytes, &error), error);
}

Result<CudaPointer> CudaModule::locate(const void* pointer) const {
  ctconv_cuda_error error{};
  CudaPointer result;
  CTCONV_RETURN_IF_ERROR(to_status(table_.pointer_device(pointer, &result.kind, &result.ordinal, &error), error));
  return result;
}

Status CudaModule::synchronize(int32_t ordinal, void* stream) const {
  ctconv_cuda_error error{};
  return to_status(table_.synchronize(ordinal, stream, &error), error);
}

Status CudaModule::pass(int32_t ordinal, const ctconv_cuda_pass& pass) const {
  ctconv_cuda_error error{};
  return to_status(table_.pass(ordinal, &pass, &error), error);
}

std::string CudaPlan::describe() const {
  std::string text(table_->plan_describe(plan_, nullptr, 0), '\0');
  table_->plan_describe(plan_, text.data(), text.size());
  if (!text.empty()) text.pop_back();  // the NUL
  return text;
}

Status CudaPlan::pack(const void* w, void* packed, void* stream) const {
  ctconv_cuda_error error{};
  return to_status(table_->plan_pack(plan_, w, packed, stream, &error), error);
}

Status CudaPlan::execute(const ctconv_cuda_call& call) const {
  ctconv_cuda_error error;
  error.message[0] = 0;
  error.native_code = 0;
  return to_status(table_->plan_execute(plan_, &call, &error), error);
}

Result<std::string> CudaPlan::save() const {
  ctconv_cuda_error error{};
  size_t needed = 0;
  CTCONV_RETURN_IF_ERROR(to_status(table_->plan_export(plan_, nullptr, 0, &needed, &error), error));
  std::string text(needed, '\0');
  CTCONV_RETURN_IF_ERROR(to_status(table_->plan_export(plan_, text.data(), text.size(), &needed, &error), error));
  if (!text.empty()) text.pop_back();
  return text;
}

ctconv_cuda_problem cuda_problem(const Problem& p, int32_t bias, int64_t bias_stride) {
  ctconv_cuda_problem r{};
  r.dtype = static_cast<int32_t>(p.types.x);
  r.rank = p.rank;
  r.n = p.n;
  r.groups = p.groups;
  r.ci = p.ci;
  r.co = p.co;
  r.x[0] = p.x.n;
  r.x[1] = p.x.c;
  r.y[0] = p.y.n;
  r.y[1] = p.y.c;
  r.w[0] = p.w.g;
  r.w[1] = p.w.ci;
  r.w[2] = p.w.co;
  for (int a = 0; a < 3; ++a) {
    const Axis& axis = p.axis[a];
    r.axis[a] = {axis.i, axis.o, axis.k, axis.s, axis.d, axis.lo, axis.tail, 0};
    r.x[2 + a] = p.x.axis[a];
    r.y[2 + a] = p.y.axis[a];
    r.w[3 + a] = p.w.tap[a];
  }
  r.bias = bias;
  r.bias_stride = bias_stride;
  r.activation = static_cast<int32_t>(p.epilogue.activation.kind);
  r.alpha = p.epilogue.activation.alpha;
  r.beta = p.epilogue.activation.beta;
  r.written = static_cast<int32_t>(p.written);
  r.wide_weights = p.types.w != p.types.x;
  return r;
}

}  // namespace ctconv
