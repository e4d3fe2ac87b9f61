/* SPDX-License-Identifier: Apache-2.0 */
/* A CUDA module that needs no CUDA: it says what it was asked. FAKE_ABI and FAKE_ENTRY make it one of another release,
   or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/module.h"

#ifndef FAKE_ABI
#define FAKE_ABI CTCONV_CUDA_ABI
#endif

struct ctconv_cuda_plan {
  ctconv_cuda_problem problem;
};
static int live_plans = 0;

static int32_t fail(ctconv_cuda_error *error, int32_t status, int32_t native, const char *text) {
  if (error) {
    error->status = status;
    error->native_code = native;
    snprintf(error->message, sizeof(error->message), "%s", text);
  }
  return status;
}
static int32_t check_device(int32_t ordinal, ctconv_cuda_error *error) {
  char text[64];
  if (ordinal == 0) return 0;
  snprintf(text, sizeof(text), "device %d asked, 1 visible", ordinal);
  return fail(error, 6006, 101, text);
}
static int32_t device_text(int32_t ordinal, char *text, size_t capacity, ctconv_cuda_error *error) {
  (void)error;
  snprintf(text, capacity, "fake %d", ordinal);
  return 0;
}
static int32_t plan_create(int32_t ordinal, const ctconv_cuda_problem *problem, const ctconv_cuda_options *options,
                           ctconv_cuda_plan **plan, ctconv_cuda_error *error) {
  *plan = NULL;
  (void)ordinal;
  if (options->kernel && strcmp(options->kernel, "none") == 0)
    return fail(error, 6010, 0, "no cuDNN plan for this problem");
  *plan = malloc(sizeof(**plan));
  (*plan)->problem = *problem;
  ++live_plans;
  return 0;
}
static size_t plan_workspace(const ctconv_cuda_plan *plan) { return (size_t)plan->problem.n; }
static size_t plan_packed_bytes(const ctconv_cuda_plan *plan) { return (size_t)plan->problem.ci; }
static const char *plan_packing(const ctconv_cuda_plan *plan) {
  (void)plan;
  return "taps-last";
}
static int32_t plan_pack(const ctconv_cuda_plan *plan, const void *w, void *packed, void *stream,
                         ctconv_cuda_error *error) {
  (void)plan;
  (void)stream;
  (void)error;
  memcpy(packed, w, 4);
  return 0;
}
static int32_t plan_execute(const ctconv_cuda_plan *plan, const ctconv_cuda_call *call, ctconv_cuda_error *error) {
  (void)plan;
  if (!call->y) return fail(error, 6011, 700, "earlier work on this device failed, not this call");
  memcpy(call->y, call->x, 4);
  return 0;
}
static size_t plan_describe(const ctconv_cuda_plan *plan, char *text, size_t capacity) {
  static const char kText[] = "kernel: fake\n";
  (void)plan;
  if (text && capacity) snprintf(text, capacity, "%s", kText);
  return sizeof(kText);
}
static int32_t plan_export(const ctconv_cuda_plan *plan, char *text, size_t capacity, size_t *needed,
                           ctconv_cuda_error *error) {
  (void)error;
  *needed = plan_describe(plan, text, capacity);
  return 0;
}
static void plan_destroy(ctconv_cuda_plan *plan) {
  if (!plan) return;
  --live_plans;
  free(plan);
}
static int32_t memory_alloc(int32_t ordinal, size_t bytes, void **memory, ctconv_cuda_error *error) {
  (void)ordinal;
  *memory = NULL;
  if (bytes > 1000000) return fail(error, 5001, 2, "device memory could not be allocated");
  *memory = malloc(bytes);
  return 0;
}
static void memory_free(int32_t ordinal, void *memory) {
  (void)ordinal;
  free(memory);
}
static int32_t memory_copy(int32_t ordinal, void *to, const void *from, size_t bytes, ctconv_cuda_error *error) {
  (void)ordinal;
  (void)error;
  memcpy(to, from, bytes);
  return 0;
}
static int32_t pointer_device(const void *pointer, int32_t *kind, int32_t *ordinal, ctconv_cuda_error *error) {
  (void)error;
  *kind = pointer ? CTCONV_CUDA_DEVICE_POINTER : CTCONV_CUDA_NOT_A_DEVICE_POINTER;
  *ordinal = pointer ? live_plans : -1;
  return 0;
}
static int32_t synchronize(int32_t ordinal, void *stream, ctconv_cuda_error *error) {
  (void)ordinal;
  (void)stream;
  (void)error;
  return 0;
}

static int32_t pass(int32_t ordinal, const ctconv_cuda_pass *given, ctconv_cuda_error *error) {
  (void)ordinal;
  if (!given->to) return fail(error, 6011, 700, "earlier work on this device failed, not this call");
  memcpy(given->to, given->from, 4);
  return 0;
}

#ifndef FAKE_ENTRY
#define FAKE_ENTRY ctconv_cuda_module_init
#endif
int32_t FAKE_ENTRY(uint32_t abi, size_t bytes, ctconv_cuda_table *table) {
  if (bytes >= 4) table->abi = FAKE_ABI;
  if (abi != FAKE_ABI || bytes != sizeof(*table)) return 6002;
  table->table_bytes = sizeof(*table);
  table->check_device = check_device;
  table->device_text = device_text;
  table->plan_create = plan_create;
  table->plan_workspace = plan_workspace;
  table->plan_packed_bytes = plan_packed_bytes;
  table->plan_packing = plan_packing;
  table->plan_pack = plan_pack;
  table->plan_execute = plan_execute;
  table->plan_describe = plan_describe;
  table->plan_export = plan_export;
  table->plan_destroy = plan_destroy;
  table->memory_alloc = memory_alloc;
  table->memory_free = memory_free;
  table->memory_copy = memory_copy;
  table->pointer_device = pointer_device;
  table->synchronize = synchronize;
  table->pass = pass;
  return 0;
}
