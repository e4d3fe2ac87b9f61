// SPDX-License-Identifier: Apache-2.0
// A runner over the OpenMP threads of this process.
//
//   in:  a record to fill, workers, a part of the runtime's path   out: the record; its workers, or 0
#include "src/base/openmp.h"

#include "capi/growth.h"
#include "capi/op.h"

using namespace ctconv;

extern "C" int32_t ctconv_openmp_runner(ctconv_runner *runner, int32_t workers, const char *library) {
  if (runner == nullptr || runner->struct_size < sizeof(ctconv_runner) || runner->struct_size > kLargestRecord)
    return 0;
  try {
    const OpenMpTeam *team = openmp_team(library, workers);
    if (team == nullptr) return 0;
    runner->user = const_cast<OpenMpTeam *>(team);
    runner->workers = workers_of(*team);
    runner->parallel_for = &openmp_parallel_for;
    return runner->workers;
  } catch (...) {  // no memory for it
    return 0;
  }
}
