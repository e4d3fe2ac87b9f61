// SPDX-License-Identifier: Apache-2.0
// Thousands of random, mostly hostile descriptors over all dialects: always a status with its message or success,
// never a crash.
#include "tests/fuzz/hostile.h"

#include <chrono>
#include <cstdlib>

#include "tests/capi/support.h"
#include "tests/fuzz/hostile_backward.h"
#include "tests/fuzz/hostile_records.h"
#include "tests/fuzz/hostile_region.h"
#include "tests/fuzz/hostile_stream.h"
#include "tests/fuzz/random_source.h"

namespace {

using hostile::RandomSource;

// A quarter under ThreadSanitizer, to which a life of one thread says nothing new.
uint64_t rounds_or(uint64_t normal) {
#if defined(__SANITIZE_THREAD__)
  normal /= 4;
#endif
  const char* asked = std::getenv("CTCONV_TEST_ROUNDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : normal;
}

// `one` takes a source of numbers, says what it does, and answers the fault it saw.
template <class Counts, class One>
void each_round(uint64_t rounds, const One& one, Counts* counts) {
  for (uint64_t round = 0; round < rounds; ++round) {
    const uint64_t seed = capi::test_seed() + round;
    RandomSource source(seed);
    std::string said;
    const std::string fault = one(source, &said, counts);
    INFO("CTCONV_TEST_SEED=" << seed << " CTCONV_TEST_ROUNDS=1\n" << said);
    REQUIRE(fault == "");
  }
}

// By the million: a life that goes well is not written down. One that does not is lived again for the report.
template <class One>
hostile::Counts in_bulk(uint64_t rounds, const One& one) {
  hostile::Counts counts;
  for (uint64_t round = 0; round < rounds; ++round) {
    const uint64_t seed = capi::test_seed() + round;
    hostile::QuickSource source(seed);
    if (one(source, nullptr, &counts).empty()) continue;
    hostile::QuickSource again(seed);
    std::string said;
    const std::string fault = one(again, &said, &counts);
    INFO("CTCONV_TEST_SEED=" << seed << " CTCONV_TEST_ROUNDS=1\n" << said);
    REQUIRE(fault == "");
    FAIL("a fault that is gone when lived again");
  }
  return counts;
}

}  // namespace

TEST_CASE("hostile: descriptors judged in bulk", "[capi][hostile]") {
  const uint64_t rounds = rounds_or(20000);
  const hostile::Counts counts = in_bulk(rounds, hostile::one_judged);
  WARN(rounds << " descriptors judged, " << counts.valid << " of them valid");
  if (rounds >= 1000) {
    CHECK(counts.valid > static_cast<int64_t>(rounds / 10));
    CHECK(counts.valid < static_cast<int64_t>(rounds - rounds / 10));
  }
}

TEST_CASE("hostile: legal layers executed in bulk", "[capi][hostile]") {
  const uint64_t rounds = rounds_or(2000);
  const hostile::Counts counts = in_bulk(rounds, hostile::one_legal);
  WARN(rounds << " lives, " << counts.planned << " layers planned, " << counts.executed << " executed");
  if (rounds >= 1000) CHECK(counts.executed > static_cast<int64_t>(rounds / 5));
}

TEST_CASE("hostile: random descriptors over all dialects", "[capi][hostile]") {
  const uint64_t rounds = rounds_or(4000);
  hostile::Counts counts;
  for (uint64_t round = 0; round < rounds; ++round) {
    const uint64_t seed = capi::test_seed() + round;
    RandomSource source(seed);
    std::string said;
    const auto start = std::chrono::steady_clock::now();
    const std::string fault = hostile::one_life(source, &said, &counts);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    INFO("CTCONV_TEST_SEED=" << seed << " CTCONV_TEST_ROUNDS=1\n" << said << seconds << " s");
    REQUIRE(fault.empty());
    CHECK(seconds < 5);  // no size may cost time before it is refused
  }
  // The generator reaches every stage.
  INFO(counts.valid << " valid, " << counts.created << " with a shape, " << counts.planned << " planned, "
                    << counts.executed << " executed");
  if (rounds >= 1000) {
    CHECK(counts.valid > static_cast<int64_t>(rounds / 10));
    CHECK(counts.planned > static_cast<int64_t>(rounds / 30));
    CHECK(counts.executed > static_cast<int64_t>(rounds / 50));
  }
}

TEST_CASE("hostile: random backward calls", "[capi][hostile]") {
  const uint64_t rounds = rounds_or(6000);
  hostile::BackwardCounts counts;
  each_round(rounds, hostile::one_backward, &counts);
  INFO(counts.legal << " legal, " << counts.refused << " refused, " << counts.ran << " ran, " << counts.survived
                    << " of them with a fault that changes nothing");
  if (rounds >= 1000) {
    CHECK(counts.legal > static_cast<int64_t>(rounds / 8));
    CHECK(counts.refused > static_cast<int64_t>(rounds / 8));
    CHECK(counts.survived > static_cast<int64_t>(rounds / 50));
  }
}

TEST_CASE("hostile: random lives of streams", "[capi][hostile][stream]") {
  const uint64_t rounds = rounds_or(3000);
  hostile::StreamCounts counts;
  each_round(rounds, hostile::one_stream, &counts);
  INFO(counts.made << " made, " << counts.pushed << " pushes, " << counts.refused << " refused, " << counts.flushed
                   << " flushes");
  if (rounds >= 1000) {
    CHECK(counts.made > static_cast<int64_t>(rounds / 2));
    CHECK(counts.refused > static_cast<int64_t>(rounds / 4));
    CHECK(counts.flushed > static_cast<int64_t>(rounds / 4));
  }
}

TEST_CASE("hostile: random boxes of random layers", "[capi][hostile][region]") {
  const uint64_t rounds = rounds_or(3000);
  hostile::RegionCounts counts;
  each_round(rounds, hostile::one_region, &counts);
  INFO(counts.layers << " layers, " << counts.boxes << " boxes, " << counts.windows << " by a window, "
                     << counts.refused << " refused");
  if (rounds >= 1000) {
    CHECK(counts.layers > static_cast<int64_t>(rounds / 2));
    CHECK(counts.boxes > static_cast<int64_t>(rounds));
    CHECK(counts.windows > static_cast<int64_t>(rounds / 2));
    CHECK(counts.refused > static_cast<int64_t>(rounds / 4));
  }
}

TEST_CASE("hostile: records of random sizes and tails", "[capi][hostile][records]") {
  const uint64_t rounds = rounds_or(6000);
  hostile::RecordCounts counts;
  each_round(rounds, hostile::one_record, &counts);
  INFO(counts.read << " read, " << counts.wrong_size << " of a wrong size, " << counts.garbage << " with a tail");
  if (rounds >= 1000) {
    CHECK(counts.read > static_cast<int64_t>(rounds / 10));
    CHECK(counts.wrong_size > static_cast<int64_t>(rounds / 10));
    CHECK(counts.garbage > static_cast<int64_t>(rounds / 20));
  }
}
