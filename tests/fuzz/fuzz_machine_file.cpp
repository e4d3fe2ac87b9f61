// SPDX-License-Identifier: Apache-2.0
// Property: any bytes as the kept machine record, or as CTCONV_MACHINE, are a record within its ranges or a reason
//           without control characters; what is refused changes nothing. A record's text reads back as the record.
#include <cstdlib>
#include <string_view>

#include "src/machine/kept.h"
#include "tests/fuzz/file_of_bytes.h"

namespace {

using namespace ctconv;

void judge(bool read, const Machine& m, const std::string& fault) {
  if (!read) {
    if (fault.size() <= 5 || !(m == Machine())) std::abort();
    return;
  }
  Machine again;
  std::string none;
  const Machine within = clamped(m);
  if (!machine_from_text(to_text(within), &again, &none)) std::abort();
  again.source = within.source;
  if (!(clamped(again) == within)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Machine m;
  std::string fault;
  const bool read = machine_from_text(text, &m, &fault);
  judge(read, m, fault);

  // As a file: the bytes behind a head that fits, and alone.
  const std::string cpu = "cpu Fuzzed, none";
  const std::string head = std::string(kKeptVersion) + "\n" + cpu + "\n";
  for (const std::string& whole : {head + std::string(text), std::string(text)}) {
    const std::string path =
        hostile::file_of_bytes("machine.txt", reinterpret_cast<const uint8_t*>(whole.data()), whole.size());
    Machine kept;
    const bool taken = read_kept_machine(path, cpu, &kept, &fault);
    judge(taken, kept, fault);
    if (taken && !(clamped(kept) == kept)) std::abort();
    for (const char letter : fault) {
      if (letter >= 0 && letter < ' ') std::abort();
    }
  }
  return 0;
}
