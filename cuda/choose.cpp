// The one table of the module's kernels and the choice among those that can.
//
//   in:  a Request;   out: one plan: the row asked for, the saved one, the least measured or the least estimated time
//   refuses: UNSUPPORTED_ENGINE or DEVICE_NO_PLAN with every row's reason
#include <algorithm>
#include <cstring>

#include "cuda/engine.h"

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

// Our kernels' estimates are guesses until measured on a device: they must promise a quarter more than cuDNN to be
// taken.
double weighed(const DevicePlan& plan) {
  return plan.seconds() * (std::strcmp(plan.row(), kCudnnRow.name) == 0 ? 1.0 : 1.25);
}

}  // namespace

const std::vector<const Row*>& rows() {
  static const std::vector<const Row*>* table =
      new std::vector<const Row*>{&kCellRow, &kPixelRow, &kShuffleTensorRow, &kShuffleRow, &kCudnnRow, &kDirectRow};
  return *table;
}

Result<std::unique_ptr<DevicePlan>> choose(const Request& request) {
  const Saved saved = parse(request.options.saved_plan);
  const bool bits = request.options.reproducible >= CTCONV_CUDA_REFERENCE_BITS;
  Plans all;
  std::string reasons;
  Status forced;
  bool known = request.options.kernel == nullptr;
  for (const Row* row : rows()) {
    if (request.options.kernel && std::strcmp(request.options.kernel, row->name) != 0) continue;
    known = true;
    if (bits && !row->reference_bits) {
      forced = Status(Code::UNSUPPORTED_ENGINE, std::string(row->name) + " does not keep the reference's bits");
      reasons += std::string(reasons.empty() ? "" : "; ") + forced.detail().message;
      continue;
    }
    Request asked = request;
    asked.saved = saved.row == row->name ? saved.text : std::string();
    if (request.options.tuning && saved.row.empty()) asked.most = 16;
    Result<Plans> plans = row->plan(asked);
    if (!plans.ok()) {
      const Status::Detail& d = plans.status().detail();
      // memory and device faults are no refusals
      if (d.code != Code::UNSUPPORTED_ENGINE && d.code != Code::DEVICE_NO_PLAN) return plans.take_status();
      reasons += std::string(reasons.empty() ? "" : "; ") + row->name + ": " + d.message;
      forced = plans.take_status();
      continue;
    }
    for (auto& plan : *plans) {
      if (plan->workspace() > request.workspace_limit) {
        reasons += std::string(reasons.empty() ? "" : "; ") + row->name + ": workspace above the limit";
        forced = Status(Code::UNSUPPORTED_ENGINE, reasons);
        continue;
      }
      all.push_back(std::move(plan));
      if (saved.row == row->name) return std::move(all.back());
    }
  }
  if (!known)
    return Status(Code::MISUSE_ENGINE, std::string("the CUDA module has no kernel named ") + request.options.kernel);
  if (all.empty()) {
    if (request.options.kernel && !forced.ok()) return forced;
    return Status(Code::UNSUPPORTED_ENGINE, "no kernel of the CUDA module can run this problem (" + reasons + ")");
  }
  size_t best = 0;
  bool measured = false;
  if (request.options.tuning && all.size() > 1) {
    std::vector<double> seconds;
    Result<size_t> fastest = measure(request, all, &seconds);
    measured = fastest.ok();
    if (measured) {
      best = *fastest;
    } else if (fastest.status().code() != Code::UNSUPPORTED_ENGINE && fastest.status().code() != Code::NO_MEMORY) {
      return fastest.take_status();  // without scratch memory the estimate decides
    }
  }
  for (size_t e = 1; e < all.size() && !measured; ++e) {
    // cuDNN's plans come in its own order of preference: only its first competes by estimate
    if (weighed(*all[e]) < weighed(*all[best]) && std::strcmp(all[e]->row(), all[best]->row()) != 0) best = e;
  }
  return std::move(all[best]);
}

}  // namespace ctconv::cuda
