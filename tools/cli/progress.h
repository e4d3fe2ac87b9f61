// SPDX-License-Identifier: Apache-2.0
// One line on a terminal for work over two seconds: "  bench: vae.3 (3 of 40) native, 0.4/s, 7 s, about 93 s left".
// Nothing where stderr is no terminal.
//   What is left is told where it is known: of a step whose seconds are expected, or of a row of equal parts.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace cli {

class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();  // clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // expected: seconds of this step by an estimate; 0: not known.
  void step(const std::string& text, double expected = 0);
  // That `done` of `total` parts are behind us: their rate tells what is left.
  void part(size_t done, size_t total);
  // Clears the line so that a result can be printed; the line comes back by itself.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void draw_until_stopped();
  std::string line() const;  // without the label; mutex_ is held
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string label_, text_;
  bool stop_ = false, drawn_ = false;
  double expected_ = 0;
  size_t done_ = 0, total_ = 0;
  Clock::time_point begin_ = Clock::now(), step_ = begin_;
  std::thread thread_;
};

}  // namespace cli
