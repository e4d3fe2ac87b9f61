// SPDX-License-Identifier: Apache-2.0
// Cutting y; see tiles_grid.h.
#include "tools/cli/tiles_grid.h"

#include <algorithm>
#include <string>
#include <utility>

#include "tools/cli/array.h"
#include "tools/cli/fault.h"

namespace cli {
namespace {

constexpr int64_t kHalos = 8;  // a tile reads at most a ninth more than it owns

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t rounded(int64_t extent, int64_t unit) { return ceil_div(extent, unit) * unit; }

struct Cut {
  size_t axis;
  int64_t unit, wanted;  // it begins at multiples of unit; while others can be cut it stays at least `wanted` long
};

// Positions of y that a window reaches beyond its box along one axis.
int64_t halo(const TileAxes& axes, size_t axis, int64_t stride) {
  Span y{Extents(axes.y_shape.size(), 0), axes.y_shape};
  y.begin[axis] = axes.y_shape[axis] / 2 / stride * stride;
  y.count[axis] = std::min(stride, axes.y_shape[axis] - y.begin[axis]);
  return (axes.box(y).x.count[axis] - 1) * stride;
}

std::vector<Cut> cuts_of(const TileAxes& axes) {
  std::vector<Cut> cuts;
  if (axes.batch >= 0) cuts.push_back({0, 1, 1});
  for (size_t i = 0; i < axes.spatial.size(); ++i) {
    const auto axis = static_cast<size_t>(axes.spatial[i]);
    const int64_t stride = axes.strides[i];
    cuts.push_back({axis, stride, std::max(stride, rounded(kHalos * halo(axes, axis, stride), stride))});
  }
  return cuts;
}

}  // namespace

TileGrid::TileGrid(const TileAxes& axes, Extents tile) : axes_(&axes), tile_(std::move(tile)), ahead_(tile_.size(), 0) {
  for (size_t i = 0; i < axes.spatial.size(); ++i) {
    const auto a = static_cast<size_t>(axes.spatial[i]);
    if (tile_[a] < axes.y_shape[a] && tile_[a] % axes.strides[i] == 0) ahead_[a] = axes.ahead[i];
  }
  for (size_t a = 0; a < tile_.size(); ++a) counts_.count.push_back(ceil_div(axes.y_shape[a] + ahead_[a], tile_[a]));
}

TileBox TileGrid::at(const Extents& position) const {
  Span y;
  for (size_t a = 0; a < tile_.size(); ++a) {
    const int64_t from = position[a] * tile_[a] - ahead_[a];
    y.begin.push_back(std::max<int64_t>(from, 0));
    y.count.push_back(std::min(from + tile_[a], axes_->y_shape[a]) - y.begin[a]);
  }
  return axes_->box(y);
}

TileBox TileGrid::box(int64_t index) const {
  Extents position(tile_.size());
  for (size_t a = tile_.size(); a-- > 0; index /= counts_.count[a]) position[a] = index % counts_.count[a];
  return at(position);
}

TileBox TileGrid::inner() const {
  Extents position;
  for (const int64_t count : counts_.count) position.push_back(std::min<int64_t>(1, count - 1));
  return at(position);
}

int64_t TileGrid::window() const {
  Span most{{}, axes_->x_shape};
  if (axes_->batch >= 0) most.count[0] = tile_[0];
  for (size_t i = 0; i < axes_->spatial.size(); ++i) {
    const auto a = static_cast<size_t>(axes_->spatial[i]);
    const int64_t stride = axes_->strides[i];
    Span y{Extents(tile_.size(), 0), tile_};
    const int64_t middle = ((axes_->y_shape[a] - tile_[a]) / 2 + ahead_[a]) / stride * stride - ahead_[a];
    y.begin[a] = std::max<int64_t>(middle, 0);
    const Span x = axes_->box(y).x;
    const int64_t end = x.begin[a] + x.count[a], phase = tile_[a] % stride != 0 ? 1 : 0;
    if (x.begin[a] > 0 && end < most.count[a]) most.count[a] = std::min(most.count[a], x.count[a] + phase);
  }
  return most.elements();
}

TileGrid choose_tiles(const TileAxes& axes, const TileCost& cost, int64_t budget) {
  Extents tile = axes.y_shape;
  const std::vector<Cut> cuts = cuts_of(axes);
  for (const bool last : {false, true}) {
    for (const Cut& cut : cuts) {
      int64_t* extent = &tile[cut.axis];
      const int64_t whole = axes.y_shape[cut.axis], floor = last ? cut.unit : cut.wanted;
      for (int64_t parts = 1; *extent > floor && cost(TileGrid(axes, tile)) > budget;) {
        parts = std::max(parts + 1, parts * 5 / 4);
        *extent = std::min(*extent, std::max(floor, rounded(ceil_div(whole, parts), cut.unit)));
      }
    }
  }
  return TileGrid(axes, tile);
}

TileGrid tiles_of(const TileAxes& axes, const Extents& tile) {
  if (tile.size() != axes.spatial.size()) {
    throw Fault("OPTION", "--tile has " + std::to_string(tile.size()) + " extents; y has " +
                              std::to_string(axes.spatial.size()) + " spatial axes");
  }
  Extents out = axes.y_shape;
  for (size_t i = 0; i < tile.size(); ++i) {
    int64_t* extent = &out[static_cast<size_t>(axes.spatial[i])];
    *extent = std::min(*extent, tile[i]);
  }
  return TileGrid(axes, out);
}

}  // namespace cli
