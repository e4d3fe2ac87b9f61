// SPDX-License-Identifier: Apache-2.0
// tuning = measure: the faster kernel wins, the file remembers it, and lines that are foreign or broken are ignored.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "src/base/cpu.h"
#include "src/plan/tuning_file.h"
#include "src/problem/text.h"
#include "tests/plan/fakes.h"

using namespace ctconv;
using namespace ctconv::test;

namespace {

// A tuning file of its own for each test.
class File {
 public:
  File()
      : path_(std::filesystem::temp_directory_path() / ("ctconv_tuning_test_" + std::to_string(getpid())) / "deep" /
              "tuning.tsv") {
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
  std::string path() const { return path_.string(); }
  std::string folder() const { return path_.parent_path().string(); }
  // Readable lines: without the version line.
  size_t lines() const {
    const std::string all = text();
    return all.empty() ? 0 : static_cast<size_t>(std::count(all.begin(), all.end(), '\n')) - 1;
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

const std::string kFirst = std::string(kTuningVersion) + "\n";

std::string key(int threads = 1) {
  return tuning_key({"ctconv test", cpu_model(), cpu_features()}, threads, small_problem()) + "\t";
}

}  // namespace

TEST_CASE("tuning: the measured winner is taken and remembered", "[plan][tuning]") {
  File file;
  Measured s;
  auto plan = s.plan();
  REQUIRE(plan.ok());
  CHECK(std::string((*plan)->engine->name) == "slow");
  CHECK((*plan)->why.find("measured") != std::string::npos);
  CHECK(file.text().rfind(kFirst + key(), 0) == 0);
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
  file.write(kFirst + key() + "fast=0.5 slow=0.1\n" + key() + "fast=0.001 slow=0.1\n");
  auto plan = s.plan();
  CHECK(std::string((*plan)->engine->name) == "fast");
  CHECK(fast_script.runs == 0);
}

TEST_CASE("tuning: broken and foreign lines are ignored", "[plan][tuning]") {
  const std::string lines[] = {"\n",
                               "garbage\n",
                               std::string(20000, 'x') + "\n",
                               key() + "fast=0.001 slow=1\tmore\n",
                               key() + "fast=0.001 slow=1",  // cut off
                               key() + "fast=0,001 slow=1\n",
                               key() + "fast= 0.001 slow=1\n",
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
    file.write(kFirst + line);
    Measured s;
    auto plan = s.plan();
    INFO(line.substr(0, 200));
    CHECK(std::string((*plan)->engine->name) == "slow");  // measured anew
    CHECK(fast_script.runs > 0);
    CHECK(file.text().rfind(kFirst + key(), 0) == 0);  // and only the new line is left
    CHECK(file.lines() == 1);
  }
}

TEST_CASE("tuning: a file of another version is not read; a newer line of a key replaces the old one",
          "[plan][tuning]") {
  for (const std::string first :
       {"ctconv-tuning 1\n", "ctconv-tuning 20\n", "ctconv-tuning-1\tavx2\t1\tf32\tfast=1\n"}) {
    File file;
    file.write(first + key() + "fast=0.001 slow=1\n");
    Measured s;
    CHECK(std::string((*s.plan())->engine->name) == "slow");
    CHECK(file.text().rfind(kFirst + key(), 0) == 0);
  }
  File file;
  for (int n = 0; n < 5; ++n) REQUIRE(keep_tuning(file.path(), "a\tb\tc\td\te\tf", "x=" + std::to_string(n)));
  CHECK(file.lines() == 1);
  CHECK(recall_tuning(file.path(), "a\tb\tc\td\te\tf") == "x=4");
}

TEST_CASE("tuning: the key names all a time depends on", "[plan][tuning]") {
  const TuneMachine machine{"ctconv 1, onednn 3", "model A", "avx2"};
  const Problem p = small_problem();
  Problem half = p;
  half.types = uniform_types(Dtype::kF16);
  const std::string base = tuning_key(machine, 1, p);
  CHECK(static_cast<size_t>(std::count(base.begin(), base.end(), '\t')) == kTuningFields - 1);
  CHECK(tuning_key({"ctconv 2, onednn 3", "model A", "avx2"}, 1, p) != base);
  CHECK(tuning_key({"ctconv 1, onednn 4", "model A", "avx2"}, 1, p) != base);
  CHECK(tuning_key({"ctconv 1, onednn 3", "model B", "avx2"}, 1, p) != base);
  CHECK(tuning_key({"ctconv 1, onednn 3", "model A", "avx512"}, 1, p) != base);
  CHECK(tuning_key(machine, 2, p) != base);
  CHECK(tuning_key(machine, 1, half) != base);
  // No field is empty and none breaks the line.
  const std::string hostile = tuning_key({"", "a\tb\nc", ""}, 1, p);
  CHECK(static_cast<size_t>(std::count(hostile.begin(), hostile.end(), '\t')) == kTuningFields - 1);
  CHECK(hostile.find('\n') == std::string::npos);
  CHECK(cpu_model().find_first_of("\t\n") == std::string::npos);
  CHECK_FALSE(cpu_model().empty());
  File file;
  Measured s;
  (void)s.plan();
  const int runs = fast_script.runs;
  s.request.versions = "ctconv of tomorrow";
  (void)s.plan();
  CHECK(fast_script.runs > runs);  // measured anew
  CHECK(file.lines() == 2);
}

TEST_CASE("tuning: the file is bounded, the oldest lines go", "[plan][tuning]") {
  File file;
  std::string old = kFirst;
  for (size_t n = 0; n < kTuningLines + 100; ++n) old += "k" + std::to_string(n) + "\tb\tc\td\te\tf\tv\n";
  file.write(old);
  REQUIRE(keep_tuning(file.path(), "new\tb\tc\td\te\tf", "v"));
  CHECK(file.lines() == kTuningLines);
  CHECK_FALSE(recall_tuning(file.path(), "k100\tb\tc\td\te\tf"));
  CHECK(recall_tuning(file.path(), "k101\tb\tc\td\te\tf"));
  CHECK(recall_tuning(file.path(), "new\tb\tc\td\te\tf"));
  // By bytes as well.
  old = kFirst;
  for (size_t n = 0; n < 300; ++n) old += std::to_string(n) + std::string(8000, 'x') + "\tb\tc\td\te\tf\tv\n";
  file.write(old);
  REQUIRE(keep_tuning(file.path(), "new\tb\tc\td\te\tf", "v"));
  CHECK(file.text().size() <= kTuningBytes + kFirst.size());
  CHECK(file.lines() > 100);
}

TEST_CASE("tuning: what is not a tuning file of ours is neither read nor written", "[plan][tuning]") {
  const std::string key = "a\tb\tc\td\te\tf";
  File file;
  file.write("my thesis\n");
  CHECK_FALSE(keep_tuning(file.path(), key, "v"));
  CHECK(file.text() == "my thesis\n");
  file.write(kFirst);
  std::filesystem::resize_file(file.path(), uintmax_t{1} << 40);  // a hole: not slurped
  CHECK_FALSE(recall_tuning(file.path(), key));
  CHECK_FALSE(keep_tuning(file.path(), key, "v"));
  std::filesystem::remove(file.path());
  std::ofstream(file.folder() + "/aim") << "aim\n";
  std::filesystem::create_symlink(file.folder() + "/aim", file.path());
  CHECK_FALSE(recall_tuning(file.path(), key));
  CHECK_FALSE(keep_tuning(file.path(), key, "v"));
  CHECK(std::filesystem::is_symlink(file.path()));
  std::filesystem::remove(file.path());
  REQUIRE(mkfifo(file.path().c_str(), 0600) == 0);  // nobody at the other end
  CHECK_FALSE(recall_tuning(file.path(), key));
  CHECK_FALSE(keep_tuning(file.path(), key, "v"));
  for (const char* path : {"/dev/zero", "/dev/null", "/", "", "/proc/self/mem"}) {
    CHECK_FALSE(recall_tuning(path, key));
    CHECK_FALSE(keep_tuning(path, key, "v"));
  }
  CHECK_FALSE(std::filesystem::exists("/.lock"));
  CHECK_FALSE(std::filesystem::exists(".lock"));
  CHECK_FALSE(std::filesystem::exists("/dev/zero.lock"));
}

TEST_CASE("tuning: of several processes and threads that write at once no line is lost", "[plan][tuning]") {
  File file;
  std::filesystem::create_directories(file.folder());
  const auto keep = [&](int writer) {
    bool good = true;
    for (int n = 0; n < 25; ++n) {
      const std::string key = std::to_string(writer) + "\t" + std::to_string(n) + "\tc\td\te\tf";
      good = keep_tuning(file.path(), key, "v") && recall_tuning(file.path(), key) == "v" && good;
    }
    return good;
  };
  pid_t children[3];
  for (int c = 0; c < 3; ++c) {
    children[c] = fork();
    if (children[c] == 0) _exit(keep(c) ? 0 : 1);
  }
  bool threads_good[2] = {};
  std::thread one([&] { threads_good[0] = keep(3); }), two([&] { threads_good[1] = keep(4); });
  one.join();
  two.join();
  CHECK((threads_good[0] && threads_good[1]));
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  CHECK(file.lines() == 125);
  // Nothing but the file and its lock is left.
  const auto begin = std::filesystem::directory_iterator(file.folder());
  CHECK(std::distance(begin, std::filesystem::directory_iterator()) == 2);
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
