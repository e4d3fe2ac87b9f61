// How the form "positions" is cut into tasks, and what it is expected to cost; see positions.h.
//
//   in:  units, slabs, groups of strips
//   out: tiles, shares of units, panels or planes, seconds
#include <algorithm>
#include <cmath>

#include "src/base/checked.h"
#include "src/engine/native/costs.h"
#include "src/engine/native/positions.h"

namespace ctconv::native {

template <class T>
void PositionsKernel<T>::make_tasks(const PlanContext& context) {
  int64_t total_rows = 0;
  for (const Block& b : blocks_) total_rows += b.rows;
  pack_panel_ = in_place_ && (total_rows > kPanelRows || p_.x.axis[2] != 1 || size_of(p_.types.x) != sizeof(T));

  // Enough tasks that a disturbed thread costs little, none shorter than some microseconds.
  double vector_fma = 0;
  for (const Block& b : blocks_) {
    vector_fma +=
        static_cast<double>(b.rows) *
        static_cast<double>(p_.ci * static_cast<int64_t>(lists_[static_cast<size_t>(b.list)].x_tap.size()) + 8);
  }
  const double group_cycles = vector_fma * static_cast<double>(slab_vectors_) / static_cast<double>(slab_groups_);
  const double shares = static_cast<double>(p_.n * p_.groups) * static_cast<double>(groups_);
  const double wanted = std::clamp(group_cycles * shares / kTaskCycles, 1.0, kTasksPerThread * threads_);
  groups_per_tile_ = std::clamp<int64_t>(static_cast<int64_t>(shares / wanted), 1, groups_);
  tiles_ = ceil_div(groups_, groups_per_tile_);
  const int64_t tasks = p_.n * p_.groups * tiles_;
  unit_groups_ =
      threads_ == 1 ? 1
                    : std::clamp<int64_t>(static_cast<int64_t>(wanted) / tasks, 1, static_cast<int64_t>(units_.size()));

  make_panels(group_cycles * static_cast<double>(groups_), context.workspace_limit);
  // Images copied at once: a few megabytes, so that the copy is still in the cache when it is read.
  const double image = static_cast<double>(p_.groups * p_.ci * grid_.plane) * sizeof(T);
  const double limit = std::min(kCopyBytes, static_cast<double>(context.workspace_limit) / 2);
  images_ = in_place_ || own_panel_ ? p_.n : std::clamp<int64_t>(static_cast<int64_t>(limit / image), 1, p_.n);
}

// A panel per tile saves a pass over the planes and the wait for it, and no core reads what another wrote. Tiles that
// overlap pad some places several times: they may grow fewer for that, and smaller for the cache and even threads as
// long as it costs next to nothing. cycles: of all blocks for one group and image; limit: of the workspace.
template <class T>
void PositionsKernel<T>::make_panels(double cycles, size_t limit) {
  if (in_place_) {
    panel_pitch_ = ((width_ - kMaxLanes) / moves_.lanes | 1) * moves_.lanes;  // odd: see plane_grid
    panel_elements_ = p_.ci * panel_pitch_;
    return;
  }
  const double once = static_cast<double>(p_.ci * grid_.plane) / moves_.lanes * kPlaneCycles;
  const double bearable = std::max(kBearableCopies, 1 + kBearableShare * cycles / once);
  const double negligible = std::max(kNegligibleCopies, 1 + kNegligibleShare * cycles / once);
  const double outer = static_cast<double>(p_.n * p_.groups), plane = static_cast<double>(grid_.plane);
  const int64_t units = static_cast<int64_t>(units_.size());
  // Share of the threads' time that is work, with tiles of `per` groups whose units `shares` tasks take.
  const auto busy = [&](double tasks, int64_t per, int64_t shares) {
    const double longest = static_cast<double>(per) * static_cast<double>(ceil_div(units, shares));
    return outer * static_cast<double>(groups_) * static_cast<double>(units) /
           (threads_ * std::ceil(tasks / threads_) * longest);
  };
  for (int64_t wanted = 1;; wanted *= 2) {
    const int64_t per = ceil_div(groups_, std::min(wanted, groups_)), tiles = ceil_div(groups_, per);
    if (tiles > kMostTiles) return;
    int64_t most = 0, all = 0;
    for (int64_t t = 0; t < tiles; ++t) {
      const auto places = places_of(t * per, std::min(groups_, (t + 1) * per));
      most = std::max(most, places[1] - places[0]);
      all += places[1] - places[0];
    }
    if (static_cast<double>(all) > bearable * plane) return;
    int64_t shares = 1;
    const auto tasks = [&] { return outer * static_cast<double>(tiles * shares); };
    const auto even = [&] { return tasks() >= kEvenTasks * threads_ || busy(tasks(), per, shares) >= kEvenTiles; };
    while (shares < std::min<int64_t>(units, threads_) && !even()) ++shares;
    const double copies = static_cast<double>(all * shares) / plane;
    const int64_t pitch = (ceil_div(most, static_cast<int64_t>(moves_.lanes)) | 1) * moves_.lanes;
    const int64_t bytes = p_.ci * pitch * static_cast<int64_t>(sizeof(T));
    const auto all_panels = static_cast<size_t>(bytes) * static_cast<size_t>(threads_);
    const bool fits = bytes <= kOwnPanelBytes && all_panels <= limit / 2;
    if (even() && fits && copies <= (own_panel_ ? negligible : bearable)) {
      own_panel_ = true;
      groups_per_tile_ = per;
      tiles_ = tiles;
      unit_groups_ = shares;
      panel_pitch_ = pitch;
      panel_elements_ = p_.ci * pitch;
      copies_ = copies;
      const bool many = tasks() >= kEvenTasks * threads_ || cycles * outer < 4 * kTaskCycles * tasks();
      if (many && bytes <= kPanelBytes) return;
    }
    if (per == 1) return;
  }
}

template <class T>
void PositionsKernel<T>::estimate(const PlanContext&) {
  const double lanes = moves_.lanes;
  double cycles = 0;  // of one vector of positions, all rows
  for (const Block& b : blocks_) {
    const int most = std::min(kMostPositionVectors, moves_.accumulators / b.rows);
    const double v =
        static_cast<double>(ceil_div(std::min<int64_t>(kMostPositionVectors, slab_vectors_),
                                     ceil_div(std::min<int64_t>(kMostPositionVectors, slab_vectors_), most)));
    const double k =
        static_cast<double>(p_.ci * static_cast<int64_t>(lists_[static_cast<size_t>(b.list)].x_tap.size()));
    const double step = std::max(b.rows * v, 2 * v + b.rows);
    cycles += (k * slab_ratio_ * step * kFmaCycles + kCallCycles) / v + b.rows * kPositionsStoreCycles;
  }
  cycles *= static_cast<double>(slabs_ * slab_vectors_) * static_cast<double>(p_.n * p_.groups);
  if (!in_place_) {
    cycles += copies_ * static_cast<double>(p_.n * p_.groups * p_.ci * grid_.plane) / lanes * kPlaneCycles *
              (p_.x.c == 1 && p_.ci * p_.groups > 1 ? 4 : 1);
  }
  if (in_place_ && p_.x.axis[2] != 1) cycles += static_cast<double>(p_.in_elements()) * kTransposeCycles;
  cycles += static_cast<double>(p_.out_elements()) / static_cast<double>(axes_[2].o) * kRowCycles;
  if (!store_.contiguous()) cycles += static_cast<double>(p_.out_elements()) * kScatterCycles;
  const double parallel = std::min<double>(threads_, static_cast<double>(p_.n * p_.groups * tiles_ * unit_groups_));
  seconds_ = overlapped(cycles / parallel / kHertz, moved_bytes(p_) / kBytesPerSecond) + kCallSeconds;
}

template class PositionsKernel<float>;
template class PositionsKernel<double>;

}  // namespace ctconv::native
