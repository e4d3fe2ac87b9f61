// SPDX-License-Identifier: Apache-2.0
// One line on a terminal for work over two seconds: "  verify: native, 3 of 5, 7 s". Nothing where stderr is no
// terminal.
#pragma once

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

  void step(const std::string& text);
  // Clears the line so that a result can be printed; the line comes back by itself.
  void clear();

 private:
  void draw_until_stopped();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string label_, text_;
  bool stop_ = false, drawn_ = false;
  std::thread thread_;
};

}  // namespace cli
