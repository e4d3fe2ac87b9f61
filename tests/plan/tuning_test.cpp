// tuning = measure: the faster kernel wins, the file remembers it, and lines that are foreign or broken are ignored.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/base/cpu.h"
#include "src/problem/text.h"
#include "tests/plan/fakes.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

// A tuning file of its own for each test.
class File {
 public:
  File() : path_(std::filesystem::temp_directory_path() / ("ctconv_tuning_test_" + std::to_string(getpid())) / "deep" / "tuning.tsv") {
    std::filesystem::remove_all(path_.parent_path().parent_path());
    setenv("CTCONV_TUNING_FILE", path_.c_str(), 1);
  }
  ~File() {
    unsetenv("CTCONV_TUNING_FILE");
    std::filesystem::remove_all(path_.parent_path().parent_path());
  }
  std::string text() const {
    std::ifstream in(path_);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  void write(const std::string& text) const {
    std::filesystem::create_directories(path_.parent_path());
    std::ofstream(path_) << text;
  }

 private:
  std::filesystem::path path_;
};

// The model says fast, the clock says slow.
struct Measured : Setup {
  Measured() {
    request.measure = true;
    fast_script.real_seconds = 0.004;
  }
};

std::string key(const char* format = "ctconv-tuning-1", int threads = 1) {
  return std::string(format) + "\t" + cpu_features() + "\t" + std::to_string(threads) + "\t" + to_text(small_problem()) + "\t";
}

}  // namespace

TEST_CASE("tuning: the measured winner is taken and remembered", "[plan][tuning]") {
  File file;
  Measured s;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(std::string((*plan)->engine->name) == "slow");
  CHECK((*plan)->why.find("measured") != std::string::npos);
  CHECK(file.text().rfind(key(), 0) == 0);
  const int runs = fast_script.runs;
  CHECK(runs >= 2);
  auto again = s.plan();
  CHECK(std::string((*again)->engine->name) == "slow");
  CHECK(fast_script.runs == runs);  // remembered: not run again
  // Another number of threads is another key.
  s.request.context.threads = 2;
  (void)s.plan();
  CHECK(fast_script.runs > runs);
}

TEST_CASE("tuning: a remembered winner decides, the last line of a problem counts", "[plan][tuning]") {
  File file;
  Measured s;
  file.write(key() + "fast=0.5 slow=0.1\n" + key() + "fast=0.001 slow=0.1\n");
  auto plan = s.plan();
  CHECK(std::string((*plan)->engine->name) == "fast");
  CHECK(fast_script.runs == 0);
}

TEST_CASE("tuning: broken and foreign lines are ignored", "[plan][tuning]") {
  const std::string lines[] = {"\n",
                               "garbage\n",
                               std::string(20000, 'x') + "\n",
                               key("ctconv-tuning-0") + "fast=0.001 slow=1\n",
                               key("ctconv-tuning-10") + "fast=0.001 slow=1\n",
                               key() + "\n",
                               key() + "fast=0.001\n",
                               key() + "fast slow\n",
                               key() + "fast=x slow=1\n",
                               key() + "fast=nan slow=1\n",
                               key() + "fast=-1 slow=1\n",
                               key() + "fast=0 slow=1\n",
                               key() + "fast=inf slow=1\n",
                               key() + "fast=0.001 slow=1 =\n",
                               key() + "fast=0.001 slow=\n",
                               std::string("\0\0\0", 3) + "\n",
                               key().substr(0, 30)};
  for (const std::string& line : lines) {
    File file;
    file.write(line);
    Measured s;
    auto plan = s.plan();
    INFO(line.substr(0, 200));
    CHECK(std::string((*plan)->engine->name) == "slow");  // measured anew
    CHECK(fast_script.runs > 0);
  }
}

TEST_CASE("tuning: a file that cannot be written or read costs nothing but the measurement", "[plan][tuning]") {
  for (const char* path : {"/proc/no/such/place/tuning.tsv", "", "/"}) {
    setenv("CTCONV_TUNING_FILE", path, 1);
    Measured s;
    auto plan = s.plan();
    REQUIRE(plan.ok());
    CHECK(std::string((*plan)->engine->name) == "slow");
  }
  unsetenv("CTCONV_TUNING_FILE");
}

TEST_CASE("tuning: what these weights forbid is not remembered about the problem", "[plan][tuning]") {
  File file;
  Measured s;
  slow_script.pack = [] { return Result<bool>(false); };  // an Inf in the weight
  auto plan = s.plan();
  CHECK(std::string((*plan)->engine->name) == "fast");
  CHECK(file.text().empty());
  slow_script.pack = nullptr;
  CHECK(std::string((*s.plan())->engine->name) == "slow");
}

TEST_CASE("tuning: nothing is measured where there is nothing to choose", "[plan][tuning]") {
  File file;
  Measured s;
  s.request.engine = "fast";
  CHECK(s.plan().ok());
  CHECK(fast_script.runs == 0);
  s.request.engine = "auto";
  s.request.weight = nullptr;  // no weight to measure with
  CHECK(s.plan().ok());
  CHECK(fast_script.runs == 0);
  CHECK(file.text().empty());
}
