/* SPDX-License-Identifier: Apache-2.0 */
/* The public header alone, as a stranger includes it: compiled as C99 and as C++17 with every warning an error. */
#include "ctconv/ctconv.h"

/* Including it twice changes nothing. */
#include "ctconv/ctconv.h"

/* Each initialiser names every field and is a constant expression. */
static const ctconv_error kError = CTCONV_ERROR_INIT;
static const ctconv_runner kRunner = CTCONV_RUNNER_INIT;
static const ctconv_allocator kAllocator = CTCONV_ALLOCATOR_INIT;
static const ctconv_options kOptions = CTCONV_OPTIONS_INIT;
static const ctconv_call kCall = CTCONV_CALL_INIT;
static const ctconv_argument kArgument = CTCONV_ARGUMENT_INIT;

int main(void) {
  const ctconv_value none = {0, 0, 0, 0.0, NULL, NULL, NULL};
  const size_t sum = kError.struct_size + kRunner.struct_size + kAllocator.struct_size + kOptions.struct_size +
                     kCall.struct_size + kArgument.struct_size;
  return sum == sizeof kError + sizeof kRunner + sizeof kAllocator + sizeof kOptions + sizeof kCall + sizeof kArgument
             ? none.tag
             : 1;
}
