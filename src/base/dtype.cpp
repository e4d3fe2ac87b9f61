// SPDX-License-Identifier: Apache-2.0
// Names of element types for messages.
#include "src/base/dtype.h"

namespace ctconv {

std::string name_of(ElementType e) {
  static constexpr const char* kNames[] = {"int", "uint", "float", "opaque", "bfloat", "complex", "bool"};
  std::string name = e.code < 7 ? kNames[e.code] : "type" + std::to_string(e.code) + "_";
  if (!(e.code == 6 && e.bits == 8)) name += std::to_string(e.bits);
  if (e.lanes != 1) name += "x" + std::to_string(e.lanes);
  return name;
}

}  // namespace ctconv
