/* SPDX-License-Identifier: Apache-2.0 */
/* Many executions of one op without an interpreter between them: what a program in C would do.
 *
 *   in:   ctconv_execute, an op, `sets` prepared calls, the turn to begin with, the number of executions
 *   out:  CTCONV_OK, or the first failure's status; call (first + i) % sets is executed i-th
 *   build: cc -O2 -shared -fPIC -Iinclude tools/gpu/repeat.c -o ctconv_repeat.so
 */
#include <stdint.h>

#include "ctconv/ctconv.h"

typedef ctconv_status (*execute_function)(const ctconv_op *op, const ctconv_call *call, ctconv_error *error);

int32_t ctconv_repeat(execute_function execute, const ctconv_op *op, const ctconv_call *calls, int64_t sets,
                      int64_t first, int64_t count, ctconv_error *error) {
  int64_t at = first % sets;
  for (int64_t i = 0; i < count; ++i) {
    const ctconv_status status = execute(op, calls + at, error);
    if (status != CTCONV_OK) return status;
    if (++at == sets) at = 0;
  }
  return CTCONV_OK;
}
