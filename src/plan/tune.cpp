// Measuring and remembering; see tune.h. The fastest of three runs counts, so that one disturbed run does not decide.
#include "src/plan/tune.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "src/base/cpu.h"
#include "src/base/log.h"
#include "src/problem/text.h"

namespace ctconv {
namespace {

constexpr const char* kFormat = "ctconv-tuning-1";
constexpr int kRuns = 3;

std::string tuning_path() {
  if (const char* file = std::getenv("CTCONV_TUNING_FILE")) return file;
  if (const char* cache = std::getenv("XDG_CACHE_HOME")) return std::string(cache) + "/ctconv/tuning.tsv";
  if (const char* home = std::getenv("HOME")) return std::string(home) + "/.cache/ctconv/tuning.tsv";
  return {};
}

std::string key_of(const Problem& problem, const PlanRequest& request) {
  return std::string(kFormat) + "\t" + cpu_features() + "\t" + std::to_string(request.context.threads) + "\t" + to_text(problem);
}

// "engine=seconds ..." -> seconds in the candidates' order; false unless every candidate is named with a sane number.
bool parse(const std::string& text, const std::vector<TuneCandidate>& candidates, std::vector<double>* seconds) {
  std::vector<double> found(candidates.size(), -1);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t cut = word.find('=');
    if (cut == std::string::npos) return false;
    char* end = nullptr;
    const double value = std::strtod(word.c_str() + cut + 1, &end);
    if (*end != '\0' || !(value > 0 && value < 1e6)) return false;
    for (size_t n = 0; n < candidates.size(); ++n) {
      if (word.compare(0, cut, candidates[n].engine) == 0) found[n] = value;
    }
  }
  if (std::any_of(found.begin(), found.end(), [](double v) { return v <= 0; })) return false;
  *seconds = std::move(found);
  return true;
}

bool recall(const std::string& path, const std::string& key, const std::vector<TuneCandidate>& candidates, std::vector<double>* seconds) {
  std::ifstream file(path);
  bool found = false;
  for (std::string line; std::getline(file, line);) {
    if (line.size() > 8192 || line.rfind(kFormat, 0) != 0) {
      log_line("tuning", "ignored a line of the tuning file that this release did not write");
      continue;
    }
    if (line.compare(0, key.size(), key) != 0 || line.size() <= key.size() || line[key.size()] != '\t') continue;
    if (parse(line.substr(key.size() + 1), candidates, seconds)) {
      found = true;  // the last line of a problem counts
    } else {
      log_line("tuning", "ignored a broken line of the tuning file");
    }
  }
  return found;
}

void remember(const std::string& path, const std::string& key, const std::vector<TuneCandidate>& candidates, const std::vector<double>& seconds) {
  std::ostringstream line;
  line.precision(9);
  line << key << '\t';
  for (size_t n = 0; n < candidates.size(); ++n) line << (n ? " " : "") << candidates[n].engine << '=' << seconds[n];
  line << '\n';
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  std::ofstream file(path, std::ios::app);
  if (!(file << line.str())) log_line("tuning", "could not write the tuning file");
}

}  // namespace

bool measure(const Problem& p, const std::vector<TuneCandidate>& candidates, const PlanRequest& request, std::vector<double>* seconds) {
  if (p.empty() || order_of(p.x, p, false) == Order::kOther || order_of(p.y, p, true) == Order::kOther) return false;
  const std::string path = tuning_path(), key = key_of(p, request);
  if (!path.empty() && recall(path, key, candidates, seconds)) return true;

  const size_t element = size_of(p.dtype);
  int64_t y_elements = p.n * p.groups * p.co;
  for (const Axis& a : p.axis) y_elements *= a.o + a.tail;
  Buffer x(*request.allocator, static_cast<size_t>(p.in_elements()) * element);
  Buffer y(*request.allocator, static_cast<size_t>(y_elements) * element);
  Buffer bias(*request.allocator, static_cast<size_t>(p.groups * p.co) * size_of(accumulator_of(p.dtype)));
  if (!x.ok() || !y.ok() || !bias.ok()) return false;
  std::memset(x.data(), 0, x.bytes());
  std::memset(bias.data(), 0, bias.bytes());

  std::vector<double> best(candidates.size(), 1e9);
  for (size_t n = 0; n < candidates.size(); ++n) {
    const Kernel& kernel = *candidates[n].kernel;
    Buffer packed(*request.allocator, kernel.packed_bytes()), scratch(*request.allocator, kernel.scratch_bytes());
    if (!packed.ok() || !scratch.ok()) return false;
    auto fits = kernel.pack(request.weight, packed.data(), request.runner);
    if (!fits.ok() || !*fits) continue;
    const CallMemory call{.x = x.data(), .w = request.weight, .packed = packed.data(), .bias = p.bias ? bias.data() : nullptr,
                          .y = y.data(), .scratch = scratch.data()};
    for (int run = 0; run <= kRuns; ++run) {  // the first warms up
      const auto start = std::chrono::steady_clock::now();
      if (!kernel.run(call, request.runner).ok()) break;
      const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (run > 0) best[n] = std::min(best[n], took);
    }
  }
  *seconds = best;
  // A candidate that did not run (these weights hold an Inf or NaN) says nothing about the problem: not remembered.
  const bool all_ran = std::all_of(best.begin(), best.end(), [](double v) { return v < 1e6; });
  if (!path.empty() && all_ran) remember(path, key, candidates, best);
  return true;
}

}  // namespace ctconv
