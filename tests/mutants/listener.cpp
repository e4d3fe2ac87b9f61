// SPDX-License-Identifier: Apache-2.0
// Tells tools/mutate which mutants each test case runs: linked into the test programs that hold mutants.
//
//   out: a line of CTCONV_MUTANT_SEEN for each case (mutants.h), and one for what ran before the first
#include <catch2/catch_test_case_info.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#include <chrono>

#include "tests/mutants/mutants.h"

namespace {

class Listener : public Catch::EventListenerBase {
 public:
  using Catch::EventListenerBase::EventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override { mutants::record().note("", 0); }
  void testCaseStarting(const Catch::TestCaseInfo&) override { start_ = Clock::now(); }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const std::chrono::duration<double> seconds = Clock::now() - start_;
    mutants::record().note(stats.testInfo->name.c_str(), seconds.count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_;
};

}  // namespace

CATCH_REGISTER_LISTENER(Listener)
