// SPDX-License-Identifier: Apache-2.0
// The machine record: what every cost model reads of the processor it runs on.
//
//   in:  the environment variable CTCONV_MACHINE, else what `ctconv tune` kept (kept.h), else this processor, measured
//        on first use (probe.h)
//   out: machine(), the same record for the whole life of the process
//   seconds = cycles / hertz;   seconds = flop / (threads * peak);   seconds = bytes / bandwidth(threads)
//   Only comparisons between forms and engines rest on it. No result of an exact engine does.
//
//   Measured speeds are rounded to steps of a quarter (kStep) round the plain record, so that a noisy neighbour does
//   not decide. CTCONV_MACHINE="hertz=3.65e9 fma=1 ..." is taken as it stands; the text is what to_text writes.
//   CTCONV_MACHINE=measure takes longer windows, and threads, whatever was kept: what `ctconv tune` asks for.
//   Refuses: nothing. What cannot be measured or read keeps the plain record's value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ctconv {

// The initial values are the plain record: AMD Zen 4 (EPYC 9004), two cores of a virtual machine, 2026-11-21.
struct Machine {
  enum class Source { kPlain, kMeasured, kPinned, kTuned };

  Source source = Source::kPlain;
  double hertz = 3.65e9;                               // clock while vectors multiply and add
  double fma = 1;                                      // vector multiply-adds a cycle
  double bf16 = 1;                                     // 64-byte vectors of bf16 pairs dotted a cycle; 0: not here
  double amx = 0;                                      // products of bf16 tiles in 16 cycles; 0: not here
  int64_t vector_bytes = 64;                           // of the instruction set our engines use
  int64_t line = 64;                                   // bytes of a cache line
  int64_t l1 = 32 << 10, l2 = 1 << 20, l3 = 32 << 20;  // bytes of the data caches one core sees; 0: there is none
  int64_t cores = 2;                                   // that the process may use
  // Bytes a second into memory, past all caches, by 1, 2, 4 and all threads.
  double memory_1 = 27e9, memory_2 = 27e9, memory_4 = 54e9, memory_all = 54e9;

  // Multiply-adds as flop (two each) a second of one core, for a computing type of so many bytes.
  double peak(size_t element) const {
    return 2 * fma * hertz * static_cast<double>(vector_bytes) / static_cast<double>(element);
  }
  double seconds(double cycles) const { return cycles / hertz; }
  // Bytes a second into memory by so many threads: straight lines between the four.
  double bandwidth(int32_t threads) const;

  friend bool operator==(const Machine&, const Machine&) = default;
};

// One step of a measured speed.
inline constexpr double kStep = 1.25;

// The one list of the fields: visit(name, value, least, most), each value a double& or an int64_t&.
template <class M, class Visitor>
void machine_fields(M& m, Visitor&& visit) {
  visit("hertz", m.hertz, 1e8, 2e10);
  visit("fma", m.fma, 0.25, 16.0);
  visit("bf16", m.bf16, 0.0, 16.0);
  visit("amx", m.amx, 0.0, 16.0);
  visit("vector_bytes", m.vector_bytes, 8, 256);
  visit("line", m.line, 16, 1024);
  visit("l1", m.l1, 1 << 10, int64_t{1} << 24);
  visit("l2", m.l2, 0, int64_t{1} << 32);
  visit("l3", m.l3, 0, int64_t{1} << 40);
  visit("cores", m.cores, 1, 1024);
  visit("memory_1", m.memory_1, 1e8, 1e13);
  visit("memory_2", m.memory_2, 1e8, 1e13);
  visit("memory_4", m.memory_4, 1e8, 1e13);
  visit("memory_all", m.memory_all, 1e8, 1e13);
}

// "measured", "pinned" (by CTCONV_MACHINE or a test), "tuned" (by what `ctconv tune` kept), "plain"
const char* name_of(Machine::Source source);

// Each field's name and value.
std::vector<std::pair<std::string, std::string>> facts_of(const Machine& machine);
// "name=value" for each of them, in one line with blanks between; the source is not in it.
std::string to_text(const Machine& machine);

// The plain record with the fields the text names, pinned. False where a name is unknown or named twice, a value is
// no number or out of range; then *out is as it was and *fault says why.
bool machine_from_text(std::string_view text, Machine* out, std::string* fault);

// Each field within its range; bandwidth does not fall with more threads.
Machine clamped(Machine machine);

// The nearest of plain * kStep^n, n any whole number, to three digits. Not positive or not finite: plain.
double in_steps(double measured, double plain);

// The record of this process. May be called by any thread and after a fork; the first call takes some milliseconds.
// While one thread measures the others wait; no lock is held.
const Machine& machine();
// Why CTCONV_MACHINE or the kept record was not taken; empty where nothing was ignored.
const std::string& machine_ignored();

// For tests: the record is this one from now on; null: the process's own. Not while another thread plans.
void set_machine_for_tests(const Machine* pinned);

class PinnedMachine {
 public:
  explicit PinnedMachine(const Machine& m) : machine_(m) { set_machine_for_tests(&machine_); }
  ~PinnedMachine() { set_machine_for_tests(nullptr); }
  PinnedMachine(const PinnedMachine&) = delete;
  PinnedMachine& operator=(const PinnedMachine&) = delete;

 private:
  Machine machine_;
};

}  // namespace ctconv
