// SPDX-License-Identifier: Apache-2.0
// The rules of measuring; see race.h.
#include "cuda/race.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace ctconv::cuda {

Race::Race(const std::vector<double>& estimates)
    : estimates_(estimates),
      seconds_(estimates.size(), std::numeric_limits<double>::infinity()),
      spent_(estimates.size(), 0),
      runs_(estimates.size(), 0),
      dropped_(estimates.size(), false),
      least_(std::numeric_limits<double>::infinity()) {}

std::vector<size_t> Race::order() const {
  std::vector<size_t> all(estimates_.size());
  std::iota(all.begin(), all.end(), size_t{0});
  std::stable_sort(all.begin(), all.end(), [this](size_t a, size_t b) { return estimates_[a] < estimates_[b]; });
  return all;
}

bool Race::warmed(size_t e, double seconds) {
  if (!(seconds > kHopeless * least_)) return true;
  seconds_[e] = seconds;
  dropped_[e] = true;
  return false;
}

void Race::ran(size_t e, double seconds) {
  ++runs_[e];
  spent_[e] += seconds;
  seconds_[e] = std::min(seconds_[e], seconds);
  least_ = std::min(least_, seconds);
}

bool Race::again(size_t e) const {
  if (dropped_[e] || runs_[e] == 0 || runs_[e] > kRounds) return false;
  if (spent_[e] >= kSpent && runs_[e] > 1) return false;
  return seconds_[e] <= (runs_[e] == 1 ? kFar : kNear) * least_;
}

size_t Race::fastest() const {
  return static_cast<size_t>(std::min_element(seconds_.begin(), seconds_.end()) - seconds_.begin());
}

}  // namespace ctconv::cuda
