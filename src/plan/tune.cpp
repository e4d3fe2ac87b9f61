// SPDX-License-Identifier: Apache-2.0
// Measuring and remembering; see tune.h. The fastest of three runs counts, so that one disturbed run does not decide.
#include "src/plan/tune.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>

#include "src/base/cache_place.h"
#include "src/base/cpu.h"
#include "src/base/log.h"
#include "src/base/number.h"
#include "src/plan/tuning_file.h"
#include "src/problem/text.h"

namespace ctconv {
namespace {

constexpr int kRuns = 3;

// One field of a key: no TAB, no line end, never empty.
std::string field(std::string text) {
  for (char& c : text) {
    if (c >= 0 && c < ' ') c = ' ';
  }
  if (text.empty()) text = "-";
  return text;
}

// "engine=seconds ..." -> seconds in the candidates' order; false unless every candidate is named with a sane number.
bool parse(std::string_view text, const std::vector<TuneCandidate>& candidates, std::vector<double>* seconds) {
  std::vector<double> found(candidates.size(), -1);
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    const size_t cut = word.find('=');
    double value = 0;
    if (cut == std::string_view::npos || !read_number(word.substr(cut + 1), &value)) return false;
    if (!(value > 0 && value < 1e6)) return false;
    for (size_t n = 0; n < candidates.size(); ++n) {
      if (word.substr(0, cut) == candidates[n].engine) found[n] = value;
    }
  }
  if (std::any_of(found.begin(), found.end(), [](double v) { return v <= 0; })) return false;
  *seconds = std::move(found);
  return true;
}

bool recall(const std::string& path, const std::string& key, const std::vector<TuneCandidate>& candidates,
            std::vector<double>* seconds) {
  const auto value = recall_tuning(path, key);
  if (!value) return false;
  if (parse(*value, candidates, seconds)) return true;
  log_line("tuning", "ignored a broken line of the tuning file");
  return false;
}

void remember(const std::string& path, const std::string& key, const std::vector<TuneCandidate>& candidates,
              const std::vector<double>& seconds) {
  std::string value;
  for (size_t n = 0; n < candidates.size(); ++n) {
    value += (n ? " " : "") + std::string(candidates[n].engine) + "=" + show_general(seconds[n], 9);
  }
  (void)keep_tuning(path, key, value);
}

}  // namespace

std::string tuning_key(const TuneMachine& machine, int32_t threads, const Problem& problem) {
  return field(machine.versions) + '\t' + field(machine.model) + '\t' + field(machine.features) + '\t' +
         name_of(problem.types.x) + '\t' + std::to_string(threads) + '\t' + to_text(problem);
}

std::string measure(const Problem& p, const std::vector<TuneCandidate>& candidates, const PlanRequest& request,
                    std::vector<double>* seconds) {
  if (request.weight == nullptr) return "the weight comes with each call";
  if (p.written != Written::kY) return "only forward problems are measured";
  if (p.empty()) return "y is empty";
  if (order_of(p.x, p, false) == Order::kOther) return "x is not dense";
  if (order_of(p.y, p, true) == Order::kOther) return "y is not dense";
  static const std::string kModel = cpu_model(), kFeatures = cpu_features();
  const std::string path = cache_place("CTCONV_TUNING_FILE", "tuning.tsv");
  const std::string key = tuning_key({std::string(request.versions), kModel, kFeatures}, request.context.threads, p);
  if (!path.empty() && recall(path, key, candidates, seconds)) return {};

  int64_t y_elements = p.n * p.groups * p.co;
  for (const Axis& a : p.axis) y_elements *= a.o + a.tail;
  Buffer x(*request.allocator, static_cast<size_t>(p.in_elements()) * size_of(p.types.x));
  Buffer y(*request.allocator, static_cast<size_t>(y_elements) * size_of(p.types.y));
  Buffer bias(*request.allocator, static_cast<size_t>(p.groups * p.co) * size_of(p.types.accumulator));
  if (!x.ok() || !y.ok() || !bias.ok()) return "no memory for x and y";
  std::memset(x.data(), 0, x.bytes());
  std::memset(bias.data(), 0, bias.bytes());

  std::vector<double> best(candidates.size(), 1e9);
  for (size_t n = 0; n < candidates.size(); ++n) {
    const Kernel& kernel = *candidates[n].kernel;
    Buffer packed(*request.allocator, kernel.packed_bytes()), scratch(*request.allocator, kernel.scratch_bytes());
    if (!packed.ok() || !scratch.ok()) return "no memory for a workspace";
    auto fits = kernel.pack(request.weight, packed.data(), request.runner);
    if (!fits.ok() || !*fits) continue;
    const Operands call{.x = x.data(),
                        .w = read_only(request.weight),
                        .packed = packed.data(),
                        .bias = p.epilogue.bias ? bias.data() : nullptr,
                        .y = y.data(),
                        .scratch = scratch.data()};
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
  return {};
}

}  // namespace ctconv
