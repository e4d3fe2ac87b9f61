// SPDX-License-Identifier: Apache-2.0
// Whether this process may use the tile unit of AMX, bf16 products included.
//
//   in:  this CPU, and the kernel, which is asked for the tiles' state on the first call of the process
//   out: null, or the reason why not
#pragma once

namespace ctconv {

const char* amx_missing();

}  // namespace ctconv
