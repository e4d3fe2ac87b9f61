// SPDX-License-Identifier: Apache-2.0
// Two hands beside the computing one: a reader and a writer; see tiles_work.h.
#include "tools/cli/tiles_work.h"

#include <fmt/format.h>

#include <cstdio>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "tools/cli/fault.h"
#include "tools/cli/progress.h"

namespace cli {
namespace {

constexpr double kSyncsApart = 0.1, kLinesApart = 10;  // seconds

int64_t sides(const TileGrid& grid) { return grid.size() == 1 ? 1 : 2; }

// Tiles are noted when they are on the disk, which is asked for ten times a second at most.
class Notes {
 public:
  Notes(const TileFile& file, TileJournal* journal) : file_(file), journal_(journal) {}
  void add(int64_t tile) {
    waiting_.push_back(tile);
    if (since_.seconds() > kSyncsApart) flush();
  }
  void flush() {
    // A sync that failed says nothing of its tiles, and the next one is told nothing of the failure: they are dropped.
    const std::vector<int64_t> now = std::exchange(waiting_, {});
    if (!now.empty()) file_.sync();
    for (const int64_t tile : now) journal_->add(tile);
    since_ = TileRate();
  }

 private:
  const TileFile& file_;
  TileJournal* journal_;
  std::vector<int64_t> waiting_;
  TileRate since_;
};

// How far a run is. Of this run's tiles alone follow the rate and what is left.
class Told {
 public:
  Told(bool lines, int64_t earlier, int64_t total) : lines_(lines), earlier_(earlier), total_(total) {
    if (!lines) terminal_.emplace("run");
  }
  void step(const TileRate& rate) {
    const int64_t done = earlier_ + rate.tiles;
    const double seconds = rate.seconds(), each = seconds / static_cast<double>(rate.tiles);
    const std::string text = fmt::format("{} of {} tiles, {} %, {:.0f} MB/s", done, total_, 100 * done / total_,
                                         static_cast<double>(rate.bytes) / seconds * 1e-6);
    if (terminal_) {
      terminal_->step(text);
      terminal_->part(static_cast<size_t>(rate.tiles), static_cast<size_t>(total_ - earlier_));
    }
    if (!lines_ || (told_ && last_.seconds() < kLinesApart && done < total_)) return;
    const double left = each * static_cast<double>(total_ - done);
    std::fputs(fmt::format("  run: {}, {:.0f} s, about {:.0f} s left\n", text, seconds, left).c_str(), stderr);
    told_ = true;
    last_ = TileRate();
  }

 private:
  const bool lines_;
  const int64_t earlier_, total_;
  std::optional<Progress> terminal_;
  bool told_ = false;
  TileRate last_;
};

class Loop {
 public:
  Loop(TileWork* work, const std::vector<int64_t>& todo, Notes* notes, TileRate* rate)
      : work_(work), grid_(*work->grid), todo_(todo), notes_(notes), rate_(rate) {
    const auto element = static_cast<size_t>(work->axes.type.bytes());
    for (int64_t side = 0; side < sides(grid_); ++side) {
      windows_.emplace_back(static_cast<size_t>(grid_.window()) * element);
      tiles_.emplace_back(static_cast<size_t>(Span{{}, grid_.tile()}.elements()) * element);
    }
  }

  void run(Told* told, const volatile std::sig_atomic_t& stopped) {
    std::future<TileBox> coming = std::async(std::launch::async, &Loop::load, this, size_t{0});
    std::future<void> going;
    for (size_t turn = 0; turn < todo_.size() && stopped == 0; ++turn) {
      const TileBox box = coming.get();
      if (turn + 1 < todo_.size()) coming = std::async(std::launch::async, &Loop::load, this, turn + 1);
      work_->axes.execute(box, window(turn), work_->x.fortran(), tile(turn));
      if (going.valid()) going.get();
      going = std::async(std::launch::async, &Loop::store, this, turn, box, told);
    }
    if (going.valid()) going.get();
  }

 private:
  char* window(size_t turn) { return windows_[turn % windows_.size()].data(); }
  char* tile(size_t turn) { return tiles_[turn % tiles_.size()].data(); }
  TileBox load(size_t turn) {
    TileBox box = grid_.box(todo_[turn]);
    if (box.x.elements() > grid_.window()) throw Fault("INTERNAL", "--tiles: a window is larger than announced");
    work_->x.read(box.x, window(turn));
    return box;
  }
  void store(size_t turn, const TileBox& box, Told* told) {
    work_->y.write(box.y, tile(turn));
    notes_->add(todo_[turn]);
    rate_->bytes += box.y.elements() * static_cast<int64_t>(work_->axes.type.bytes());
    ++rate_->tiles;
    told->step(*rate_);
  }

  TileWork* work_;
  const TileGrid& grid_;
  const std::vector<int64_t>& todo_;
  Notes* notes_;
  TileRate* rate_;
  std::vector<std::vector<char>> windows_, tiles_;
};

}  // namespace

double TileRate::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t tile_bytes(const TileWork& work, const TileGrid& grid) {
  const auto element = static_cast<int64_t>(work.axes.type.bytes());
  return sides(grid) * element * (grid.window() + Span{{}, grid.tile()}.elements());
}

TileRate compute_tiles(TileWork* work, TileJournal* journal, bool told, const volatile std::sig_atomic_t& stopped) {
  std::vector<int64_t> todo;
  for (int64_t index = 0; index < work->grid->size(); ++index)
    if (journal->done().count(index) == 0) todo.push_back(index);
  TileRate rate;
  if (todo.empty()) return rate;
  Notes notes(work->y, journal);
  Told shown(told, work->grid->size() - static_cast<int64_t>(todo.size()), work->grid->size());
  try {
    Loop(work, todo, &notes, &rate).run(&shown, stopped);
  } catch (...) {
    notes.flush();
    throw;
  }
  notes.flush();
  return rate;
}

}  // namespace cli
