// SPDX-License-Identifier: Apache-2.0
// The record's text and back, what is refused, ranges, steps, bandwidth between the four, caches in fake trees.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "src/base/number.h"
#include "src/machine/probe.h"
#include "tests/machine/records.h"

using namespace ctconv;
using namespace ctconv::test;
namespace fs = std::filesystem;

TEST_CASE("record: its text reads back as the same record, pinned", "[machine]") {
  for (Machine m : {Machine(), sapphire_rapids()}) {
    Machine back;
    std::string fault;
    REQUIRE(machine_from_text(to_text(m), &back, &fault));
    CHECK(back.source == Machine::Source::kPinned);
    back.source = m.source;
    CHECK(back == m);
  }
}

TEST_CASE("record: a speed in steps survives its text", "[machine]") {
  for (double raw = 1e8; raw < 2e10; raw *= 1.13) {
    Machine m, back;
    m.hertz = in_steps(raw, Machine().hertz);
    std::string fault;
    REQUIRE(machine_from_text(to_text(clamped(m)), &back, &fault));
    CHECK(back.hertz == clamped(m).hertz);
  }
}

TEST_CASE("record: every field is in the text and counts", "[machine]") {
  const Machine plain;
  const std::string text = to_text(plain);
  int fields = 0;
  machine_fields(plain, [&](const char* name, const auto& own, auto least, auto most) {
    ++fields;
    for (const double edge : {static_cast<double>(least), static_cast<double>(most)}) {
      Machine m;
      std::string fault;
      CHECK(machine_from_text(std::string(name) + "=" + show_general(edge, 15), &m, &fault));
      CHECK(fault.empty());
      CHECK((edge == static_cast<double>(own) || to_text(m) != text));
    }
  });
  CHECK(fields == 14);
}

TEST_CASE("record: a text with a fault changes nothing and says why", "[machine]") {
  const struct {
    const char *text, *fault;
  } cases[] = {{"hertz", "no = in hertz"},
               {"hertz=", "hertz = , expected a number"},
               {"hertz=fast", "hertz = fast"},
               {"hertz=nan", "hertz = nan"},
               {"hertz=inf", "hertz = inf"},
               {"hertz=1e7", "from 100000000 to 20000000000"},
               {"hertz=3e9 hertz=3e9", "two values for hertz"},
               {"l1=32768.5", "l1 = 32768.5, expected a whole number"},
               {"l1=1e300", "l1 = 1e300"},
               {"l1=nan", "l1 = nan"},
               {"l1=32k", "l1 = 32k"},
               {"l2=-1", "l2 = -1"},
               {"speed=1", "no field is called speed"},
               {"=1", "no field is called"},
               {"fma=2 cores=0", "from 1 to 1024"}};
  for (const auto& c : cases) {
    INFO(c.text);
    Machine m = sapphire_rapids();
    std::string fault;
    CHECK_FALSE(machine_from_text(c.text, &m, &fault));
    CHECK(fault.find(c.fault) != std::string::npos);
    CHECK(m == sapphire_rapids());
  }
  Machine m;
  std::string fault;
  CHECK(machine_from_text("l2=1e6 cores=4.0", &m, &fault));  // a count may be any number that is whole
  CHECK(m.l2 == 1000000);
  CHECK(m.cores == 4);
  CHECK(machine_from_text("  fma=2\t\n hertz=2.8e9 ", &m, &fault));
  CHECK(m.fma == 2);
  CHECK(m.hertz == 2.8e9);
  CHECK(m.l2 == Machine().l2);  // not named: the plain record's
}

TEST_CASE("record: clamps reach every field", "[machine]") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  Machine m;
  m.hertz = nan;
  m.fma = infinite;
  m.vector_bytes = -5;
  m.l1 = int64_t{1} << 60;
  m.cores = 0;
  m.memory_1 = 5e9;
  m.memory_2 = nan;
  m.memory_4 = 1e9;
  m.memory_all = infinite;
  const Machine c = clamped(m);
  machine_fields(c, [](const char* name, const auto& value, auto least, auto most) {
    INFO(name);
    CHECK(value >= least);
    CHECK(value <= most);
  });
  CHECK(c.memory_2 == 5e9);  // no less than one thread's
  CHECK(c.memory_4 == 5e9);
  CHECK(clamped(Machine()) == Machine());
}

TEST_CASE("record: steps go through the plain value and are wider than noise", "[machine]") {
  for (double plain : {3.65e9, 27e9}) {
    for (double noise : {0.91, 0.95, 1.0, 1.05, 1.1}) CHECK(in_steps(plain * noise, plain) == plain);
    CHECK(within(in_steps(plain * 1.25, plain), plain * 1.25, 0.01));
    CHECK(within(in_steps(plain / 1.5625, plain), plain / 1.5625, 0.01));
    for (double raw = plain / 20; raw < plain * 20; raw *= 1.07) CHECK(within(in_steps(raw, plain), raw, 0.13));
    for (double broken : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
      CHECK(in_steps(broken, plain) == plain);
    }
  }
}

TEST_CASE("record: bandwidth lies on straight lines between 1, 2, 4 and all threads", "[machine]") {
  Machine m;
  m.cores = 8;
  m.memory_1 = 10e9;
  m.memory_2 = 20e9;
  m.memory_4 = 30e9;
  m.memory_all = 50e9;
  CHECK(m.bandwidth(0) == 10e9);
  CHECK(m.bandwidth(1) == 10e9);
  CHECK(m.bandwidth(2) == 20e9);
  CHECK(m.bandwidth(3) == 25e9);
  CHECK(m.bandwidth(4) == 30e9);
  CHECK(m.bandwidth(6) == 40e9);
  CHECK(m.bandwidth(8) == 50e9);
  CHECK(m.bandwidth(4096) == 50e9);
  m.cores = 2;  // more threads than cores
  CHECK(m.bandwidth(8) == 50e9);
  CHECK(Machine().peak(4) == 2 * 16 * 3.65e9);
  CHECK(Machine().peak(8) == 16 * 3.65e9);
}

TEST_CASE("record: caches from the kernel's files", "[machine]") {
  const fs::path root = fs::temp_directory_path() / ("ctconv_machine_test_" + std::to_string(getpid()));
  fs::remove_all(root);
  const auto cache = [&root](int n, const char* level, const char* type, const char* size, const char* line) {
    const fs::path folder = root / "sys/devices/system/cpu/cpu0/cache" / ("index" + std::to_string(n));
    fs::create_directories(folder);
    std::ofstream(folder / "level") << level << "\n";
    std::ofstream(folder / "type") << type << "\n";
    std::ofstream(folder / "size") << size << "\n";
    std::ofstream(folder / "coherency_line_size") << line << "\n";
  };
  Machine m;
  read_caches(root.c_str(), &m);
  CHECK(m == Machine());  // nothing there
  cache(0, "1", "Data", "48K", "128");
  cache(1, "1", "Instruction", "64K", "32");
  cache(2, "2", "Unified", "2M", "128");
  cache(3, "3", "Unified", "lots", "broken");
  read_caches(root.c_str(), &m);
  CHECK(m.l1 == 48 << 10);
  CHECK(m.l2 == 2 << 20);
  CHECK(m.l3 == Machine().l3);
  CHECK(m.line == 128);
  fs::remove_all(root);
}
