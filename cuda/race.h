// SPDX-License-Identifier: Apache-2.0
// Who is run again when candidates are timed against each other: the rules of tuning = measure, without a device.
//
//   in:  the candidates' estimates, then the seconds of each run
//   out: the order of the first runs, whether a candidate is run (again), each one's least seconds, the fastest
//   A candidate is not run at all where its estimate is beyond kHopeless times the least seconds seen so far; not again
//   where a run took kHopeless times the least (also the warm-up), where its best is beyond kFar times the least after
//   its first timed run or beyond kNear times after its second, or where its runs took kSpent together.
//   Refuses nothing. Of equals the earlier candidate wins.
#pragma once

#include <cstddef>
#include <vector>

namespace ctconv::cuda {

class Race {
 public:
  static constexpr double kHopeless = 20, kFar = 3, kNear = 1.5, kSpent = 3e-3;
  static constexpr int kRounds = 20;

  explicit Race(const std::vector<double>& estimates);

  // Candidates by estimate, least first, the earlier of equals first: a good one early saves runs of bad ones.
  std::vector<size_t> order() const;
  // Before the warm-up of a candidate.
  bool starts(size_t e) const { return estimates_[e] <= kHopeless * least_; }
  // The warm-up's seconds without what the host needed (code is loaded then); false: not worth a timed run. A
  // candidate that is dropped here keeps these seconds.
  bool warmed(size_t e, double seconds);
  void ran(size_t e, double seconds);
  void failed(size_t e) { dropped_[e] = true; }
  bool again(size_t e) const;

  // Infinity: never run.
  const std::vector<double>& seconds() const { return seconds_; }
  double least() const { return least_; }  // infinity: none was run
  size_t fastest() const;

 private:
  std::vector<double> estimates_, seconds_, spent_;
  std::vector<int> runs_;
  std::vector<bool> dropped_;
  double least_;
};

}  // namespace ctconv::cuda
