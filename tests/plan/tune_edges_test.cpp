// SPDX-License-Identifier: Apache-2.0
// Measuring, asked directly: what cannot be measured says why, what fails on the way is not the winner, and each block
// that is not there is said.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "src/base/cpu.h"
#include "src/plan/tuning_file.h"
#include "tests/plan/fakes.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

// The n-th block from now on is refused; 0: none is.
int refused_block = 0;
Allocator purse() {
  Allocator a;
  a.alloc = [](void*, size_t bytes, size_t alignment) -> void* {
    if (refused_block > 0 && --refused_block == 0) return nullptr;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  };
  a.release = [](void*, void* memory, size_t, size_t) { std::free(memory); };
  return a;
}

// Runs well, but for the n-th time.
class Fails final : public Kernel {
 public:
  explicit Fails(int at) : at_(at) {}
  std::string form() const override { return "fails"; }
  Bits bits() const override { return Bits::kReference; }
  double estimated_seconds() const override { return 1; }
  Status run(const Operands& m, const Runner&) const override {
    CHECK(m.bias != nullptr);
    return --at_ == 0 ? Status(Code::INTERNAL, "of the test") : Status();
  }

 private:
  mutable int at_;
};

// Two candidates, no file.
struct Measuring : Setup {
  Allocator allocator = purse();
  FakeKernel fast{"fast", &fast_script}, slow{"slow", &slow_script};
  std::vector<TuneCandidate> candidates = {{"fast", &fast}, {"slow", &slow}};
  std::vector<double> seconds;
  Measuring() {
    setenv("CTCONV_TUNING_FILE", "", 1);
    refused_block = 0;
    request.allocator = &allocator;
  }
  ~Measuring() { unsetenv("CTCONV_TUNING_FILE"); }
  std::string why(const Problem& p) { return measure(p, candidates, request, &seconds); }
};

}  // namespace

TEST_CASE("tune edges: what is not measured says why", "[plan][tuning]") {
  Measuring m;
  const auto why = [&](void (*change)(Problem&)) {
    Problem p = small_problem();
    change(p);
    return m.why(p);
  };
  CHECK(why([](Problem& p) { p.written = Written::kX; }) == "only forward problems are measured");
  CHECK(why([](Problem& p) { p.n = 0; }) == "y is empty");
  CHECK(why([](Problem& p) { p.x.axis[2] = 7; }) == "x is not dense");
  CHECK(why([](Problem& p) { p.y.axis[2] = 7; }) == "y is not dense");
  CHECK(fast_script.runs == 0);
  CHECK(why([](Problem& p) { p.axis[2].tail = 2, p.y = {39, 13, {0, 0, 1}}; }).empty());
  CHECK(fast_script.runs == 4);  // once to warm up
  m.request.weight = nullptr;
  CHECK(m.why(small_problem()) == "the weight comes with each call");
}

TEST_CASE("tune edges: the n-th block that is not there ends the measurement", "[plan][tuning]") {
  Measuring m;
  fast_script.packed = slow_script.packed = 64;
  fast_script.scratch = slow_script.scratch = 64;
  const char* const want[] = {"no memory for x and y",     "no memory for x and y",
                              "no memory for x and y",     "no memory for a workspace",
                              "no memory for a workspace", "no memory for a workspace",
                              "no memory for a workspace", ""};
  for (int n = 1; n <= 8; ++n) {
    INFO("block " << n);
    refused_block = n;
    m.seconds.clear();
    CHECK(m.why(small_problem()) == want[n - 1]);
    CHECK(m.seconds.size() == (n < 8 ? 0 : 2));
  }
}

TEST_CASE("tune edges: a candidate that fails to pack or to run is not the winner", "[plan][tuning]") {
  Measuring m;
  const auto others_win = [&] {
    CHECK(m.why(small_problem()).empty());
    REQUIRE(m.seconds.size() == 2);
    CHECK(m.seconds[1] < m.seconds[0]);
    CHECK(m.seconds[0] >= 1e6);
  };
  fast_script.pack = [] { return Result<bool>(Status(Code::NO_MEMORY, "of the test")); };
  others_win();
  fast_script.pack = [] { return Result<bool>(false); };
  others_win();
  Problem p = small_problem();
  p.epilogue.bias = true;
  const Fails first(1), third(3);
  m.candidates = {{"first", &first}, {"third", &third}};
  CHECK(m.why(p).empty());
  CHECK(m.seconds[0] >= 1e6);
  CHECK(m.seconds[1] < 1);  // it ran once after the warm-up
}

TEST_CASE("tune edges: words of a line may be blanks apart; a model's name may be in any script", "[plan][tuning]") {
  Measuring m;
  const auto folder = std::filesystem::temp_directory_path() / ("ctconv_tune_edges_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "tuning.tsv").string();
  setenv("CTCONV_TUNING_FILE", path.c_str(), 1);
  m.request.versions = "caf\xC3\xA9\t1";
  const std::string key =
      tuning_key({"caf\xC3\xA9 1", cpu_model(), cpu_features()}, m.request.context.threads, small_problem());
  std::ofstream(path) << kTuningVersion << "\n" << key << "\t fast=0.25   slow=0.5  other=3 \n";
  CHECK(m.why(small_problem()).empty());
  CHECK(m.seconds == std::vector<double>{0.25, 0.5});
  CHECK(fast_script.runs == 0);
  std::filesystem::remove_all(folder);
}
