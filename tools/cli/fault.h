// SPDX-License-Identifier: Apache-2.0
// What the command line itself refuses (a file, a JSON text, an option), beside ctconv::error of the library.
//
//   out: main prints it to stderr as "ctconv: <name>: <message>" and exits with 2
#pragma once

#include <stdexcept>
#include <string>

namespace cli {

class Fault : public std::runtime_error {
 public:
  // name: NPY_FORMAT, FILE, JSON, OPTION, ... (never CTCONV_ERR_...: those are the library's)
  Fault(std::string name, const std::string& message) : std::runtime_error(message), name_(std::move(name)) {}
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

}  // namespace cli
