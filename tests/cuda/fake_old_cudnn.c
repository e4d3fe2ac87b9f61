/* SPDX-License-Identifier: Apache-2.0 */
/* A library that calls itself cuDNN 8.9.7 and has only what the loader looks up. */
#include <stddef.h>
size_t cudnnGetVersion(void) { return 8907; }
#define NAME(n) \
  int n(void) { return 1; }
NAME(cudnnGetErrorString)
NAME(cudnnGetLastErrorString)
NAME(cudnnCreate)
NAME(cudnnSetStream)
NAME(cudnnBackendCreateDescriptor)
NAME(cudnnBackendDestroyDescriptor)
NAME(cudnnBackendFinalize)
NAME(cudnnBackendSetAttribute)
NAME(cudnnBackendGetAttribute)
NAME(cudnnBackendExecute)
