// SPDX-License-Identifier: Apache-2.0
// The stand-in's functions; see host.h.
#include "tests/ort/host.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <thread>

struct OrtTensorTypeAndShapeInfo {
  int type;
  std::vector<int64_t> shape;
};

namespace ctconv_host {
namespace {

std::atomic<int> statuses{0}, infos{0};

OrtStatus* fail(int code, const char* text) {
  ++statuses;
  return new OrtStatus{code, text};
}

void release_status(OrtStatus* status) {
  if (status != nullptr) --statuses;
  delete status;
}

const char* error_message(const OrtStatus* status) { return status->text.c_str(); }

OrtStatus* create_domain(const char* name, OrtCustomOpDomain** domain) {
  *domain = new OrtCustomOpDomain{name, {}};  // kept by the library for good
  return nullptr;
}

OrtStatus* domain_add(OrtCustomOpDomain* domain, const OrtCustomOp* op) {
  domain->operators.push_back(op);
  return nullptr;
}

OrtStatus* add_domain(OrtSessionOptions* options, OrtCustomOpDomain* domain) {
  options->domains.push_back(domain);
  return nullptr;
}

OrtStatus* tensor_data(OrtValue* value, void** data) {
  *data = value->data;
  return nullptr;
}

OrtStatus* type_and_shape(const OrtValue* value, OrtTensorTypeAndShapeInfo** info) {
  ++infos;
  *info = new OrtTensorTypeAndShapeInfo{value->type, value->shape};
  return nullptr;
}

void release_type_and_shape(OrtTensorTypeAndShapeInfo* info) {
  --infos;
  delete info;
}

OrtStatus* element_type(const OrtTensorTypeAndShapeInfo* info, int* type) {
  *type = info->type;
  return nullptr;
}

OrtStatus* dimensions_count(const OrtTensorTypeAndShapeInfo* info, size_t* count) {
  *count = info->shape.size();
  return nullptr;
}

OrtStatus* dimensions(const OrtTensorTypeAndShapeInfo* info, int64_t* extents, size_t count) {
  if (count != info->shape.size()) return fail(ctconv_ort::kInvalidArgument, "another number of axes");
  std::copy(info->shape.begin(), info->shape.end(), extents);
  return nullptr;
}

OrtStatus* allocate(OrtAllocator* allocator, size_t bytes, void** memory) {
  *memory = nullptr;
  if (allocator->asked++ == allocator->fails_at) return fail(ctconv_ort::kFail, "no memory");
  ++allocator->live;
  *memory = std::malloc(bytes == 0 ? 1 : bytes);
  return nullptr;
}

OrtStatus* release(OrtAllocator* allocator, void* memory) {
  --allocator->live;
  std::free(memory);
  return nullptr;
}

template <typename T>
OrtStatus* attribute(const OrtKernelInfo* info, const char* name, const T** value) {
  const auto at = info->attributes.find(name);
  *value = at == info->attributes.end() ? nullptr : std::get_if<T>(&at->second);
  return *value == nullptr ? fail(ctconv_ort::kFail, "no attribute of this name and kind") : nullptr;
}

OrtStatus* attribute_int(const OrtKernelInfo* info, const char* name, int64_t* value) {
  const int64_t* held = nullptr;
  if (OrtStatus* status = attribute(info, name, &held)) return status;
  *value = *held;
  return nullptr;
}

OrtStatus* attribute_float(const OrtKernelInfo* info, const char* name, float* value) {
  const float* held = nullptr;
  if (OrtStatus* status = attribute(info, name, &held)) return status;
  *value = *held;
  return nullptr;
}

OrtStatus* text(const std::string& held, char* out, size_t* size) {
  if (out != nullptr) std::memcpy(out, held.c_str(), held.size() + 1);
  *size = held.size() + 1;
  return nullptr;
}

OrtStatus* attribute_string(const OrtKernelInfo* info, const char* name, char* out, size_t* size) {
  const std::string* held = nullptr;
  if (OrtStatus* status = attribute(info, name, &held)) return status;
  return text(*held, out, size);
}

// As the runtime: a list of ints is asked for by name alone, so another kind is an empty list.
OrtStatus* attribute_ints(const OrtKernelInfo* info, const char* name, int64_t* values, size_t* count) {
  const std::vector<int64_t>* held = nullptr;
  *count = 0;
  if (OrtStatus* status = attribute(info, name, &held)) {
    if (info->attributes.count(name) == 0) return status;
    release_status(status);
    return nullptr;
  }
  if (values != nullptr) std::copy(held->begin(), held->end(), values);
  *count = held->size();
  return nullptr;
}

OrtStatus* node_input_count(const OrtKernelInfo* info, size_t* count) {
  *count = info->constants.size();
  return nullptr;
}

OrtStatus* constant_input(const OrtKernelInfo* info, size_t index, int* is_constant, const OrtValue** value) {
  *value = info->constants.at(index);
  *is_constant = *value != nullptr;
  return nullptr;
}

OrtStatus* get_allocator(const OrtKernelInfo* info, int, OrtAllocator** allocator) {
  ++info->allocator->live;
  *allocator = info->allocator;
  return nullptr;
}

void release_allocator(OrtAllocator* allocator) { --allocator->live; }

OrtStatus* input_count(const OrtKernelContext* context, size_t* count) {
  *count = context->inputs.size();
  return nullptr;
}

OrtStatus* input(const OrtKernelContext* context, size_t index, const OrtValue** value) {
  *value = context->inputs.at(index);
  return nullptr;
}

OrtStatus* output(OrtKernelContext* context, size_t, const int64_t* extents, size_t count, OrtValue** value) {
  context->y.type = context->inputs[0]->type;
  context->y.shape.assign(extents, extents + count);
  const int64_t elements = std::accumulate(extents, extents + count, int64_t{1}, std::multiplies<>());
  context->memory.assign(static_cast<size_t>(elements) * sizeof(double), '\x7f');
  context->y.data = context->memory.data();
  *value = &context->y;
  return nullptr;
}

OrtStatus* has_config(const OrtSessionOptions* options, const char* key, int* there) {
  *there = options->entries.count(key) != 0;
  return nullptr;
}

OrtStatus* config(const OrtSessionOptions* options, const char* key, char* out, size_t* size) {
  return text(options->entries.at(key), out, size);
}

OrtStatus* parallel_for(const OrtKernelContext* given, void (*fn)(void*, size_t), size_t total, size_t, void* data) {
  auto* context = const_cast<OrtKernelContext*>(given);
  if (context->threads == 0) return fail(ctconv_ort::kRuntimeException, "no threads");
  context->shared_out += static_cast<int>(total);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < total; i = next++) fn(data, i);
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < context->threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& one : threads) one.join();
  return nullptr;
}

void missing() {
  std::fputs("a function was called that is not in ort_api.h\n", stderr);
  std::abort();
}

OrtStatus* create_status(int code, const char* message) { return fail(code, message); }

struct Table {
  void* places[512];

  Table() {
    for (void*& place : places) place = reinterpret_cast<void*>(&missing);
    const auto free = &release;
    const auto allocator = &get_allocator;
#define CTCONV_HOST_PLACE(member, name, place) places[place] = reinterpret_cast<void*>(+member);
    CTCONV_ORT_FUNCTIONS(CTCONV_HOST_PLACE)
#undef CTCONV_HOST_PLACE
  }
};

template <uint32_t kNewest>
const OrtApi* get_api(uint32_t version) {
  static const Table table;
  return version <= kNewest ? reinterpret_cast<const OrtApi*>(&table) : nullptr;
}

const char* version_string() { return "stand-in"; }

}  // namespace

const OrtApiBase* base(uint32_t version) {
  static const OrtApiBase now = {&get_api<18>, &version_string}, old = {&get_api<17>, &version_string};
  return version >= 18 ? &now : &old;
}

int live_statuses() { return statuses; }
int live_infos() { return infos; }

Said said(OrtStatus* status) {
  if (status == nullptr) return {};
  const Said out = {status->code, status->text};
  release_status(status);
  return out;
}

}  // namespace ctconv_host
