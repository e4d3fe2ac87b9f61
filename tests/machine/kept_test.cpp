// SPDX-License-Identifier: Apache-2.0
// The record that `ctconv tune` keeps: read whole or not at all, with the reason; and measuring with care.
#include "src/machine/kept.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "src/base/cores.h"
#include "src/machine/probe.h"
#include "tests/machine/records.h"

using namespace ctconv;
using namespace ctconv::test;
namespace fs = std::filesystem;

namespace {

const std::string kCpu = "cpu Some Processor, family 1, avx2 fma";

// A folder of its own, gone afterwards.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("ctconv_kept_test_" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& text) const {
    const std::string file = (path / "machine.txt").string();
    std::ofstream(file) << text;
    return file;
  }
};

std::string whole(const Machine& m) { return std::string(kKeptVersion) + "\n" + kCpu + "\n" + to_text(m) + "\n"; }

// Why a text is not taken; empty: it is, as *out.
std::string fault_of(const std::string& path, Machine* out) {
  std::string fault = "left from before";
  const bool taken = read_kept_machine(path, kCpu, out, &fault);
  CHECK((!taken || fault.empty()));
  return taken ? "" : fault.empty() ? "not there" : fault;
}

}  // namespace

TEST_CASE("kept: a whole record is taken, its cores are those of this process", "[machine]") {
  const Folder folder;
  Machine m;
  REQUIRE(fault_of(folder.write(whole(sapphire_rapids())), &m) == "");
  CHECK(m.source == Machine::Source::kTuned);
  Machine want = sapphire_rapids();
  want.source = Machine::Source::kTuned;
  want.cores = allowed_cores();
  CHECK(m == want);
}

TEST_CASE("kept: what is damaged, of another processor or version is ignored with the reason", "[machine]") {
  const Folder folder;
  const std::string good = whole(sapphire_rapids()), record = to_text(sapphire_rapids());
  const std::string first = kKeptVersion;
  const struct {
    std::string text, fault;
  } cases[] = {{"", "its first line"},
               {"ctconv-machine 2\n" + kCpu + "\n" + record + "\n", "its first line"},
               {first + "\ncpu Another, avx2\n" + record + "\n", "another processor: cpu Another, avx2"},
               {first + "\n" + kCpu + "\n", "three lines"},
               {first + "\n" + kCpu + "\n" + record + "\nmore\n", "three lines"},
               {first + "\n" + kCpu + "\nhertz=fast\n", "hertz = fast"},
               {first + "\n" + kCpu + "\nhertz=1\n", "hertz = 1, expected"},
               {first + "\n" + kCpu + "\n" + record.substr(0, record.find("vector")) + "\x01\x02\n", "no = in"},
               {std::string("\0\1\2", 3), "its first line"},
               {good + std::string(kKeptBytes, '\n'), "longer than"}};
  for (const auto& c : cases) {
    INFO(c.text);
    Machine m = sapphire_rapids();
    const std::string fault = fault_of(folder.write(c.text), &m);
    INFO(fault);
    CHECK(fault.find(c.fault) != std::string::npos);
    CHECK(fault.find(folder.path.string()) != std::string::npos);
    for (const char letter : fault) CHECK((letter < 0 || letter >= ' '));
    CHECK(m == sapphire_rapids());
  }
  // Cut before the record, it is refused.
  for (size_t size = 0; size <= good.find("hertz"); ++size) {
    Machine m;
    CHECK(fault_of(folder.write(good.substr(0, size)), &m) != "");
  }
}

TEST_CASE("kept: what is no file to read is no fault, or one that is told", "[machine]") {
  const Folder folder;
  Machine m = sapphire_rapids();
  CHECK(fault_of("", &m) == "not there");
  CHECK(fault_of((folder.path / "none.txt").string(), &m) == "not there");
  CHECK(fault_of((folder.path / "no" / "folder.txt").string(), &m) == "not there");
  CHECK(fault_of(folder.path.string(), &m).find("no plain file") != std::string::npos);
  const std::string pipe = (folder.path / "pipe").string();
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(fault_of(pipe, &m).find("no plain file") != std::string::npos);
  const std::string file = folder.write(whole(m));
  REQUIRE(chmod(file.c_str(), 0) == 0);
  if (geteuid() != 0) CHECK(fault_of(file, &m).find("could not be opened") != std::string::npos);
  CHECK(m == sapphire_rapids());
}

TEST_CASE("measure: with care the speeds are steps too, and no thread count is slower than fewer", "[machine]") {
  const Machine m = measured_machine(kCareful);
  CHECK(m.source == Machine::Source::kMeasured);
  CHECK(clamped(m) == m);
  CHECK(in_steps(m.memory_1, Machine().memory_1) == m.memory_1);
  CHECK(m.memory_2 >= m.memory_1);
  CHECK(m.memory_all >= m.memory_4);
  CHECK(m.cores == allowed_cores());
}
