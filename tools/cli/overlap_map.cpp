// SPDX-License-Identifier: Apache-2.0
// The overlap of the last two axes as a plane of cells, darker where more taps reach. See axis_drawing.h.
//
//   Bounded: at most 28 rows and columns, the two ends of a longer axis.
#include <fmt/format.h>

#include <algorithm>

#include "tools/cli/axis_drawing.h"
#include "tools/cli/columns.h"

namespace cli {
namespace {

constexpr int64_t kMostCells = 28;
constexpr double kCell = 24, kGap = 10, kFaint = 0.05, kFull = 0.6;

// One output position of an axis, where it stands in the plane, and how many taps reach it.
struct Place {
  int64_t o = 0, taps = 0;
  double at = 0;
};

std::vector<Place> places_of(const Numbers& n, size_t axis, double at, double cell) {
  const int64_t all = n.o[axis] + n.tail[axis], front = all > kMostCells ? kMostCells * 3 / 5 : all;
  std::vector<Place> out;
  for (int64_t o = 0; o < all; ++o) {
    if (o == front && all > kMostCells) {
      o = all - (kMostCells - front);
      at += kGap;
    }
    out.push_back({o, taps_of(n, axis, o).count, at});
    at += cell;
  }
  return out;
}

int64_t most_of(const std::vector<Place>& places) {
  int64_t most = 1;
  for (const Place& place : places) most = std::max(most, place.taps);
  return most;
}

std::string heading_of(const Numbers& n, const Overlap& overlap) {
  const std::string rows = axis_name(n.rank(), n.rank() - 2), columns = axis_name(n.rank(), n.rank() - 1);
  std::string text = fmt::format("taps that reach each output position of {} (down) and {} (across)", rows, columns);
  if (n.rank() == 3 && overlap.axes[0].all) {
    const TapRange& d = *overlap.axes[0].all;
    text += d.min == d.max ? fmt::format(", times {} along d", d.max)
                           : fmt::format(", times {} to {} along d", d.min, d.max);
  }
  return text;
}

}  // namespace

double draw_map(Svg* svg, const Numbers& n, const Overlap& overlap, double top) {
  const size_t rows = n.rank() - 2, columns = n.rank() - 1;
  svg->text(10, top, "h", heading_of(n, overlap));
  svg->text(10, top + 20, "q", lines_of(overlap, n)[0]);
  const double first = top + 54;
  const auto across = places_of(n, columns, kPictureLeft, kCell), down = places_of(n, rows, first, kCell);
  const int64_t most = most_of(across) * most_of(down);
  const int64_t step = label_step(kCell, n.o[columns] + n.tail[columns]);
  for (size_t i = 0; i < across.size(); ++i)
    if (across[i].o % step == 0) svg->text(across[i].at + kCell / 2, first - 6, "qm", std::to_string(across[i].o));
  for (const Place& row : down) {
    svg->text(kPictureLeft - 6, row.at + 16, "se", std::to_string(row.o));
    for (const Place& column : across) {
      const int64_t taps = row.taps * column.taps;
      const double share = static_cast<double>(taps) / static_cast<double>(most);
      svg->shade(column.at, row.at, kCell, kCell, taps == 0 ? 0 : kFaint + (kFull - kFaint) * share,
                 fmt::format("y[{} {}, {} {}]: {}", axis_name(n.rank(), rows), row.o, axis_name(n.rank(), columns),
                             column.o, taps));
      if (taps < 1000) svg->text(column.at + kCell / 2, row.at + 16, "sm", std::to_string(taps));
    }
  }
  double end = down.empty() ? first : down.back().at + kCell;
  const auto all = [&](size_t axis) { return n.o[axis] + n.tail[axis]; };
  if (all(rows) > kMostCells || all(columns) > kMostCells) {
    svg->text(10, end += 20, "q",
              fmt::format("{} x {} of {} x {} positions are shown, the ends of each axis.", down.size(), across.size(),
                          all(rows), all(columns)));
  }
  return end + 30;
}

}  // namespace cli
