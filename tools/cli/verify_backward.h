// SPDX-License-Identifier: Apache-2.0
// `ctconv verify --backward`: dx, dw and db of every engine against the reference's.
//
//   A named engine is asked for dx alone and for dw with db, since it may have one of them only. `auto` is asked for
//   all of them in one call. Exit 1 where one does not keep its promise.
#pragma once

#include "tools/cli/request.h"

namespace cli {

int verify_backward(const Request& request);

}  // namespace cli
