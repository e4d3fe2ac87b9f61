/* libctconv opened at run time, with no link against it: how a plugin host or another language's runtime uses it.
 *   in:   the library's path; default libctconv.so.0, which the loader must find (LD_LIBRARY_PATH, ldconfig)
 *   out:  its version and its dialects */
#include <ctconv/ctconv.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* ISO C has no cast from an object pointer to a function pointer; copying the bits is POSIX's way. */
static void *symbol(void *library, const char *name, void *function) {
  void *address = dlsym(library, name);
  memcpy(function, &address, sizeof address);
  if (!address) fprintf(stderr, "no symbol %s\n", name);
  return address;
}

int main(int argc, char **argv) {
  const char *(*version_string)(void);
  const char *(*dialect_name)(int32_t);
  int32_t (*version)(void);
  int32_t (*dialect_count)(void);
  void *library = dlopen(argc > 1 ? argv[1] : "libctconv.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  if (!symbol(library, "ctconv_version", &version) || !symbol(library, "ctconv_version_string", &version_string) ||
      !symbol(library, "ctconv_dialect_count", &dialect_count) ||
      !symbol(library, "ctconv_dialect_name", &dialect_name))
    return 1;
  if (version() / 10000 != CTCONV_VERSION_MAJOR) {
    fprintf(stderr, "built for another major version\n");
    return 1;
  }
  printf("libctconv %s\n", version_string());
  for (int32_t i = 0; i < dialect_count(); ++i) printf("  %s\n", dialect_name(i));
  return dlclose(library);
}
