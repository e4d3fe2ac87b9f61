// SPDX-License-Identifier: Apache-2.0
// A call's attributes become an op and what to do with it.
//
//   in:  Attributes: dialect, run ("y", "dx", "dw", "db"), engine, threads, reproducible, ranks, x_shape, and one
//        arg_NAME for each of the dialect's arguments
//   out: a Request; the op is kept by the bytes of the attributes, so equal calls share it
//   The attributes hold everything, no address: a compiled program may be kept in a file and run in another process.
//   Refuses what the dialect and ctconv_create refuse, by Refusal.
#ifndef CTCONV_XLA_SETTINGS_H_
#define CTCONV_XLA_SETTINGS_H_

#include <ctconv/ctconv.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings/xla/ffi_api.h"

namespace ctconv_xla {

// A failure with XLA's code and a sentence.
struct Refusal : std::runtime_error {
  Refusal(int code, const std::string& text) : std::runtime_error(text), errc(code) {}
  int errc;
};

// Throws where status is a failure.
void check(ctconv_status status, const ctconv_error& error);

enum class Run { kY, kDx, kDw, kDb };

struct Request {
  Run run = Run::kY;
  std::vector<int64_t> ranks;    // of each argument and of the result, without the axes that vmap adds in front
  std::vector<int64_t> x_shape;  // dw and db: of x, without them
  bool batched = true;           // whether x has an axis of images
  std::shared_ptr<ctconv_op> op;
};

Request read_request(const Attributes& attributes);

}  // namespace ctconv_xla

#endif  // CTCONV_XLA_SETTINGS_H_
