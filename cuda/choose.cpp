// SPDX-License-Identifier: Apache-2.0
// The one table of the module's kernels and the choice among those that can.
//
//   in:  a Request;   out: one plan: the row asked for, the saved one, the least measured or the least estimated time
//   refuses: UNSUPPORTED_ENGINE or DEVICE_NO_PLAN with every row's reason
#include <algorithm>
#include <cstring>
#include <limits>

#include "cuda/engine.h"
#include "cuda/race.h"
#include "src/base/number.h"

namespace ctconv::cuda {
namespace {

constexpr const char* kSavedHead = "ctconv-cuda-plan 1 ";

struct Saved {
  std::string row, text;
};

// "ctconv-cuda-plan 1 <row>\n<the row's own text>"; anything else is no saved plan.
Saved parse(const char* text) {
  if (!text || std::strncmp(text, kSavedHead, std::strlen(kSavedHead)) != 0) return {};
  const char* row = text + std::strlen(kSavedHead);
  const char* end = std::strchr(row, '\n');
  if (!end) return {};
  return {std::string(row, end), std::string(end + 1)};
}

}  // namespace

const std::vector<const Row*>& rows() {
  static const std::vector<const Row*>* table = new std::vector<const Row*>{
      &kCellRow,       &kPixelRow,       &kShuffleTensorRow, &kShuffleRow,       &kGemmTensorRow,
      &kFoldTensorRow, &kFoldRow,        &kGemmSplitRow,     &kGemmRow,          &kCudnnRow,
      &kDirectRow,     &kWeightsGemmRow, &kCudnnWeightsRow,  &kWeightsDirectRow, &kBiasSumsRow};
  return *table;
}

Bits bits_of(const DevicePlan& plan) {
  for (const Row* row : rows()) {
    if (row->reference_bits && std::strcmp(row->name, plan.row()) == 0) return Bits::kReference;
  }
  return plan.rounds_operands() ? Bits::kReduced : Bits::kMachine;
}

namespace {

// cuDNN absent, too old or failing is the cudnn row's refusal: our own kernels need none of it.
bool refuses(Code code) {
  switch (code) {
    case Code::UNSUPPORTED_ENGINE:
    case Code::DEVICE_NO_PLAN:
    case Code::DEVICE_CUDNN_MISSING:
    case Code::DEVICE_CUDNN_OLD:
    case Code::DEVICE_CUDNN:
      return true;
    default:
      return false;  // memory and device faults are no refusals
  }
}

// The rows' answers to one request.
struct Answers {
  Plans plans;
  Choice::Refusals refused;
  Status last;      // of the last row that refused
  Status no_cudnn;  // cuDNN is missing or too old
  bool known = false;

  void refuse(const Row& row, Status status) {
    refused.emplace_back(row.name, status.detail().message);
    const Code code = status.code();
    if (code == Code::DEVICE_CUDNN_MISSING || code == Code::DEVICE_CUDNN_OLD) {
      no_cudnn = Status(Status::Detail(status.detail()));
    }
    last = std::move(status);
  }
};

// Fills `answers`; true where the saved plan came back, the last of answers->plans.
Result<bool> ask(const Request& request, const Row& row, const Saved& saved, Answers* answers) {
  if (request.options.reproducible >= CTCONV_CUDA_REFERENCE_BITS && !row.reference_bits) {
    const std::string reason = std::string(row.name) + " does not keep the reference's bits";
    answers->refuse(row, Status(Code::UNSUPPORTED_ENGINE, reason));
    return false;
  }
  const bool recalled = saved.row == row.name;
  Request asked = request;
  asked.saved = recalled ? saved.text : std::string();
  if (request.options.tuning && saved.row.empty()) {
    asked.most = 16;
    for (const auto& plan : answers->plans) {
      asked.slowest = std::min(asked.slowest, Race::kHopeless * expected_seconds(*plan));
    }
  }
  Result<Plans> plans = row.plan(asked);
  if (!plans.ok()) {
    if (!refuses(plans.status().code())) return plans.take_status();
    answers->refuse(row, plans.take_status());
    return false;
  }
  for (auto& plan : *plans) {
    if (plan->workspace() > request.workspace_limit) {
      answers->refuse(row, Status(Code::UNSUPPORTED_ENGINE, "workspace above the limit"));
      continue;
    }
    answers->plans.push_back(std::move(plan));
    if (recalled) return true;
  }
  return false;
}

Status none_can(const Request& request, Answers* answers) {
  if (!answers->known) {
    return Status(Code::MISUSE_ENGINE, std::string("the CUDA module has no kernel named ") + request.options.kernel);
  }
  if (request.options.kernel && answers->refused.empty()) {
    const char* what = request.problem.written == CTCONV_CUDA_WRITES_Y ? "y" : "w";
    return Status(Code::UNSUPPORTED_ENGINE, std::string(request.options.kernel) + ": no problem that writes " + what);
  }
  if (request.options.kernel && !answers->last.ok()) return std::move(answers->last);
  if (!answers->no_cudnn.ok()) return std::move(answers->no_cudnn);  // the only kernel that was not asked
  std::string reasons;
  for (const auto& [name, reason] : answers->refused) reasons += (reasons.empty() ? "" : "; ") + name + ": " + reason;
  return Status(Code::UNSUPPORTED_ENGINE, "no kernel of the CUDA module can run this problem (" + reasons + ")");
}

// Infinity: measuring passed it over (race.h).
std::string milliseconds(double seconds) {
  return seconds < std::numeric_limits<double>::infinity() ? show_general(seconds * 1e3, 3) + " ms" : "not run";
}

// "fastest estimated: cell 0.012 ms, cudnn 0.02 ms", the chosen plan first.
std::string why_of(const Request& request, const Plans& plans, const std::vector<double>& seconds, size_t best,
                   bool measured) {
  std::string why = request.options.kernel ? "asked for by name"
                    : plans.size() == 1    ? "the only kernel"
                    : measured             ? "fastest measured"
                                           : "fastest estimated";
  why += std::string(": ") + plans[best]->row() + " " + milliseconds(seconds[best]);
  for (size_t e = 0; e < plans.size(); ++e) {
    if (e != best) why += std::string(", ") + plans[e]->row() + " " + milliseconds(seconds[e]);
  }
  return why;
}

}  // namespace

Result<std::unique_ptr<DevicePlan>> choose(const Request& request, Choice* choice) {
  Choice unasked;
  Choice& said = choice ? *choice : unasked;
  said = {};
  const Saved saved = parse(request.options.saved_plan);
  Answers answers;
  answers.known = request.options.kernel == nullptr;
  for (const Row* row : rows()) {
    if (request.options.kernel && std::strcmp(request.options.kernel, row->name) != 0) continue;
    answers.known = true;
    if (row->writes != request.problem.written) continue;  // another operand's
    Result<bool> recalled = ask(request, *row, saved, &answers);
    if (!recalled.ok()) return recalled.take_status();
    if (!*recalled) continue;
    said = {"saved earlier", std::move(answers.refused)};
    return std::move(answers.plans.back());
  }
  Plans& all = answers.plans;
  if (all.empty()) return none_can(request, &answers);
  size_t best = 0;
  bool measured = false;
  std::vector<double> seconds;
  if (request.options.tuning && all.size() > 1) {
    Result<size_t> fastest = measure(request, all, &seconds);
    measured = fastest.ok();
    if (measured) {
      best = *fastest;
    } else if (fastest.status().code() != Code::UNSUPPORTED_ENGINE && fastest.status().code() != Code::NO_MEMORY) {
      return fastest.take_status();  // without scratch memory the estimate decides
    }
  }
  if (!measured) {
    seconds.clear();
    for (const auto& plan : all) seconds.push_back(expected_seconds(*plan));
  }
  for (size_t e = 1; e < all.size() && !measured; ++e) {
    // cuDNN's plans come in its own order of preference: only its first competes by estimate
    if (seconds[e] < seconds[best] && std::strcmp(all[e]->row(), all[best]->row()) != 0) best = e;
  }
  said = {why_of(request, all, seconds, best, measured), std::move(answers.refused)};
  return std::move(all[best]);
}

}  // namespace ctconv::cuda
