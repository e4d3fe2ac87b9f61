// SPDX-License-Identifier: Apache-2.0
// Measured once, published once; see machine.h.
#include "src/machine/machine.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <thread>

#include "src/base/log.h"
#include "src/machine/kept.h"
#include "src/machine/probe.h"

namespace ctconv {
namespace {

constexpr auto kWait = std::chrono::microseconds(100);  // between two looks at somebody else's measuring

std::string own_ignored;                         // likewise
Machine own_record;                              // written once, before it is published
std::atomic<const Machine*> own{nullptr};        // &own_record once that is whole
std::atomic<const Machine*> for_tests{nullptr};  // set: in place of the process's own
std::atomic<pid_t> measuring{0};                 // the process that writes own_record

void ignore(const std::string& what) {
  own_ignored += (own_ignored.empty() ? "" : "; ") + what;
  log_line("machine", ("ignored, " + what).c_str());
}

Machine pinned_or_measured() {
  if (const char* text = std::getenv("CTCONV_MACHINE"); text != nullptr && *text != 0) {
    Machine pinned;
    std::string fault;
    if (std::string_view(text) == "measure") return measured_machine(kCareful);
    if (machine_from_text(text, &pinned, &fault)) return pinned;
    ignore("CTCONV_MACHINE: " + fault);
  }
  Machine kept;
  std::string fault;
  if (read_kept_machine(kept_machine_path(), kept_machine_cpu(), &kept, &fault)) return kept;
  if (!fault.empty()) ignore(fault);
  return measured_machine();
}

// Out of line: once a process. A child forked while its parent measured finds the parent's id and measures itself.
const Machine& make() {
  const pid_t self = getpid();
  for (;;) {
    if (const Machine* m = own.load(std::memory_order_acquire)) return *m;
    pid_t by = measuring.load(std::memory_order_acquire);
    if (by == self) {
      std::this_thread::sleep_for(kWait);
    } else if (measuring.compare_exchange_strong(by, self)) {
      break;
    }
  }
  try {
    own_record = pinned_or_measured();
  } catch (const std::exception&) {  // no memory for a text: the plain record
    own_record = Machine();
  }
  own.store(&own_record, std::memory_order_release);
  return own_record;
}

}  // namespace

const Machine& machine() {
  if (const Machine* m = for_tests.load(std::memory_order_acquire)) return *m;
  if (const Machine* m = own.load(std::memory_order_acquire)) return *m;
  return make();
}

const std::string& machine_ignored() {
  (void)machine();
  static const std::string kNone;
  return own.load(std::memory_order_acquire) != nullptr ? own_ignored : kNone;
}

void set_machine_for_tests(const Machine* pinned) { for_tests.store(pinned, std::memory_order_release); }

double Machine::bandwidth(int32_t threads) const {
  const double t = std::max(1, threads), all = static_cast<double>(cores);
  const auto line = [t](double from, double at_from, double to, double at_to) {
    return at_from + (at_to - at_from) * (t - from) / (to - from);
  };
  if (t <= 2) return t < 2 ? memory_1 : memory_2;
  if (t <= 4) return line(2, memory_2, 4, memory_4);
  if (t < all) return line(4, memory_4, all, memory_all);
  return std::max(memory_4, memory_all);
}

}  // namespace ctconv
