/* SPDX-License-Identifier: Apache-2.0 */
/* A host that loads and unloads the library again and again, with work in between.
 *
 *   in:  the path of libctconv.so, a number of cycles
 *   out: exit 0 where neither a thread, a descriptor, a mapping nor memory is left behind; else 1 and what is
 *   A cycle: dlopen, an op, one call on two threads, destroy, dlclose. Memory is compared after a tenth of the cycles.
 *   Linked with the loader alone. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/ctconv/ctconv.h"

static int entries(const char *path) {
  DIR *d = opendir(path);
  int n = 0;
  if (!d) return -1;
  while (readdir(d)) ++n;
  closedir(d);
  return n;
}

/* Lines of /proc/self/maps that name the library. */
static int mappings(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[4096];
  int n = 0;
  if (!f) return -1;
  while (fgets(line, sizeof line, f)) n += strstr(line, "libctconv") != NULL;
  fclose(f);
  return n;
}

static long resident_kib(void) {
  long pages = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f) return -1;
  if (fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = -1;
  fclose(f);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

#define LOOK_UP(name) __typeof__(&name) f_##name = (__typeof__(&name))dlsym(library, #name)

/* One op and one call on two threads; 0: right. */
static int work(void *library) {
  LOOK_UP(ctconv_desc_create);
  LOOK_UP(ctconv_desc_set_int);
  LOOK_UP(ctconv_desc_set_ints);
  LOOK_UP(ctconv_create);
  LOOK_UP(ctconv_execute);
  LOOK_UP(ctconv_destroy);
  LOOK_UP(ctconv_desc_destroy);
  enum { kIn = 64, kOut = 2 * kIn };
  static float x[8 * kIn], w[8 * 8 * 2], y[8 * kOut];
  const int64_t x_shape[] = {1, 8, kIn}, w_shape[] = {8, 8, 2}, y_shape[] = {1, 8, kOut}, two = 2;
  ctconv_tensor tx = {x, CTCONV_DEVICE_CPU, 0, 3, CTCONV_DTYPE_FLOAT, 32, 1, x_shape, NULL, 0}, tw = tx, ty = tx;
  ctconv_options options = CTCONV_OPTIONS_INIT;
  ctconv_call call = CTCONV_CALL_INIT;
  ctconv_desc *desc = NULL;
  ctconv_op *op = NULL;
  ctconv_status status = f_ctconv_desc_create("ctconv", &desc, NULL);
  int n;
  for (n = 0; n < 8 * kIn; ++n) x[n] = 1;
  for (n = 0; n < 8 * 8 * 2; ++n) w[n] = 1;
  tw.data = w;
  tw.shape = w_shape;
  ty.data = y;
  ty.shape = y_shape;
  call.x = &tx;
  call.y = &ty;
  options.threads = 2;
  if (!status) status = f_ctconv_desc_set_int(desc, "in_channels", 8);
  if (!status) status = f_ctconv_desc_set_int(desc, "out_channels", 8);
  if (!status) status = f_ctconv_desc_set_ints(desc, "kernel_size", &two, 1);
  if (!status) status = f_ctconv_desc_set_ints(desc, "stride", &two, 1);
  if (!status) status = f_ctconv_create(desc, &tw, NULL, &options, &op, NULL);
  if (!status) status = f_ctconv_execute(op, &call, NULL);
  f_ctconv_destroy(op);
  f_ctconv_desc_destroy(desc);
  for (n = 0; !status && n < 8 * kOut; ++n) status = y[n] == 8 ? 0 : -1;
  return status;
}

int main(int argc, char **argv) {
  const int cycles = argc > 2 ? atoi(argv[2]) : 100;
  int n, threads = 0, files = 0, faults = 0;
  long before = 0, grown;
  if (argc < 2) return fputs("usage: loads LIBRARY CYCLES\n", stderr), 2;
  for (n = 0; n < cycles; ++n) {
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    if (work(library)) return fprintf(stderr, "cycle %d: a wrong answer\n", n), 1;
    dlclose(library);
    if (n == 0) threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
    if (n == cycles / 10) malloc_trim(0), before = resident_kib();
  }
  malloc_trim(0);
  grown = resident_kib() - before;
  printf("%d cycles: %d threads, %d descriptors, %d mappings of the library, %ld KiB more\n", cycles,
         entries("/proc/self/task") - 2, entries("/proc/self/fd") - files, mappings(), grown);
  faults += entries("/proc/self/task") != 3 || threads != 3; /* ".", ".." and this one */
  faults += entries("/proc/self/fd") != files;
  faults += mappings() != 0;
  faults += grown > 1024;
  return faults != 0;
}
