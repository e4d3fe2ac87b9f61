// SPDX-License-Identifier: Apache-2.0
// One scale for all layers, so that bars may be compared down the picture. See bench_plot.h.
#include "tools/cli/bench_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/cli/svg.h"
#include "tools/cli/table.h"

namespace cli {
namespace {

constexpr double kWidth = 1000, kBars = 170, kBarsEnd = 790, kRow = 20, kThick = 13;
constexpr size_t kMostBars = 400, kReason = 110;

double field(const Json& machine, const std::string& name) {
  const auto found = machine.find(name);
  return found != machine.end() && found->is_number() ? found->get<double>() : 0;
}

// Bytes a second of that many threads: of the largest count not above it.
double bandwidth(const Json& machine, double threads) {
  if (threads >= field(machine, "cores")) return field(machine, "memory_all");
  double best = field(machine, "memory_1");
  for (const int count : {2, 4, 8, 16, 32, 64})
    if (count <= threads) best = std::max(best, field(machine, "memory_" + std::to_string(count)));
  return best;
}

// 1, 2 or 5 times a power of ten, about a fifth of the scale.
double tick_of(double scale) {
  const double decade = std::pow(10, std::floor(std::log10(scale / 5)));
  for (const double step : {1.0, 2.0, 5.0})
    if (step * decade * 5.5 >= scale) return step * decade;
  return 10 * decade;
}

class Plot {
 public:
  Plot(const std::vector<BenchLayer>& layers, const MachineRecord& machine) : layers_(layers), machine_(machine) {
    for (; drawn_ < layers.size(); ++drawn_) {
      const BenchLayer& layer = layers[drawn_];
      if (drawn_ > 0 && bars_ + layer.rows.size() > kMostBars) break;
      bars_ += layer.rows.size();
      for (const BenchRow& row : layer.rows)
        scale_ = std::max({scale_, row.rate(), best_rate(row), roof_of(row, layer.type, machine.json)});
      for (const BenchRow& row : layer.rows)
        if (std::find(engines_.begin(), engines_.end(), row.engine) == engines_.end()) engines_.push_back(row.engine);
    }
    if (scale_ <= 0) scale_ = 1;
  }

  std::string draw(const std::string& title) {
    svg_.text(10, y_ = svg_.heading(title), "q", "GF/s of useful work, median of the runs; the mark is the best run");
    svg_.text(10, y_ += 18, "q",
              "red: roof by the machine record (" + machine_.source + "); Winograd and 16-bit products may pass it");
    const double top = y_ + 36;
    y_ = top;
    for (size_t i = 0; i < drawn_; ++i) layer(layers_[i]);
    axis(top);
    if (drawn_ < layers_.size()) {
      svg_.text(10, y_ += 20, "q", fmt::format("{} of {} layers are drawn; the table has all", drawn_, layers_.size()));
    }
    return svg_.finish(kWidth, y_ + 24, title);
  }

 private:
  static double best_rate(const BenchRow& row) {
    return row.refused.empty() && row.time.best > 0 ? row.flop / row.time.best * 1e-9 : 0;
  }
  double place(double rate) const { return kBars + (kBarsEnd - kBars) * rate / scale_; }

  void layer(const BenchLayer& layer) {
    y_ += 16;
    double roof = 0;
    for (const BenchRow& row : layer.rows) roof = std::max(roof, roof_of(row, layer.type, machine_.json));
    svg_.text(10, y_, "", layer.id + (roof > 0 ? fmt::format(", roof {:.1f} GF/s", roof) : ""));
    y_ += 8;
    for (const BenchRow& row : layer.rows) {
      bar(row, layer.type);
      y_ += kRow;
    }
    y_ += 6;
  }

  void bar(const BenchRow& row, ctconv::Dtype type) {
    svg_.text(kBars - 8, y_ + kThick - 2, "se", row.label());
    if (!row.refused.empty()) {
      const std::string cut = row.refused.size() > kReason ? row.refused.substr(0, kReason) + "..." : row.refused;
      svg_.text(kBars + 4, y_ + kThick - 2, "qs", "refuses: " + cut);
      return;
    }
    const size_t kind = static_cast<size_t>(std::find(engines_.begin(), engines_.end(), row.engine) - engines_.begin());
    const double end = place(row.rate()), best = place(best_rate(row));
    svg_.rect(
        kBars, y_, end - kBars, kThick, fmt::format("t{}", kind % 8).c_str(),
        fmt::format("{}: {} GF/s, median {}, best {}, {} runs; {}", row.label(), show_rate(row.flop, row.time.median),
                    show_time(row.time.median), show_time(row.time.best), row.time.runs, row.form));
    svg_.line(best, y_, best, y_ + kThick, "frame");
    double text = std::max(end, best) + 6;
    if (const double roof = roof_of(row, type, machine_.json); roof > 0) {
      svg_.line(place(roof), y_ - 3, place(roof), y_ + kRow - 3, "roof");
      // The words stand behind the roof where they would lie on it.
      if (text < place(roof) + 4 && text + 150 > place(roof)) text = place(roof) + 6;
    }
    svg_.text(text, y_ + kThick - 2, "s",
              fmt::format("{} GF/s, {}", show_rate(row.flop, row.time.median), show_time(row.time.median)));
  }

  void axis(double top) {
    const double step = tick_of(scale_);
    svg_.line(kBars, top - 6, kBarsEnd, top - 6, "frame");
    for (int i = 0; step * i <= scale_ * 1.0001; ++i) {
      const double x = place(step * i);
      svg_.line(x, top - 10, x, top - 6, "frame");
      svg_.text(x, top - 14, "qm", fmt::format("{:g}", step * i));
    }
  }

  const std::vector<BenchLayer>& layers_;
  const MachineRecord& machine_;
  std::vector<std::string> engines_;  // in the order they came: their colours
  size_t drawn_ = 0, bars_ = 0;
  double scale_ = 0, y_ = 0;
  Svg svg_;
};

}  // namespace

double roof_of(const BenchRow& row, ctconv::Dtype type, const Json& machine) {
  const double threads = std::min(row.threads, field(machine, "cores"));
  const double lanes = field(machine, "vector_bytes") / (type.bits == 64 ? 8 : 4);
  const double peak = field(machine, "hertz") * field(machine, "fma") * lanes * 2 * threads * 1e-9;
  if (row.bytes <= field(machine, "l3") || row.flop <= 0) return peak;
  const double memory = row.flop / row.bytes * bandwidth(machine, threads) * 1e-9;
  return memory > 0 ? std::min(peak, memory) : peak;
}

std::string bench_svg(const std::string& title, const std::vector<BenchLayer>& layers, const MachineRecord& machine) {
  return Plot(layers, machine).draw(title);
}

}  // namespace cli
